"""How long one CGI request takes, from the start of the program to its end, the database
connection included.

usage: cold_cgi.py ROUNDS LIMIT_MS LIMIT_RATIO DATABASE_URL PROGRAM [SCRIPT]

SCRIPT is a bundle's orbital.cgi. Both are measured in turns with psql, which reads as many records: a slow
machine makes all of them slow. Each may take LIMIT_MS, or LIMIT_RATIO times as long as psql.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import time

rounds, limit_ms, limit_ratio, database = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
programs = sys.argv[5:]
environment = {
    "PATH": os.environ["PATH"], "DATABASE_URL": database, "ACCESS": "open", "REQUEST_METHOD": "GET",
    "GATEWAY_INTERFACE": "CGI/1.1", "PATH_INFO": "/usage", "QUERY_STRING": "limit=10",
}
# Not the wrapper in Perl that Debian installs.
psql = max(map(str, pathlib.Path("/usr/lib/postgresql").glob("*/bin/psql")))
commands = {
    os.path.basename(program): ([program], {"SCRIPT_NAME": "/orbital.cgi", "SCRIPT_FILENAME": program})
    for program in programs
} | {
    "psql": ([psql, "-XAt", database, "-c", "SELECT message_id, report_name FROM usage_record LIMIT 10"], {})
}


def measure():
    """The median of each command, in turns."""
    times = {name: [] for name in commands}
    for _ in range(rounds + 3):
        for name, (command, variables) in commands.items():
            begin = time.perf_counter()
            answer = subprocess.run(
                command, env={**environment, **variables},
                stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
            times[name].append(1000 * (time.perf_counter() - begin))
            if name == "psql":
                assert answer.count(b"\n") == 10, answer
            else:
                assert answer.startswith(b"Status: 200 OK\r\n") and answer.count(b'"message_id"') == 10, answer
    medians = {}
    for name in commands:
        ordered = sorted(times[name][3:])
        medians[name] = statistics.median(ordered)
        print(f"measured: cold CGI GET /usage?limit=10, {name}: median "
              f"{medians[name]:.1f} ms, fastest {ordered[0]:.1f}, slowest {ordered[-1]:.1f} of {rounds}")
    return medians


def fits():
    medians = measure()
    limit = max(limit_ms, limit_ratio * medians.pop("psql"))
    return max(medians.values()) <= limit


# What else the machine does only adds: one series in three that fits is the program's own time.
if not any(fits() for _ in range(3)):
    sys.exit(f"a median is over {limit_ms:g} ms and over {limit_ratio:g} times that of psql, three times")
