"""Measures the service beside its contestants and beside what nginx and PostgreSQL do at best.

    python3 bench.py [--rounds N] [--full] [--only NAME …] [--results FOLDER] [--publish]

Everything that is compared runs in one go, by turns; what counts are medians and their ratios.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import load
import tokenizers
from check_contestants import check, migrate
from contestants import CONTESTANTS, FastAPI, Go, Orbital
from goals import table
from growth import Growth, fill
from limits import Limits
from load import by_turns, psql
from nginx import REPOSITORY
from report import publish, write_report

MILLION = 1_000_000


class Benchmark:
    """One cluster, one database for each size, and all contestants running."""

    def __init__(self, folder, cache, rounds, names):
        self.folder, self.cache, self.rounds = pathlib.Path(folder), cache, rounds
        self.kinds = [kind for kind in CONTESTANTS if not names or kind.name in names or kind is Orbital]
        self.results = {}
        self.running = []
        self.started = 0

    def database(self, name):
        url = self.cluster_url.replace("/orbital?", f"/{name}?")
        psql(self.cluster_url, f"CREATE DATABASE {name}")
        migrate(url)
        return url

    def start(self, contestant, url):
        self.started += 1
        folder = self.folder / f"{contestant.name}-{self.started}"
        contestant.build(self.cache)
        contestant.start(url, folder)
        self.running.append(contestant)
        return contestant

    def stop(self):
        for contestant in self.running:
            contestant.stop()
        self.running = []

    def note(self, name, values):
        self.results[name] = values
        print(f"{name}: " + ", ".join(f"{key} {value:,.4g}" for key, value in values.items()), flush=True)

    def check_answers(self):
        url = self.database("small")
        for kind in self.kinds:
            contestant = kind()
            contestant.build(self.cache)
            check(contestant, url, self.folder / f"check-{kind.name}")

    def measure_reading(self, url):
        """Full reads and pages of a million records."""
        load.fill(url, MILLION)
        services = {kind.name: self.start(kind(), url) for kind in self.kinds}
        ours = self.start(Orbital(keeps_answers=True), url)
        limits = Limits(self.folder / "limits", "user root;" if os.geteuid() == 0 else "")
        self.running.append(limits)

        def cold(service):
            def run():
                load.change(url)
                return load.read_seconds(f"{service.nginx.address}/usage")
            return run

        quick = {name: cold(service) for name, service in services.items() if name != FastAPI.name}
        quick["copy"] = lambda: load.copy_out_seconds(url)
        seconds = by_turns(quick, 2 * self.rounds + 1)
        if FastAPI.name in services:
            seconds |= by_turns({FastAPI.name: cold(services[FastAPI.name])}, 2)
        self.note("full read, s", seconds)

        page = "/usage?limit=1000"
        static = limits.keep("page.json", f"{ours.nginx.address}{page}")
        others = {name: lambda a=service.nginx.address: load.requests_per_second(a + page)
                  for name, service in services.items() if name != Orbital.name}
        pages = others | {
            "orbital": lambda: load.requests_per_second(ours.nginx.address + page),
            "static": lambda: load.requests_per_second(static),
        }
        self.note("pages of 1,000 unchanged, per s", by_turns(pages, self.rounds))
        del pages["static"]
        with load.Changes(url):
            self.note("pages of 1,000, 100 changes a second, per s", by_turns(pages, self.rounds))
        # /health/live makes no query. For /health, the others query the database each time, ours twice a second at most.
        self.note("/health/live, per s", by_turns({
            name: lambda a=service.nginx.address: load.requests_per_second(f"{a}/health/live")
            for name, service in services.items()
        }, self.rounds))
        self.note("/health, cached for 500 ms, per s", by_turns({
            name: lambda a=address: load.requests_per_second(f"{a}/health")
            for name, address in [("orbital", services[Orbital.name].nginx.address), ("return 200", limits.address)]
        }, self.rounds))
        self.measure_summary(url, ours)
        self.measure_cgi(url)
        self.stop()

    def measure_summary(self, url, ours):
        """A year by days, as the dashboard asks for it."""
        path = "/usage/summary?from=2023-01-01&to=2024-01-01&tz=Europe/London"
        address = ours.nginx.address + path
        statement = """
            SELECT date_trunc('day', "timestamp", 'Europe/London'), count(*), count(report_name), sum(credit_hundredths)
            FROM usage_record WHERE "timestamp" >= '2023-01-01Z' AND "timestamp" < '2024-01-01Z'
            GROUP BY 1 ORDER BY 1"""
        reports = """
            SELECT report_name, count(*), sum(credit_hundredths)
            FROM usage_record WHERE "timestamp" >= '2023-01-01Z' AND "timestamp" < '2024-01-01Z'
            GROUP BY 1 ORDER BY 3 DESC"""

        def cold():
            load.change(url)
            return load.read_seconds(address)

        self.note("summary of a year by days, s", by_turns({
            "orbital": cold,
            "psql": lambda: load.query_seconds(url, statement) + load.query_seconds(url, reports),
        }, 2 * self.rounds + 1))
        load.read_seconds(address)
        self.note("summary unchanged, s", by_turns({"orbital": lambda: load.read_seconds(address)}, 21))

    def measure_cgi(self, url):
        """One process a request; of the others, only Go has a CGI mode worth the name."""
        programs = {Orbital.name: REPOSITORY / ".build/release/orbital-fcgi"}
        if Go in self.kinds:
            programs[Go.name] = self.cache / "go/usage"

        def runs(path, query):
            return {name: lambda p=program: load.cgi_seconds(p, path, query, url) for name, program in programs.items()}

        self.note("CGI, /health/live, s", by_turns(runs("/health/live", ""), 31))
        self.note("CGI, limit=10, s", by_turns(runs("/usage", "limit=10"), 31))

    def measure_sizes(self, sizes):
        """Seconds per million records, and the peak of eight full reads at once, by size."""
        each, peaks = {}, {}
        for size in sizes:
            url = self.database(f"of_{size}")
            load.fill(url, size)
            ours = self.start(Orbital(), url)
            address = f"{ours.nginx.address}/usage"
            count = max(3, min(50, 2 * MILLION // size))
            each[f"{size}"] = statistics.median(load.repeated_read_seconds(address, count)) * MILLION / size
            ours.reset_peak()
            reads = [subprocess.Popen(["curl", "-sS", "-f", "-o", "/dev/null", address]) for _ in range(8)]
            assert [read.wait() for read in reads] == [0] * 8
            peaks[f"{size}"] = ours.memory()["peak"] / 1024
            self.stop()
            psql(self.cluster_url, f"DROP DATABASE of_{size} WITH (FORCE)")
        self.note("full read by size, s per million records", each)
        self.note("peak memory of eight full reads, MiB", peaks)

    def measure_growth(self, sizes):
        """What questions cost as the table grows, in milliseconds by size."""
        found = {}
        for size in sizes:
            url = self.database(f"year_{size}")
            fill(url, size)
            growth = Growth(url, self.folder / f"growth-{size}")
            try:
                found[f"{size}"] = dict(growth.measure(rounds=2 * self.rounds + 1))
            finally:
                growth.stop()
            psql(self.cluster_url, f"DROP DATABASE year_{size} WITH (FORCE)")
        for name in found[f"{sizes[0]}"]:
            self.note(f"{name}, ms", {size: values[name] for size, values in found.items()})

    def measure_memory(self, url):
        """The peak of eight full reads of a hundred thousand records at once."""
        load.fill(url, 100_000)
        peaks = {}
        for kind in self.kinds:
            service = self.start(kind(), url)
            service.reset_peak()
            address = f"{service.nginx.address}/usage"
            reads = [subprocess.Popen(["curl", "-sS", "-f", "-o", "/dev/null", address]) for _ in range(8)]
            assert [read.wait() for read in reads] == [0] * 8, kind.name
            peaks[kind.name] = service.memory()["peak"] / 1024
            self.stop()
        self.note("peak memory of eight full reads of 100,000, MiB", peaks)

    def measure_recording(self):
        """Batches of a thousand messages, from four clients, and COPY FROM of the same rows; only ours has rollups."""
        own, url = self.database("recording"), self.database("recording_without_rollups")
        assert psql(own, "SHOW fsync").strip() == "on"
        psql(url, "".join(
            f"ALTER TABLE usage_record DISABLE TRIGGER usage_record_rollup_{event};" for event in ("insert", "update", "delete")))
        batches, attributed = load.Batches(self.folder, 60_000), load.AttributedBatches(60_000)

        def posts(batches, kind, service):
            used = own if kind is Orbital else url
            return lambda: batches.count / batches.post_seconds(used, service.nginx.address, service.headers)

        services = {kind: self.start(kind(), own if kind is Orbital else url) for kind in self.kinds}
        runs = {kind.name: posts(batches, kind, service) for kind, service in services.items()}
        runs["copy"] = lambda: batches.count / batches.copy_in_seconds(url)
        # Memory that a backend of PostgreSQL has not touched yet costs it as much as the messages.
        slow = {FastAPI.name: runs.pop(FastAPI.name)} if FastAPI.name in runs else {}
        by_turns(runs, 4)
        speeds = by_turns(runs, 2 * self.rounds + 1) | by_turns(slow, self.rounds)
        self.note("batches of 1,000, messages per s", speeds)
        runs = {kind.name: posts(attributed, kind, service) for kind, service in services.items() if kind in (Orbital, Go)}
        by_turns(runs, 4)
        self.note("batches of 1,000 with attributions, messages per s", by_turns(runs, 2 * self.rounds + 1))
        self.stop()

    def measure_tokenizers(self):
        for name, speeds in tokenizers.measure(self.cache, self.rounds).items():
            self.note(name, speeds)

    def run(self, sizes, growth_sizes):
        cluster = REPOSITORY / "Tests/dev/cluster"
        postgres = self.folder / "postgres"
        try:
            subprocess.run(
                [cluster, "start", postgres, "shared_buffers=1GB", "max_wal_size=8GB", "autovacuum=off"], check=True)
            self.cluster_url = subprocess.run(
                [cluster, "url", postgres], check=True, capture_output=True, text=True).stdout.strip()
            self.check_answers()
            self.measure_reading(self.database("million"))
            self.measure_recording()
            self.measure_memory(self.database("hundred_thousand"))
            self.measure_sizes(sizes)
            self.measure_growth(growth_sizes)
            self.measure_tokenizers()
        finally:
            self.stop()
            subprocess.run([cluster, "stop", postgres], check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="10 and 50 million records, too")
    parser.add_argument("--only", nargs="*", default=[], help="contestants, besides ours")
    parser.add_argument("--publish", action="store_true", help="make the results those of the README")
    parser.add_argument("--results", type=pathlib.Path, default=REPOSITORY / ".run/bench/results")
    arguments = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="orbital-bench-") as folder:
        pathlib.Path(folder).chmod(0o755)
        benchmark = Benchmark(folder, REPOSITORY / ".run/bench", arguments.rounds, arguments.only)
        benchmark.run(
            [1_000, 10_000, 100_000, MILLION] + [10 * MILLION] * arguments.full,
            [MILLION, 10 * MILLION] + [50 * MILLION] * arguments.full)
    write_report(benchmark.results, arguments.results)
    if arguments.publish:
        publish(arguments.results)
    print(table(benchmark.results))
    print(f"{time.monotonic() - begin:.0f} s; see {arguments.results}")


if __name__ == "__main__":
    main()
