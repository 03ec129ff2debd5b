#!/usr/bin/env python3
"""open_model.py [--url URL] [--records N] [--seconds N] [--shares 25,50,75,90] [--capacity N]: response times at a part of capacity.

PostgreSQL, responder (WORKERS=4) and nginx run on one core, the generator on another. First, 16 clients that send
whenever they have a response find the capacity. Then requests are sent at random moments (exponential gaps) that are
planned before, at 25, 50, 75 and 90 % of capacity; each is timed from its planned moment, whatever other responses
take. 60 % are pages of 100 records, 10 % a month grouped by user, 30 % single recordings in that month, after which
nothing is cached; besides, 20 times a second, /health. A request is missed if the generator sends it more than 1 ms late: with
more than 2 % of these, a run does not count. With --url, an existing database is used, which must be on the first
core already. Fails if a response fails, or if at 75 % a limit is exceeded or the run does not count."""

import argparse
import json
import os
import pathlib
import random
import select
import socket
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "Tests/Benchmarks"))
from contestants import Orbital  # noqa: E402
from growth import fill  # noqa: E402

SERVICE, GENERATOR = {0}, {1}
KINDS = {"page": 0.6, "month": 0.1, "record": 0.3}
HEALTH = 20  # a second
LATE, MISSED = 0.001, 0.02
LIMITS = {"page": 10, "month": 10, "health": 50}  # p99 in milliseconds at 75 %
PATHS = {
    "page": "/usage?limit=100&sort=timestamp:desc",
    "month": "/usage/summary?from=2025-06-01&to=2025-07-01&group_by=user_id",
    "health": "/health",
}


