"""Measures what a machine must have: disk a record, memory, and requests for each second of a core.

    python3 capacity.py [--publish]

Requests are divided by the processor time that the responder, PostgreSQL and nginx have used for them,
so it matters little what else the machine does.
"""

import argparse
import pathlib
import subprocess
import tempfile
import time

import load
from check_contestants import migrate
from contestants import Orbital
from load import psql
from nginx import REPOSITORY
from processes import processor_seconds, tree
from report import put

MILLION = 1_000_000
RUNBOOK = REPOSITORY / "deploy/RUNBOOK.md"
BEGIN = "<!-- measured: make capacity PUBLISH=1 -->"
WORKERS = 16  # the default
CLIENTS = 16  # who record single messages at once

# What each relation takes for a record.
SIZES = """
    SELECT relname, pg_relation_size(oid)
    FROM pg_class WHERE oid = 'usage_record'::regclass
    UNION ALL
    SELECT 'texts that were moved out (TOAST)', pg_total_relation_size(reltoastrelid)
    FROM pg_class WHERE oid = 'usage_record'::regclass
    UNION ALL
    SELECT relname, pg_relation_size(indexrelid)
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid = 'usage_record'::regclass"""

# A message as another program records it.
SINGLE = """
    INSERT INTO usage_record ("timestamp", report_name, message_text)
    VALUES (now(), CASE WHEN random() < 0.33 THEN 'Report ' || floor(random() * 50) END,
        repeat('x', 20 + floor(random() * 180)::int));"""


def wrk(address, seconds, connections=8, script=None):
    """Requests that were answered."""
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *(["-s", script] if script else []), address],
        check=True, capture_output=True, text=True)
    assert "Non-2xx" not in done.stdout and "Socket errors" not in done.stdout, done.stdout
    return int(done.stdout.split(" requests in ")[0].split()[-1])


