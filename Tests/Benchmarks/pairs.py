"""Compares two builds of ours: another checkout (before) and this one (after), in alternating pairs.

    python3 pairs.py CHECKOUT [--rounds N] [--records N] [--only TEXT]

CHECKOUT is a clone of this repository at another commit, with its release build (`make build`). Each build has its own
database in one cluster, migrated by its own orbitalctl, with the same records. Every pair runs one build right after
the other, and the next pair in the opposite order. A ratio is after / before of the medians; for speeds more is better,
for seconds less.
"""

import argparse
import datetime
import os
import pathlib
import statistics
import subprocess
import tempfile

import load
from contestants import Orbital
from nginx import REPOSITORY
from load import psql

SUMMARY = "/usage/summary?from=2023-01-01&to=2024-01-01&tz=Europe/London"


class Build:
    """One checkout's programs, with a database of a million records and one to record into."""

    def __init__(self, name, checkout, cluster_url, folder):
        self.name, self.checkout = name, pathlib.Path(checkout).resolve()
        self.folder, self.cluster_url = folder, cluster_url
        self.services = []

    def run(self, records):
        self.url, self.recording_url = self.database("records"), self.database("recording")
        load.fill(self.url, records)
        self.cold = self.start("cold", self.url)
        self.warm = self.start("warm", self.url, keeps_answers=True)
        self.recorder = self.start("recorder", self.recording_url)

    def database(self, kind):
        url = self.cluster_url.replace("/orbital?", f"/{self.name}_{kind}?")
        psql(self.cluster_url, f"CREATE DATABASE {self.name}_{kind}")
        subprocess.run(
            [self.checkout / ".build/release/orbitalctl", "migrate", "up"], env={**os.environ, "DATABASE_URL": url},
            cwd=self.checkout, check=True, stdout=subprocess.DEVNULL)
        return url

    def start(self, name, url, keeps_answers=False):
        service = Orbital(keeps_answers, self.checkout)
        service.build(self.folder / "cache")
        self.services.append(service)
        service.start(url, self.folder / f"{self.name}-{name}")
        return service

    def stop(self):
        for service in self.services:
            service.stop()

    def read_after_change(self, path):
        load.change(self.url)
        return load.read_seconds(self.cold.nginx.address + path)

    def rate(self, path, service):
        # Once before, so that a cached response is cached: long ones at once would be refused.
        load.read_seconds(service.nginx.address + path)
        return load.requests_per_second(service.nginx.address + path)

    def rate_among_changes(self, path):
        with load.Changes(self.url):
            return self.rate(path, self.warm)

    def cgi(self, path, query):
        program = self.checkout / ".build/release/orbital-fcgi"
        return statistics.median(load.cgi_seconds(program, path, query, self.url) for _ in range(9))

    def repeated(self, path, count):
        return statistics.median(load.repeated_read_seconds(self.cold.nginx.address + path, count))


def first(count):
    """The oldest records, about this many: load.fill dates them 97 s apart."""
    end = datetime.datetime(2022, 1, 1) + datetime.timedelta(seconds=97 * count)
    return f"/usage?to={end.isoformat()}Z"


def measurements(batches):
    """By name: what is run for a build, and gives a number."""
    page = "/usage?limit=1000"
    return {
        "full read, s": lambda build: build.read_after_change("/usage"),
        "1,000 records, s": lambda build: build.repeated(page, 200),
        "10,000 records, s": lambda build: build.repeated(first(10_000), 60),
        "100,000 records, s": lambda build: build.repeated(first(100_000), 12),
        "pages of 1,000 unchanged, per s": lambda build: build.rate(page, build.warm),
        "pages of 1,000, 100 changes a second, per s": lambda build: build.rate_among_changes(page),
        "/health/live, per s": lambda build: build.rate("/health/live", build.warm),
        "/health, cached for 500 ms, per s": lambda build: build.rate("/health", build.warm),
        "summary of a year by days, s": lambda build: build.read_after_change(SUMMARY),
        "summary unchanged, per s": lambda build: build.rate(SUMMARY, build.warm),
        "CGI, /health/live, s": lambda build: build.cgi("/health/live", ""),
        "CGI, limit=10, s": lambda build: build.cgi("/usage", "limit=10"),
        "batches of 1,000, messages per s": lambda build: batches.count / batches.post_seconds(
            build.recording_url, build.recorder.nginx.address, build.recorder.headers),
    }


def compare(before, after, rounds, measurements):
    for name, measure in measurements.items():
        values = {before: [], after: []}
        # Both once before it counts: caches of PostgreSQL and of the kernel.
        for build in (before, after):
            measure(build)
        for number in range(rounds):
            for build in (before, after) if number % 2 == 0 else (after, before):
                values[build].append(measure(build))
        old, new = (statistics.median(values[build]) for build in (before, after))
        of_pairs = statistics.median(new / old for old, new in zip(values[before], values[after]))
        print(f"{name}: before {old:,.4g}, after {new:,.4g}, ratio of medians {new / old:.3f}, "
              f"median of the pairs' ratios {of_pairs:.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--only", default="", help="measurements whose name contains this text")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="orbital-pairs-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        cluster, builds = REPOSITORY / "Tests/dev/cluster", []
        try:
            subprocess.run(
                [cluster, "start", folder / "postgres", "shared_buffers=1GB", "max_wal_size=8GB", "autovacuum=off"],
                check=True)
            url = subprocess.run(
                [cluster, "url", folder / "postgres"], check=True, capture_output=True, text=True).stdout.strip()
            for label, checkout in (("before", arguments.checkout), ("after", REPOSITORY)):
                builds.append(Build(label, checkout, url, folder))
                builds[-1].run(arguments.records)
            chosen = {name: run for name, run in measurements(load.Batches(folder, 30_000)).items() if arguments.only in name}
            compare(*builds, arguments.rounds, chosen)
        finally:
            for build in builds:
                build.stop()
            subprocess.run([cluster, "stop", folder / "postgres"], check=True)


if __name__ == "__main__":
    main()
