"""How long one CGI request takes, from the start of the program to its end, the database
connection included.

usage: cold_cgi.py ROUNDS LIMIT_MS DATABASE_URL PROGRAM [SCRIPT]

SCRIPT is a bundle's orbital.cgi, which is measured in turns with the program; the limit is for both.
"""

import os
import statistics
import subprocess
import sys
import time

rounds, limit, database = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
programs = sys.argv[4:]
environment = {
    "PATH": os.environ["PATH"], "DATABASE_URL": database, "ACCESS": "open", "REQUEST_METHOD": "GET",
    "GATEWAY_INTERFACE": "CGI/1.1", "PATH_INFO": "/usage", "QUERY_STRING": "limit=10",
}


def measure():
    """The median of each program, in turns."""
    times = {program: [] for program in programs}
    for _ in range(rounds + 3):
        for program in programs:
            begin = time.perf_counter()
            answer = subprocess.run(
                [program], env={**environment, "SCRIPT_NAME": "/orbital.cgi", "SCRIPT_FILENAME": program},
                stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
            times[program].append(1000 * (time.perf_counter() - begin))
            assert answer.startswith(b"Status: 200 OK\r\n") and answer.count(b'"message_id"') == 10, answer
    medians = []
    for program in programs:
        ordered = sorted(times[program][3:])
        medians.append(statistics.median(ordered))
        print(f"measured: cold CGI GET /usage?limit=10, {os.path.basename(program)}: median "
              f"{medians[-1]:.1f} ms, fastest {ordered[0]:.1f}, slowest {ordered[-1]:.1f} of {rounds}")
    return medians


# What else the machine does only adds: one series in three that fits is the program's own time.
if not any(max(measure()) <= limit for _ in range(3)):
    sys.exit(f"a median is over {limit} ms, three times")