class Capacity:
    """One cluster with its defaults, and our service with what it keeps, and without."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.running = []
        self.lines = {"disk": [], "memory": [], "speed": []}

    def start(self, url, keeps_answers):
        service = Orbital(keeps_answers=keeps_answers)
        service.build(REPOSITORY / ".run/bench")
        service.start(url, self.folder / f"orbital-{len(self.running)}")
        self.running.append(service)
        return service

    @property
    def postmaster(self):
        return int((self.folder / "postgres/data/postmaster.pid").read_text().split()[0])

    def used(self, service):
        pids = (service.process.popen.pid, self.postmaster, service.nginx.process.popen.pid)
        return [processor_seconds(pid) for pid in pids]

    def note(self, part, *cells):
        self.lines[part].append("| " + " | ".join(cells) + " |")
        print(self.lines[part][-1], flush=True)

    def measure(self, what, unit, service, work):
        """The units of `work`, which returns their number, for each second of a core."""
        before = self.used(service)
        count = work()
        parts = [now - then for now, then in zip(self.used(service), before)]
        total = sum(parts)
        shares = [f"{100 * part / total:.0f} %" for part in parts]
        self.note("speed", what, f"{rounded(count / total)} {unit}", *shares)
        return total

    def measure_disk(self, url):
        rows = [row.split("|") for row in psql(url, SIZES).splitlines()]
        sizes = {name: int(size) / MILLION for name, size in rows}
        for name, size in sizes.items():
            self.note("disk", f"`{name}`" if name.isidentifier() else name, f"{size:.0f}")
        self.note("disk", "**together**", f"**{sum(sizes.values()):.0f}**")

    def measure_memory(self, service):
        """At rest, and with all workers busy with reads of all records and pages."""
        self.note("memory", "responder, at rest", f"{service.memory()['now'] / 1024:.0f}")
        service.reset_peak()
        address = service.nginx.address
        reads = [
            subprocess.Popen(["curl", "-sS", "-f", "-o", "/dev/null", f"{address}/usage"]) for _ in range(WORKERS - 2)]
        wrk(f"{address}/usage?limit=1000", 2)
        assert [read.wait() for read in reads] == [0] * len(reads)
        self.note("memory", f"responder, {WORKERS} workers busy, peak", f"{service.memory()['peak'] / 1024:.0f}")
        backends = [pid for pid in tree(self.postmaster) if b"idle" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
        private = [kilobytes_of_its_own(pid) for pid in backends]
        self.note("memory", "PostgreSQL, for each idle connection", f"{sum(private) / len(private) / 1024:.1f}")

    def measure_reading(self, cold, kept):
        page, year = "/usage?limit=100", "/usage/summary?from=2023-01-01&to=2024-01-01&tz=Europe/London"
        self.measure("`/health`", "requests", kept, lambda: wrk(f"{kept.nginx.address}/health", 3))
        for what, path in (("`/usage?limit=100`", page), ("summary of a year by days", year)):
            for how, service in (("cold", cold), ("unchanged", kept)):
                address = service.nginx.address + path
                load.read_seconds(address)
                self.measure(f"{what}, {how}", "requests", service, lambda a=address: wrk(a, 4))
        size = int(subprocess.run(
            ["curl", "-sS", "-f", "-o", "/dev/null", "-w", "%{size_download}", f"{cold.nginx.address}/usage"],
            check=True, capture_output=True, text=True).stdout)
        count = 8

        def exports():
            for _ in range(count):
                load.read_seconds(f"{cold.nginx.address}/usage")
            return count * MILLION

        seconds = self.measure("full export", "records", cold, exports)
        self.note("speed", "full export", f"{count * size / seconds / 1e6:.0f} MB", "", "", "")

    def measure_recording(self, url, service):
        """Single messages of many clients at once, and batches; and what goes into the write-ahead log for each."""
        header = service.headers["Authorization"]
        script = self.folder / "post.lua"
        script.write_text(
            f'wrk.method = "POST"\nwrk.headers["Authorization"] = "{header}"\n'
            'wrk.headers["Content-Type"] = "application/json"\n'
            f"wrk.body = [[{{\"message_text\":\"{'x' * 110}\"}}]]\n")
        log = "SELECT pg_current_wal_insert_lsn() - '0/0'"
        before = float(psql(url, log))
        for _ in range(10):
            psql(url, "CHECKPOINT;" + SINGLE * 100)
        after = float(psql(url, log))
        self.note("disk", "write-ahead log, 100 messages between two checkpoints", f"{(after - before) / 1000:,.0f}")
        counts = {}

        def singles():
            counts["single"] = wrk(f"{service.nginx.address}/usage", 5, CLIENTS, script)
            return counts["single"]

        batches = load.Batches(self.folder, 200_000)

        def all_batches():
            batches.post_seconds(url, service.nginx.address, service.headers)
            return batches.count

        psql(url, "CHECKPOINT")
        before = float(psql(url, log))
        self.measure(f"recording, single messages of {CLIENTS} clients", "messages", service, singles)
        after = float(psql(url, log))
        self.note("disk", f"write-ahead log, single messages of {CLIENTS} clients", f"{(after - before) / counts['single']:.0f}")
        before = float(psql(url, log))
        self.measure("recording, batches of 1,000", "messages", service, all_batches)
        after = float(psql(url, log))
        self.note("disk", "write-ahead log, batches of 1,000", f"{(after - before) / batches.count:.0f}")

    def run(self):
        cluster, postgres = REPOSITORY / "Tests/dev/cluster", self.folder / "postgres"
        try:
            subprocess.run([cluster, "start", postgres], check=True)
            url = subprocess.run(
                [cluster, "url", postgres], check=True, capture_output=True, text=True).stdout.strip()
            migrate(url)
            load.fill(url, MILLION)
            self.measure_disk(url)
            cold, kept = self.start(url, False), self.start(url, True)
            self.measure_memory(cold)
            self.measure_reading(cold, kept)
            self.measure_recording(url, kept)
        finally:
            for service in self.running:
                service.stop()
            subprocess.run([cluster, "stop", postgres], check=True)
        return self.text

    @property
    def text(self):
        return "\n".join([
            "| disk | bytes a record |", "|---|---:|", *self.lines["disk"], "",
            "| memory | MiB |", "|---|---:|", *self.lines["memory"], "",
            "| what | for each second of a core | responder | PostgreSQL | nginx |", "|---|---:|---:|---:|---:|",
            *self.lines["speed"], ""])


def rounded(number):
    """Three digits, for more were not measured."""
    return f"{float(f'{number:.3g}'):,.0f}"


def kilobytes_of_its_own(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--publish", action="store_true", help="put the results into the runbook")
    arguments = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="orbital-capacity-") as folder:
        pathlib.Path(folder).chmod(0o755)
        text = Capacity(folder).run()
    if arguments.publish:
        put(RUNBOOK, BEGIN, text)
    print(f"{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
