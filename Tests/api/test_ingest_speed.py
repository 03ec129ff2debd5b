"""Measures recording beside what PostgreSQL alone can do with the same rows, in one run."""

import http.client
import json
import os
import random
import re
import statistics
import subprocess
import tempfile
import threading
import time

import pytest
from orbital import Client, psql
from service import Service, cluster

pytestmark = pytest.mark.speed

COUNT, BATCH, CLIENTS = 60_000, 1_000, 4


def messages(rng):
    return [{
        "message_id": n, "timestamp": f"2024-01-{n % 28 + 1:02d}T{n % 24:02d}:{n % 60:02d}:00Z",
        **({"report_name": f"Report {n % 50}"} if n % 3 == 0 else {}), "message_text": "x" * rng.randrange(20, 300),
    } for n in range(1, COUNT + 1)]


def copy_seconds(url, rows):
    """psql's COPY FROM of the same rows, priced beforehand."""
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        for m in rows:
            price = max(100, 10 * len(m["message_text"]))
            file.write(f"{m['message_id']}\t{m['timestamp']}\t{m.get('report_name', chr(92) + 'N')}\t{m['message_text']}\t1\t{price}\n")
        file.flush()
        columns = 'message_id, "timestamp", report_name, message_text, credit_rate_id, credit_hundredths'
        script = f"\\timing on\n\\copy usage_record ({columns}) FROM '{file.name}'\n"
        return float(psql(url, script).split("Time: ")[1].split()[0]) / 1000


def post_seconds(socket, key, bodies):
    """The bodies through nginx, from several clients at once."""
    work = list(bodies)
    faults = []

    def run():
        client = Client(socket)
        while True:
            try:
                body = work.pop()
            except IndexError:
                return
            client.request("POST", "/usage", body, {"Content-Type": "application/json", "Authorization": f"Bearer {key}"})
            response = client.getresponse()
            answer = response.read()
            if response.status != 200:
                faults.append(answer)

    threads = [threading.Thread(target=run) for _ in range(CLIENTS)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults[0]
    return time.perf_counter() - begin


@pytest.fixture(scope="module")
def durable_site(tmp_path_factory):
    """A site whose PostgreSQL waits for the disk, as that of production does."""
    folder = tmp_path_factory.mktemp("durable")
    cluster("start", folder / "postgres")
    site = Service(folder, records=0, url=cluster("url", folder / "postgres"), environment={"CONFIG_ENV": "test"})
    assert site.psql("SHOW fsync") == "on"
    yield site
    site.stop()
    cluster("stop", folder / "postgres")


def test_batches_are_recorded_nearly_as_fast_as_copy_loads_them(durable_site, rounds=3):
    socket, url, key = durable_site.site, durable_site.url, durable_site.key()
    rows = messages(random.Random(1))
    bodies = [json.dumps(rows[i:i + BATCH]).encode() for i in range(0, COUNT, BATCH)]
    ratios = []
    for _ in range(rounds):
        psql(url, "TRUNCATE usage_record; CHECKPOINT;")
        copied = copy_seconds(url, rows)
        psql(url, "TRUNCATE usage_record; CHECKPOINT;")
        posted = post_seconds(socket, key, bodies)
        assert psql(url, "SELECT count(*) FROM usage_record").strip() == str(COUNT)
        ratios.append(copied / posted)
    ratio = statistics.median(ratios)
    print(f"measured: batches of {BATCH:,} / COPY FROM = {ratio:.2f} messages per second (goal 0.40), {COUNT / posted:,.0f} a second")
    assert ratio > 0.3, ratios


PGBENCH = """\\set n random(1, 1000000000)
INSERT INTO usage_record ("timestamp", report_name, message_text, credit_rate_id, credit_hundredths)
VALUES (now(), 'Report ' || (:n::int % 50), repeat('x', 100), 1, 1000);
"""
WRK = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer KEY"
local n = 0
request = function()
  n = n + 1
  return wrk.format(nil, nil, nil, '{"report_name":"Report ' .. n % 50 .. '","message_text":"' .. string.rep("x", 100) .. '"}')
end
"""


def test_single_messages_are_recorded_nearly_as_fast_as_pgbench_inserts_them(durable_site, rounds=3, connections=32):
    """One object a request beside pgbench's INSERT of the same row, as many connections."""
    base, url, key = f"http://127.0.0.1:{durable_site.port}", durable_site.url, durable_site.key()
    ratios = []
    psql(url, "TRUNCATE usage_record")
    with tempfile.TemporaryDirectory() as folder:
        inserts, script = os.path.join(folder, "insert.sql"), os.path.join(folder, "post.lua")
        open(inserts, "w").write(PGBENCH)
        open(script, "w").write(WRK.replace("KEY", key))
        pgbench = subprocess.run("ls /usr/lib/postgresql/*/bin/pgbench | tail -1", shell=True, capture_output=True, text=True).stdout.strip()
        for _ in range(rounds):
            done = subprocess.run(
                [pgbench, "-n", "-M", "prepared", "-c", str(connections), "-j", "2", "-T", "2", "-f", inserts, url],
                capture_output=True, text=True, check=True)
            most = float(re.search(r"tps = ([0-9.]+)", done.stdout)[1])
            before = int(psql(url, "SELECT count(*) FROM usage_record"))
            done = subprocess.run(
                ["wrk", "-t1", f"-c{connections}", "-d2s", "-s", script, f"{base}/usage"], capture_output=True, text=True, check=True)
            assert "Non-2xx" not in done.stdout, done.stdout
            ours = float(done.stdout.split("Requests/sec:")[1].split()[0])
            assert int(psql(url, "SELECT count(*) FROM usage_record")) - before >= ours
            ratios.append(ours / most)
    ratio = statistics.median(ratios)
    print(f"measured: single messages / pgbench = {ratio:.2f} a second (goal 0.60), {ours:,.0f} a second")
    assert ratio > 0.45, ratios
