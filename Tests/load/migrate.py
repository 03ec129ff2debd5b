"""migrate.py CHECKOUT [RECORDS]: migrates a large database while clients write and read through the program of before.

CHECKOUT is a clone at the commit before, with its release build. Its schema gets RECORDS (default 10,000,000), its
responder 100 messages and 100 pages a second, each timed from the moment at which it was due. Meanwhile this
checkout's `orbitalctl migrate up` runs. Fails if an acknowledged message is missing, a request fails, or one takes
longer than a second."""

import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "Tests/Benchmarks"))
import load  # noqa: E402
from contestants import Orbital  # noqa: E402
from load import psql  # noqa: E402

RATE, THREADS, LIMIT = 100, 10, 1.0


class Clients:
    """Threads that send requests at a constant rate, whatever the responses take."""

    def __init__(self, address, headers):
        self.host, self.headers = address.removeprefix("http://"), headers
        self.ended = threading.Event()
        self.seconds, self.faults, self.acknowledged = [], [], []
        self.threads = [threading.Thread(target=self.run, args=(number, number % 2 == 0)) for number in range(2 * THREADS)]

    def run(self, number, writes):
        client, count = http.client.HTTPConnection(self.host, timeout=60), 0
        due = time.monotonic() + number / (2 * RATE)
        while not self.ended.wait(max(0, due - time.monotonic())):
            try:
                if writes:
                    count += 1
                    message_id = 1 << 40 | number << 30 | count
                    body = json.dumps({"message_id": message_id, "message_text": "x" * 100})
                    client.request("POST", "/usage", body, {"Content-Type": "application/json", **self.headers})
                else:
                    client.request("GET", "/usage?limit=100&sort=timestamp:desc")
                response = client.getresponse()
                text = response.read()
                if response.status not in (200, 201):
                    self.faults.append(f"{response.status} {text[:200]}")
                elif writes:
                    self.acknowledged.append(message_id)
            except (OSError, http.client.HTTPException) as error:
                self.faults.append(repr(error))
                client.close()
            self.seconds.append((time.monotonic() - due, time.monotonic()))
            due += THREADS / RATE


def migrate(checkout, url):
    """The seconds of `migrate up`, and its output."""
    begin = time.monotonic()
    done = subprocess.run(
        [checkout / ".build/release/orbitalctl", "migrate", "up"], cwd=checkout, env={**os.environ, "DATABASE_URL": url},
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - begin, done.stdout


def measure(before, url, records, folder):
    migrate(before, url)
    load.fill(url, records)
    service = Orbital(checkout=before)
    service.build(folder / "cache")
    try:
        service.start(url, folder / "service")
        clients = Clients(service.nginx.address, service.headers)
        for thread in clients.threads:
            thread.start()
        time.sleep(5)
        begin = time.monotonic()
        seconds, output = migrate(REPOSITORY, url)
        end = time.monotonic()
        time.sleep(5)
        clients.ended.set()
        for thread in clients.threads:
            thread.join()
    finally:
        service.stop()
    stored = set(psql(url, "SELECT message_id FROM usage_record WHERE message_id > 1::bigint << 40").split())
    lost = [number for number in clients.acknowledged if str(number) not in stored]
    meanwhile = sorted(taken for taken, ended in clients.seconds if begin <= ended <= end)
    print(output, end="")
    print(f"{records:,} records: migrated in {seconds:.1f} s; {len(meanwhile)} requests meanwhile, longest {meanwhile[-1]:.3f} s; "
          f"{len(clients.acknowledged)} messages acknowledged, {len(lost)} lost; {len(clients.faults)} failed")
    for fault in clients.faults[:5]:
        print(f"  {fault}")
    return not lost and not clients.faults and meanwhile[-1] <= LIMIT


def main(before, records="10000000"):
    cluster = REPOSITORY / "Tests/dev/cluster"
    with tempfile.TemporaryDirectory(prefix="orbital-migrate-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        try:
            subprocess.run([cluster, "start", folder / "postgres", "shared_buffers=1GB", "max_wal_size=8GB"], check=True)
            url = subprocess.run(
                [cluster, "url", folder / "postgres"], check=True, capture_output=True, text=True).stdout.strip()
            sys.exit(0 if measure(pathlib.Path(before).resolve(), url, int(records), folder) else 1)
        finally:
            subprocess.run([cluster, "stop", folder / "postgres"], check=True)


if len(sys.argv) not in (2, 3):
    sys.exit(__doc__)
main(*sys.argv[1:])
