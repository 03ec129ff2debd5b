#!/usr/bin/env python3
"""overload.py [SECONDS] [ROUNDS] [RESPONDER...]: load above CONNECTION_LIMIT (1,024), compared with less load.

32, 900 and 1,500 clients request pages as fast as they can. Reports good responses a second, every status that
nginx logged, and the latency of GET /health/live meanwhile, through nginx and at the responder's socket.
Several responders (paths of orbital-fcgi) take turns in each round. Fails if one of these limits is broken: good
responses at 1,500 clients are at least 80 % of those at 900 and 40 % of those at 32; no status but 200, 503
and 429; p99 of /health/live at most 500 ms through nginx and 50 ms at the socket."""
import collections
import re
import subprocess
import sys
import tempfile
import threading
import time

from service import BUILT, Service, ask_nginx, ask_responder

LEVELS = (32, 900, 1500)


class Probe(threading.Thread):
    """Requests /health/live every 10 ms."""

    def __init__(self, ask, path):
        super().__init__(daemon=True)
        self.ask, self.path, self.end = ask, path, threading.Event()
        self.times, self.statuses = [], collections.Counter()

    def run(self):
        while not self.end.wait(0.01):
            start = time.monotonic()
            self.statuses[self.ask(self.path, "/health/live")] += 1
            self.times.append(1000 * (time.monotonic() - start))

    def stop(self):
        """The 99th percentile and the maximum, in milliseconds."""
        self.end.set()
        self.join()
        self.times.sort()
        return self.times[len(self.times) * 99 // 100], self.times[-1]


def measure(service, clients, seconds):
    """Good responses a second, the statuses, and the p99 through nginx and at the socket."""
    service.access.write_text("")
    probes = [Probe(ask_nginx, service.site), Probe(ask_responder, service.socket)]
    for probe in probes:
        probe.start()
    output = subprocess.run(
        ["wrk", "-t2", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s",
         f"http://127.0.0.1:{service.port}/usage?limit=100"], check=True, capture_output=True, text=True).stdout
    (site, site_longest), (own, own_longest) = (probe.stop() for probe in probes)
    time.sleep(1)
    lines = service.access.read_text().splitlines()
    statuses = collections.Counter(re.search(r'" (\d{3}) ', line)[1] for line in lines if "/usage?" in line)
    # wrk closes its connections during responses, which nginx logs as 499.
    statuses.pop("499", None)
    good = statuses["200"] / seconds
    print(f"  {clients:5} clients: {good:7.0f} good/s; {dict(sorted(statuses.items()))}; /health/live p99 (longest): "
          f"nginx {site:.1f} ({site_longest:.0f}) ms {dict(probes[0].statuses)}, "
          f"socket {own:.1f} ({own_longest:.0f}) ms {dict(probes[1].statuses)}", flush=True)
    errors = re.search(r"Socket errors:.*", output)
    if errors:
        print(f"        wrk: {errors[0]}")
    return good, set(statuses), site, own


def faults(found):
    """The limits that one round exceeded."""
    good = {clients: values[0] for clients, values in found.items()}
    print(f"  1,500 clients: {good[1500] / good[900]:.2f} of 900, {good[1500] / good[32]:.2f} of 32", flush=True)
    if good[1500] < 0.8 * good[900] or good[1500] < 0.4 * good[32]:
        yield f"good responses a second fall: {good}"
    for clients, (_, statuses, site, own) in found.items():
        if statuses - {"200", "503", "429"}:
            yield f"{clients} clients: statuses {sorted(statuses)}"
        if site > 500 or own > 50:
            yield f"{clients} clients: /health/live {site:.0f} ms, {own:.0f} ms"


def main(seconds=4, rounds=3, *responders):
    broken = []
    with tempfile.TemporaryDirectory(prefix="overload-") as folder:
        subprocess.run(["chmod", "755", folder], check=True)
        service = Service(folder)
        try:
            for number in range(int(rounds)):
                for responder in responders or [BUILT / "orbital-fcgi"]:
                    print(f"round {number + 1}: {responder}")
                    service.serve(responder)
                    found = {clients: measure(service, clients, int(seconds)) for clients in LEVELS}
                    broken += [f"round {number + 1}, {responder}: {fault}" for fault in faults(found)]
        finally:
            service.stop()
    for fault in broken:
        print(f"fault: {fault}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
