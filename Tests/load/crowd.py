#!/usr/bin/env python3
"""crowd.py SOCKET CLIENTS SECONDS KEY: each client sends its next request when it has the
response to the previous one, over a Unix socket; prints one JSON object of the statuses and times.

Every third client records messages, one at a time or two at once; the others read pages, all
different, so that none comes from a cache. Meanwhile, /health is requested every 20 ms."""
import asyncio
import collections
import json
import sys
import time


def request(client, number, key):
    fields = f"Host: localhost\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n"
    if client % 3 > 0:
        path = f"/usage?limit={1 + number % 1000}&min_credits={client}.{number // 1000:02}"
        return f"GET {path} HTTP/1.1\r\n{fields}\r\n".encode()
    message = {"message_id": client * 1_000_000 + number, "message_text": "x"}
    other = message | {"message_id": message["message_id"] + 500_000}
    body = json.dumps([message, other] if number % 2 else message).encode()
    return (f"POST /usage HTTP/1.1\r\n{fields}Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


async def status(address, sent):
    try:
        reader, writer = await asyncio.open_unix_connection(address)
        writer.write(sent)
        response = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        return response.split(b" ", 2)[1].decode()
    except (OSError, IndexError, asyncio.TimeoutError) as error:
        return type(error).__name__


async def main(address, clients, seconds, key):
    end = time.monotonic() + seconds
    statuses, health, times = collections.Counter(), collections.Counter(), []

    async def ask(client):
        number = 0
        while (start := time.monotonic()) < end:
            number += 1
            statuses[await status(address, request(client, number, key))] += 1
            times.append(time.monotonic() - start)

    async def watch():
        sent = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        while time.monotonic() < end:
            health[await status(address, sent)] += 1
            await asyncio.sleep(0.02)

    await asyncio.gather(watch(), *(ask(client) for client in range(clients)))
    times.sort()
    print(json.dumps({
        "statuses": statuses, "health": health,
        "p50": round(times[len(times) // 2], 4), "p99": round(times[len(times) * 99 // 100], 4),
        "max": round(times[-1], 4)}))


asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
