#!/usr/bin/env python3
"""rollup_cost.py [ROUNDS [SECONDS]]: what sixteen writers at once record in a second with the rollups, and without their
triggers and merges, in the same build and the same database, whose disk is waited for. Rounds of both are
interleaved; prints the medians.

Single messages and batches of 1,000 in about 35 groups, over HTTP (wrk) and with plain SQL (pgbench)."""
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

from service import Service, cluster

WRITERS = 16
TRIGGERS = [f"usage_record_rollup_{event}" for event in ("insert", "update", "delete")]
WRK = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer KEY"
wrk.body = [==[BODY]==]
"""
ONE = {"report_name": "Lease", "user_id": "u-1", "model": "gpt-5", "input_tokens": 900, "output_tokens": 200}
MANY = [ONE | {"report_name": f"Report {n % 5}", "user_id": f"u-{n % 7}"} for n in range(1000)]
INSERT = """INSERT INTO usage_record ("timestamp", report_name, input_tokens, output_tokens, attribution_id)
SELECT now(), 'Report ' || n % 5, 900, 200, (ARRAY[{}])[n % 7 + 1] FROM generate_series(1, {}) AS n;
"""


def per_second(service, command, pattern):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Non-2xx" not in done.stdout, done.stdout + service.log()[-2000:]
    return float(re.search(pattern, done.stdout)[1])


class Contest:
    """The ways to record; each is measured with and without triggers in turn."""

    def __init__(self, service, folder, seconds):
        self.service, key = service, service.key()
        users = ",".join(f"usage_attribution('u-{n}', NULL, 'gpt-5', NULL)" for n in range(7))
        numbers = service.psql(f"SELECT array_to_string(ARRAY[{users}], ',')")
        pgbench = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pgbench"))[-1]
        self.ways = {}
        for name, count, body in (("single", 1, ONE), ("batch", 1000, MANY)):
            post, insert = folder / f"{name}.lua", folder / f"{name}.sql"
            post.write_text(WRK.replace("KEY", key).replace("BODY", json.dumps(body)))
            insert.write_text(INSERT.format(numbers, count))
            self.ways[f"{name}, HTTP"] = count, [
                "wrk", "-t1", f"-c{WRITERS}", f"-d{seconds}s", "-s", post, f"http://127.0.0.1:{service.port}/usage"
            ], r"Requests/sec: *([0-9.]+)"
            self.ways[f"{name}, SQL"] = count, [
                pgbench, "-n", "-M", "prepared", "-c", str(WRITERS), "-j", "2", "-T", str(seconds), "-f", insert, service.url
            ], r"tps = ([0-9.]+)"

    def measure(self, way, has_rollups):
        count, command, pattern = self.ways[way]
        state = "ENABLE ALWAYS" if has_rollups else "DISABLE"
        actions = ", ".join(f"{state} TRIGGER {trigger}" for trigger in TRIGGERS)
        self.service.psql(f"TRUNCATE usage_record; ALTER TABLE usage_record {actions}")
        self.service.psql("CHECKPOINT")
        return count * per_second(self.service, command, pattern)


def main(rounds=7, seconds=4):
    with tempfile.TemporaryDirectory(prefix="orbital-cost-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        try:
            cluster("start", folder / "postgres", "shared_buffers=1GB", "max_wal_size=8GB")
            service = Service(folder, records=0, url=cluster("url", folder / "postgres"))
            try:
                contest = Contest(service, folder, seconds)
                for way in contest.ways:
                    pairs = [(contest.measure(way, False), contest.measure(way, True)) for _ in range(rounds)]
                    without, with_rollups = (statistics.median(column) for column in zip(*pairs))
                    ratio = statistics.median(b / a for a, b in pairs)
                    print(f"{way}: {without:,.0f} messages a second without rollups, {with_rollups:,.0f} with: {ratio:.3f} "
                          f"(rounds {min(b / a for a, b in pairs):.2f} to {max(b / a for a, b in pairs):.2f})", flush=True)
            finally:
                service.stop()
        finally:
            cluster("stop", folder / "postgres")


if len(sys.argv) > 3:
    sys.exit(__doc__)
main(*map(int, sys.argv[1:]))
