#!/usr/bin/env python3
"""rollup_cost.py [ROUNDS [SECONDS]]: what sixteen writers at once record with the rollups, and without their triggers
and merges, in the same build and the same database, whose disk is waited for. Runs of both alternate; prints medians.

Single messages and batches of 1,000 in about 35 groups, over HTTP (wrk) and with plain SQL (pgbench). Counts what is
recorded, and the processor time of responder and PostgreSQL, in which the rest of the deltas is merged, too. Fails if
the ratio of speeds is below 0.85, if more than 1 % of requests are refused, or if one fails otherwise."""
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from service import REPOSITORY, Service, cluster

sys.path.insert(0, str(REPOSITORY / "Tests/Benchmarks"))
from processes import processor_seconds  # noqa: E402

WRITERS, LEAST, REFUSED = 16, 0.85, 0.01
TRIGGERS = [f"usage_record_rollup_{event}" for event in ("insert", "update", "delete")]
# The last line is the number of refused requests and the last fault.
WRK = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer KEY"
wrk.body = [==[BODY]==]
refused, fault = 0, ""
function setup(thread) only = thread end
function response(status, _, body)
    if status == 503 then refused = refused + 1 end
    if status > 299 and (status ~= 503 or fault == "") then fault = status .. " " .. body end
end
function done(summary)
    local errors = summary.errors
    local broken = errors.connect + errors.read + errors.write + errors.timeout
    print(string.format("%d %d %d %d %s", summary.requests, errors.status, only:get("refused"), broken, only:get("fault")))
end
"""
ONE = {"report_name": "Lease", "user_id": "u-1", "model": "gpt-5", "input_tokens": 900, "output_tokens": 200}
MANY = [ONE | {"report_name": f"Report {n % 5}", "user_id": f"u-{n % 7}"} for n in range(1000)]
INSERT = """INSERT INTO usage_record ("timestamp", report_name, input_tokens, output_tokens, attribution_id)
SELECT now(), 'Report ' || n % 5, 900, 200, (ARRAY[{}])[n % 7 + 1] FROM generate_series(1, {}) AS n;
"""


class Contest:
    """The ways to record; each is measured with and without triggers in turn."""

    def __init__(self, service, folder, seconds):
        self.service, key = service, service.key()
        self.postmaster = int((folder / "postgres/data/postmaster.pid").read_text().split()[0])
        self.requests, self.refused, self.faults = 0, 0, []
        users = ",".join(f"usage_attribution('u-{n}', NULL, 'gpt-5', NULL)" for n in range(7))
        numbers = service.psql(f"SELECT array_to_string(ARRAY[{users}], ',')")
        pgbench = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pgbench"))[-1]
        self.ways = {}
        for name, count, body in (("single", 1, ONE), ("batch", 1000, MANY)):
            post, insert = folder / f"{name}.lua", folder / f"{name}.sql"
            post.write_text(WRK.replace("KEY", key).replace("BODY", json.dumps(body)))
            insert.write_text(INSERT.format(numbers, count))
            self.ways[f"{name}, HTTP"] = [
                "wrk", "-t1", f"-c{WRITERS}", f"-d{seconds}s", "-s", post, f"http://127.0.0.1:{service.port}/usage"]
            self.ways[f"{name}, SQL"] = [
                pgbench, "-n", "-M", "prepared", "-c", str(WRITERS), "-j", "2", "-T", str(seconds), "-f", insert, service.url]

    def processor_seconds(self):
        return processor_seconds(self.postmaster) + processor_seconds(self.service.responder.pid)

    def measure(self, way, has_rollups):
        """Messages a second, and microseconds of processor time a message."""
        state = "ENABLE ALWAYS" if has_rollups else "DISABLE"
        actions = ", ".join(f"{state} TRIGGER {trigger}" for trigger in TRIGGERS)
        self.service.psql(f"TRUNCATE usage_record; ALTER TABLE usage_record {actions}")
        self.service.psql("CHECKPOINT")
        used, begin = self.processor_seconds(), time.monotonic()
        done = subprocess.run(self.ways[way], capture_output=True, text=True, check=True)
        seconds = time.monotonic() - begin
        if "HTTP" in way:
            self.count(way, *done.stdout.splitlines()[-1].split(" ", 4))
        while int(self.service.psql("SELECT coalesce(merge_usage_deltas(1000000), 1)")):
            pass
        used = self.processor_seconds() - used
        messages = int(self.service.psql("SELECT count(*) FROM usage_record"))
        return messages / seconds, 1e6 * used / messages

    def count(self, way, requests, others, refused, broken, fault=""):
        self.requests += int(requests)
        self.refused += int(refused)
        if others != refused or broken != "0":
            self.faults.append(f"{way}: {others} of {requests} were not recorded, {broken} connections broke; {fault}")
        elif refused != "0":
            print(f"{way}: {refused} of {requests} were refused: {fault}", flush=True)


def compare(contest, way, rounds):
    """Prints the medians of `way`; its ratio of speeds."""
    pairs = []
    for number in range(rounds):
        order = (False, True) if number % 2 == 0 else (True, False)
        found = {has_rollups: contest.measure(way, has_rollups) for has_rollups in order}
        pairs.append((*found[False], *found[True]))
    speed, used, speed_with, used_with = (statistics.median(column) for column in zip(*pairs))
    ratios = sorted(pair[2] / pair[0] for pair in pairs)
    ratio, of_time = statistics.median(ratios), statistics.median(pair[3] / pair[1] for pair in pairs)
    print(f"{way}: {speed:,.0f} messages a second without rollups, {speed_with:,.0f} with: {ratio:.3f} ({ratios[0]:.2f} to "
          f"{ratios[-1]:.2f}); processor time {used:.1f} and {used_with:.1f} us a message: {of_time:.3f}", flush=True)
    return ratio


def main(rounds=5, seconds=3):
    with tempfile.TemporaryDirectory(prefix="orbital-cost-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        try:
            cluster("start", folder / "postgres", "shared_buffers=1GB", "max_wal_size=8GB")
            service = Service(folder, records=0, url=cluster("url", folder / "postgres"))
            try:
                contest = Contest(service, folder, seconds)
                faults = [f"{way}: {ratio:.3f} of the speed without rollups" for way in contest.ways
                          if (ratio := compare(contest, way, rounds)) < LEAST] + contest.faults
            finally:
                service.stop()
        finally:
            cluster("stop", folder / "postgres")
    if contest.refused > REFUSED * contest.requests:
        faults.append(f"{contest.refused} of {contest.requests} requests were refused")
    for fault in faults:
        print(f"fault: {fault}")
    sys.exit(1 if faults else 0)


if len(sys.argv) > 3 or "--help" in sys.argv:
    sys.exit(__doc__)
main(*map(int, sys.argv[1:]))
