#!/usr/bin/env python3
"""erase.py [RECORDS [SECONDS]]: erases the texts of RECORDS messages (a million) while readers and writers send
requests at a steady rate, and stops and continues the erasure every SECONDS (4), so that times with it and without
it come in pairs; then records as many messages again. Prints one JSON object: times, and the size of the table
before the erasure, after it, and after the refill.

The number of records in a transaction (`eraseBatchLimit`) was chosen with this."""
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time

from service import BUILT, Service

RATE = 30  # requests of each kind in a second
FILL = """
    INSERT INTO usage_record ("timestamp", report_name, message_text)
    SELECT '2024-01-01Z'::timestamptz + n * interval '7 seconds', 'Report ' || n % 1000,
           n || repeat(' some words of a message', 20 + (n % 7)::int)
    FROM generate_series(1, {}::bigint) AS n"""


def request(kind, number, key):
    head = f"Host: localhost\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n"
    if kind == "read":
        start = f"2024-01-{1 + number % 28:02}T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z"
        path = f"/usage?limit=100&from={start}&fields=all"  # a different page each time
        return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode()
    body = json.dumps({"external_id": f"erase-{number}", "message_text": "x" * 400, "user_id": f"u-{number % 50}"})
    return (f"POST /usage HTTP/1.1\r\n{head}Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


async def ask(site, kind, number, key, times):
    start = time.monotonic()
    reader, writer = await asyncio.open_unix_connection(site)
    writer.write(request(kind, number, key))
    response = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    if response.split(b" ", 2)[1] in (b"200", b"201"):
        times[kind].append(time.monotonic() - start)
    else:
        times["refused"] = times.get("refused", 0) + 1


async def measure(service, key, seconds, numbers, times):
    """Sends requests of both kinds at the rate for some seconds."""
    start, tasks = time.monotonic(), []
    for turn in range(int(RATE * seconds)):
        await asyncio.sleep(max(0, start + turn / RATE - time.monotonic()))
        number = next(numbers)
        tasks += [asyncio.create_task(ask(service.site, kind, number, key, times)) for kind in ("read", "write")]
    await asyncio.gather(*tasks)


def quantile(times, share):
    return round(1000 * sorted(times)[int(len(times) * share)], 1)


def size(service):
    return int(service.psql("SELECT pg_table_size('usage_record')")) >> 20


async def main(records=1_000_000, seconds=4):
    folder = tempfile.mkdtemp(prefix="orbital-erase-")
    service = Service(folder, records=0, environment={"ACCESS": "keyed"})
    try:
        service.psql(FILL.format(records))
        service.psql("VACUUM ANALYZE usage_record")
        before, key, numbers = size(service), service.key(), iter(range(10**9))
        await measure(service, key, 2, numbers, {"read": [], "write": []})
        times = {False: {"read": [], "write": []}, True: {"read": [], "write": []}}
        began, paused = time.monotonic(), 0
        erasure = subprocess.Popen(
            [BUILT / "orbitalctl", "erase", "text", "--before", "2025-01-01"], env=service.environment,
            stdout=subprocess.DEVNULL)
        while erasure.poll() is None:
            await measure(service, key, seconds, numbers, times[True])
            erasure.send_signal(signal.SIGSTOP)
            pause = time.monotonic()
            await measure(service, key, seconds, numbers, times[False])
            paused += time.monotonic() - pause
            erasure.send_signal(signal.SIGCONT)
        took = time.monotonic() - began - paused
        after = size(service)
        left = service.psql("""SELECT count(*) FROM usage_record
            WHERE message_text IS NOT NULL AND "timestamp" < now() - interval '1 day'""")
        service.psql(FILL.format(records))
        result = {"records": records, "status": erasure.returncode, "left": int(left), "seconds": round(took, 1)}
        for kind in ("read", "write"):
            for name, share in (("p50", 0.5), ("p99", 0.99)):
                without, during = (quantile(times[is_erasing][kind], share) for is_erasing in (False, True))
                result[f"{kind} {name} ms"] = [without, during, round(during / without, 2)]
        result["refused"] = [times[False].get("refused", 0), times[True].get("refused", 0)]
        print(json.dumps(result | {"MiB": [before, after, size(service)]}))
    finally:
        service.stop()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