class Client:
    """One connection to nginx, with at most one request."""

    def __init__(self, address):
        host, port = address.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.kind, self.due, self.response = None, 0, b""

    def send(self, kind, due, request):
        self.kind, self.due, self.response = kind, due, b""
        self.socket.sendall(request)

    def receive(self):
        """The status if the response is whole, else None."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("nginx has closed the connection")
        self.response += data
        head, _, body = self.response.partition(b"\r\n\r\n")
        fields = head.lower()
        if b"transfer-encoding: chunked" in fields:
            is_whole = body.endswith(b"0\r\n\r\n")
        else:
            is_whole = b"content-length: " in fields and len(body) >= int(
                fields.split(b"content-length: ")[1].split(b"\r\n")[0])
        return int(head[9:12]) if is_whole else None


class Generator:
    """Sends requests on as many connections as it takes, in one thread."""

    def __init__(self, address, authorization):
        self.address, self.authorization = address, authorization
        self.clients, self.idle = {}, []
        self.sent = 0
        self.begin_run()

    def begin_run(self):
        self.milliseconds = {kind: [] for kind in (*KINDS, "health")}
        self.missed, self.faults = 0, []

    def request(self, kind):
        self.sent += 1
        head = f"HTTP/1.1\r\nHost: localhost\r\nAuthorization: {self.authorization}\r\n"
        if kind != "record":
            return f"GET {PATHS[kind]} {head}\r\n".encode()
        number = self.sent
        # In the month that is read.
        moment = f"2025-06-30T20:{number // 60 % 60:02}:{number % 60:02}Z"
        body = json.dumps({"timestamp": moment, "user_id": f"user-{number % 1000}", "model": f"model-{number % 20}",
                           "report_name": f"Report {number % 1000}", "input_tokens": 700, "output_tokens": 300})
        return (f"POST /usage {head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()

    def send(self, kind, due):
        if not self.idle:
            client = Client(self.address)
            self.clients[client.socket] = client
            self.idle.append(client)
        client = self.idle.pop()
        if time.monotonic() - due > LATE:
            self.missed += 1
        client.send(kind, due, self.request(kind))

    def receive(self, seconds):
        """Reads what has come within some seconds; the number of good responses."""
        count = 0
        # Not epoll, which waits for whole milliseconds.
        for ready in select.select(self.clients, [], [], seconds)[0]:
            client = self.clients[ready]
            status = client.receive()
            if status is not None:
                self.milliseconds[client.kind].append(1000 * (time.monotonic() - client.due))
                if status in (200, 201):
                    count += 1
                else:
                    body = client.response.partition(b"\r\n\r\n")[2]
                    self.faults.append(f"{client.kind}: {status} {body[:200]!r}")
                # nginx closes a connection after its thousandth request, and says so in the response.
                if b"\r\nconnection: close" in client.response.partition(b"\r\n\r\n")[0].lower():
                    client.socket.close()
                    del self.clients[ready]
                else:
                    self.idle.append(client)
        return count

    def capacity(self, seconds, clients=16):
        """Responses a second when each client sends whenever it has a response."""
        self.begin_run()
        rng, count, begin = random.Random(1), 0, time.monotonic()
        end = begin + seconds
        while (now := time.monotonic()) < end:
            while len(self.clients) - len(self.idle) < clients:
                self.send(choose(rng), now)
            count += self.receive(end - now)
        taken = time.monotonic() - begin
        self.drain()
        return count / taken

    def offer(self, rate, seconds):
        """Sends a plan that was made before."""
        rng, plan, moment = random.Random(2), [], 0.0
        while (moment := moment + rng.expovariate(rate)) < seconds:
            plan.append((moment, choose(rng)))
        plan = sorted(plan + [(number / HEALTH, "health") for number in range(int(seconds * HEALTH))])
        self.begin_run()
        begin = time.monotonic() + 0.1
        for moment, kind in plan:
            due = begin + moment
            while (wait := due - time.monotonic()) > 0:
                self.receive(wait)
            self.send(kind, due)
        self.drain()
        return len(plan)

    def drain(self):
        end = time.monotonic() + 60
        while len(self.idle) < len(self.clients):
            assert time.monotonic() < end, "responses are missing after a minute"
            self.receive(1)


def choose(rng):
    return rng.choices(list(KINDS), list(KINDS.values()))[0]


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def measure(generator, capacity, shares, seconds):
    """Prints one line for each share and kind; what exceeds a limit at 75 %."""
    faults = []
    for share in shares:
        count = generator.offer(capacity * share / 100, seconds)
        missed = generator.missed / count
        counts = missed <= MISSED
        print(f"{share} %: {count / seconds:.0f} a second, {100 * missed:.1f} % sent late"
              + ("" if counts else ": does not count") + f", load {os.getloadavg()[0]:.1f}", flush=True)
        for kind, found in generator.milliseconds.items():
            p50, p95, p99 = (percentile(found, part) for part in (0.5, 0.95, 0.99))
            print(f"  {kind:7} {len(found):6} requests, p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f} ms", flush=True)
            if share == 75 and p99 > LIMITS.get(kind, p99):
                faults.append(f"p99 of {kind} at 75 %: {p99:.1f} ms exceed {LIMITS[kind]}")
        if share == 75 and not counts:
            faults.append("the run at 75 % does not count")
        if generator.faults:
            faults.append(f"{share} %: {len(generator.faults)} of {count} failed, the first: {generator.faults[0]}")
    return faults


def serve(url, folder, arguments):
    """Measures a service on the first core with a generator on the second."""
    os.environ |= {"WORKERS": "4"}
    service = Orbital(keeps_answers=True)
    service.build(folder / "cache")
    try:
        service.start(url, folder / "service")
        os.sched_setaffinity(0, GENERATOR)
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
        except PermissionError:
            pass  # Beside other processes, it sends more requests late.
        generator = Generator(service.nginx.address, service.headers["Authorization"])
        generator.capacity(3)
        capacity = arguments.capacity or generator.capacity(arguments.seconds)
        print(f"capacity: {capacity:.0f} a second", flush=True)
        shares = [int(share) for share in arguments.shares.split(",")]
        return measure(generator, capacity, shares, arguments.seconds)
    finally:
        service.stop()


def main():
    parser = argparse.ArgumentParser(usage=__doc__.replace("%", "%%"))
    parser.add_argument("--url")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--shares", default="25,50,75,90")
    parser.add_argument("--capacity", type=float)
    arguments = parser.parse_args()
    cluster = REPOSITORY / "Tests/dev/cluster"
    os.sched_setaffinity(0, SERVICE)
    with tempfile.TemporaryDirectory(prefix="orbital-open-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        try:
            url = arguments.url
            if not url:
                subprocess.run([cluster, "start", folder / "postgres", "shared_buffers=1GB", "max_wal_size=4GB"], check=True)
                url = subprocess.run(
                    [cluster, "url", folder / "postgres"], check=True, capture_output=True, text=True).stdout.strip()
                subprocess.run([REPOSITORY / ".build/release/orbitalctl", "migrate", "up"], check=True,
                               env={**os.environ, "DATABASE_URL": url}, stdout=subprocess.DEVNULL)
                fill(url, arguments.records)
            faults = serve(url, folder, arguments)
        finally:
            if not arguments.url:
                subprocess.run([cluster, "stop", folder / "postgres"], check=True)
    for fault in faults:
        print(f"fault: {fault}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
