"""health_under_load.py SOCKET TARGET CLIENTS SECONDS [KEY]: what /health/live and /health do under load.

SOCKET is nginx's. Each client asks for TARGET again and again; with a key it posts a message. Another process asks
for the two health paths, 20 times a second each, and prints how long they took and how many were no 200."""
import http.client
import multiprocessing
import os
import socket
import sys
import threading
import time


def ask(path, method, target, body=None, fields={}, seconds=20):
    """The status, or 0 without a response."""
    connection = http.client.HTTPConnection("localhost", timeout=seconds)
    try:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(seconds)
        connection.sock.connect(path)
        connection.request(method, target, body=body, headers=fields)
        response = connection.getresponse()
        response.read()
        return response.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def load(path, target, clients, end, key):
    def client():
        fields = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        while time.monotonic() < end:
            if key:
                ask(path, "POST", target, '{"message_text":"x"}', fields)
            else:
                ask(path, "GET", target)

    for _ in range(clients):
        threading.Thread(target=client, daemon=True).start()
    time.sleep(max(0, end - time.monotonic()))
    os._exit(0)


def probe(path, target, end, found):
    while time.monotonic() < end:
        start = time.monotonic()
        status = ask(path, "GET", target)
        found.append((time.monotonic() - start, status))
        time.sleep(max(0, 0.05 - found[-1][0]))


def main(path, target, clients, seconds, key=None):
    end = time.monotonic() + float(seconds)
    process = multiprocessing.Process(target=load, args=(path, target, int(clients), end, key), daemon=True)
    process.start()
    time.sleep(0.3)
    found = {"/health/live": [], "/health": []}
    threads = [threading.Thread(target=probe, args=(path, name, end, probes)) for name, probes in found.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    process.join()
    print(f"measured: {clients} clients {'post to' if key else 'read'} {target} for {seconds} s")
    for name, probes in found.items():
        times = sorted(taken for taken, _ in probes)
        slow = sum(taken for taken in times if taken > 0.05)
        failed = sum(status != 200 for _, status in probes)
        print(f"{name}: median {times[len(times) // 2] * 1000:.0f} ms, longest {times[-1] * 1000:.0f} ms, "
              f"waits {slow:.1f} s, fails {failed} of {len(probes)}")


if len(sys.argv) < 5:
    sys.exit(__doc__)
main(*sys.argv[1:])
