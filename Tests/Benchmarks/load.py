"""What the benchmark does to a service: reads, requests in parallel, batches, changes meanwhile."""

import http.client
import json
import pathlib
import random
import re
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from orbital import psql  # noqa: E402

COLUMNS = 'message_id, "timestamp", report_name, message_text, credit_rate_id, credit_hundredths'
FULL_READ = """SELECT message_id, "timestamp", report_name, credit_hundredths
    FROM usage_record ORDER BY "timestamp", message_id"""


def by_turns(runs, rounds):
    """The median of what each run gives, one after the other in each round."""
    values = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            values[name].append(run())
    return {name: statistics.median(found) for name, found in values.items()}


def fill(url, count):
    """Puts records into an empty table, a third of them with one of 50 report names."""
    psql(url, f"""
        TRUNCATE usage_record RESTART IDENTITY;
        -- Ten million of them reach beyond today, which the triggers refuse.
        SET session_replication_role = replica;
        INSERT INTO usage_record ({COLUMNS})
        SELECT n, '2022-01-01Z'::timestamptz + n * interval '97 s' + (n % 7) * interval '0.125 s',
            CASE WHEN n % 3 = 0 THEN 'Report ' || n % 50 END, text, 1,
            usage_credits(char_length(text), NULL, 'characters', 4000, 100)
        FROM generate_series(1, {count}) AS n, LATERAL (SELECT repeat('x', (n::bigint * 7919 % 180)::int + 20) AS text) AS texts;
        RESET session_replication_role;
        SELECT setval('usage_record_message_id_seq', {count});
        VACUUM (ANALYZE) usage_record;
        CHECKPOINT;""")


def change(url):
    """Inserts a record that is later than all others, but not in the future."""
    psql(url, """
        INSERT INTO usage_record ("timestamp", message_text)
        SELECT least(max("timestamp") + interval '1 s', now()), 'one more' FROM usage_record""")


class Changes:
    """A hundred records a second while this is open."""

    def __init__(self, url):
        self.psql = subprocess.Popen(["psql", "-qAtX", url], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        due = time.monotonic()
        while not self.ended.wait(max(0, due - time.monotonic())):
            due += 0.01
            self.psql.stdin.write("""INSERT INTO usage_record ("timestamp", message_text) VALUES (now(), 'one more');\n""")
            self.psql.stdin.flush()

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.psql.stdin.close()
        self.psql.wait()


def read_seconds(address, *options):
    """One GET with options of curl, everything to /dev/null."""
    done = subprocess.run(
        ["curl", "-sS", "-f", "-o", "/dev/null", "-w", "%{time_total}", *options, address],
        check=True, capture_output=True, text=True)
    return float(done.stdout)


def repeated_read_seconds(address, count):
    """GETs one after another on one connection, without the first, which opens it."""
    done = subprocess.run(
        ["curl", "-sS", "-f", "-w", "%{stderr}%{time_total}\n"] + ["-o", "/dev/null", address] * (count + 1),
        check=True, capture_output=True, text=True)
    return [float(line) for line in done.stderr.split()][1:]


def query_seconds(url, statement):
    """The statement in psql, its result to /dev/null, without the time to connect."""
    script = f"SET jit = off;\n\\o /dev/null\n\\timing on\n{statement};\n"
    return float(psql(url, script).split("Time: ")[-1].split()[0]) / 1000


def copy_out_seconds(url):
    return query_seconds(url, f"COPY ({FULL_READ}) TO STDOUT (FORMAT binary)")


def requests_per_second(address, seconds=2, connections=16):
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", address], check=True, capture_output=True, text=True)
    assert "Non-2xx" not in done.stdout and "Socket errors" not in done.stdout, done.stdout
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout)[1])


class Batches:
    """Messages to record, as bodies of a thousand and as a file for COPY."""

    def __init__(self, folder, count, size=1000):
        rng = random.Random(1)
        self.count = count
        rows = [{
            "message_id": n, "timestamp": f"2024-{n * 12 // (count + 1) + 1:02}-{n % 28 + 1:02}T{n % 24:02}:{n % 60:02}:00Z",
            **({"report_name": f"Report {n % 50}"} if n % 3 == 0 else {}), "message_text": "x" * rng.randrange(20, 200),
        } for n in range(1, count + 1)]
        self.bodies = [json.dumps(rows[i:i + size]).encode() for i in range(0, count, size)]
        self.file = pathlib.Path(folder, "messages.tsv")
        with self.file.open("w") as file:
            for row in rows:
                price = max(100, 10 * len(row["message_text"]))
                name = row.get("report_name", "\\N")
                file.write(f"{row['message_id']}\t{row['timestamp']}\t{name}\t{row['message_text']}\t1\t{price}\n")

    def copy_in_seconds(self, url):
        psql(url, "TRUNCATE usage_record; CHECKPOINT;")
        script = f"\\timing on\n\\copy usage_record ({COLUMNS}) FROM '{self.file}'\n"
        return float(psql(url, script).split("Time: ")[1].split()[0]) / 1000

    def post_seconds(self, url, address, headers, clients=4):
        """All bodies, from several clients at once; every message must be there afterwards."""
        psql(url, "TRUNCATE usage_record; CHECKPOINT;")
        host = urllib.parse.urlsplit(address).netloc
        work, faults = list(self.bodies), []

        def run():
            client = http.client.HTTPConnection(host)
            while work:
                try:
                    body = work.pop()
                except IndexError:
                    return
                client.request("POST", "/usage", body, {"Content-Type": "application/json", **headers})
                answer = client.getresponse()
                text = answer.read()
                if answer.status != 200:
                    faults.append(text)

        threads = [threading.Thread(target=run) for _ in range(clients)]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - begin
        assert not faults, faults[0]
        assert psql(url, "SELECT count(*) FROM usage_record").strip() == str(self.count)
        return seconds


class AttributedBatches(Batches):
    """Messages with reported tokens; a body is a minute of 7 users with 5 models: 35 groups."""

    def __init__(self, count, size=1000):
        rng = random.Random(1)
        self.count = count
        rows = [{
            "message_id": n, "timestamp": f"2024-03-{n // size // 1440 + 1:02}T{n // size // 60 % 24:02}:{n // size % 60:02}:{n % 60:02}Z",
            **({"report_name": f"Report {n % 7}"} if n % 7 % 3 == 0 else {}),
            "user_id": f"user-{n // size * 7 % 1000 + n % 7}", "team_id": f"team-{n % 7}", "model": f"model-{n % 5}",
            "tags": {"env": "prod"}, "input_tokens": rng.randrange(500, 3500), "output_tokens": rng.randrange(900),
        } for n in range(1, count + 1)]
        self.bodies = [json.dumps(rows[i:i + size]).encode() for i in range(0, count, size)]


def cgi_seconds(program, path, query, url):
    """One CGI process from its start to its end."""
    environment = {
        "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_METHOD": "GET", "SCRIPT_NAME": path,
        "PATH_INFO": "", "QUERY_STRING": query, "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost",
        "SERVER_NAME": "localhost", "SERVER_PORT": "80", "REQUEST_URI": path, "DATABASE_URL": url, "LOG_LEVEL": "error",
    }
    begin = time.perf_counter()
    done = subprocess.run([program], env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    seconds = time.perf_counter() - begin
    assert b"healthy" in done.stdout or b'{"usage":[' in done.stdout, done
    return seconds
