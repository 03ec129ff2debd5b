#!/usr/bin/env python3
"""paced.py ADDRESS RATE SECONDS [KEY]: requests at a steady rate, whatever the answers take, each on a
connection of its own, until TERM or the end of the seconds; prints one JSON object of what became of
them. The address is the path of a
Unix socket, or a port of this machine.

With a key, every tenth request records a message under an id of its own. What is no whole answer with
the expected status is a failure: nothing is tried twice."""
import asyncio
import json
import signal
import sys
import time

READS = ["/usage?limit=10", "/health", "/usage/summary?granularity=total", "/usage/1", "/usage"]


def request(number, key):
    if key and number % 10 == 9:
        body = json.dumps({"message_id": 1_000_000 + number, "message_text": "x"}).encode()
        head = (f"POST /usage HTTP/1.1\r\nAuthorization: Bearer {key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n")
        return (head + "Host: localhost\r\nConnection: close\r\n\r\n").encode() + body, 201
    access = f"Authorization: Bearer {key}\r\n" if key else ""
    return (f"GET {READS[number % len(READS)]} HTTP/1.1\r\n{access}"
            "Host: localhost\r\nConnection: close\r\n\r\n").encode(), 200


def is_whole(head, body):
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    if fields.get(b"transfer-encoding") == b"chunked":
        return body.endswith(b"0\r\n\r\n")
    return len(body) == int(fields.get(b"content-length", -1))


async def ask(address, number, key):
    sent, expected = request(number, key)
    start = time.monotonic()
    try:
        if address.isdigit():
            reader, writer = await asyncio.open_connection("127.0.0.1", int(address))
        else:
            reader, writer = await asyncio.open_unix_connection(address)
        writer.write(sent)
        answer = await asyncio.wait_for(reader.read(), 60)
        writer.close()
    except (OSError, asyncio.TimeoutError) as error:
        return f"{type(error).__name__} {error}", time.monotonic() - start
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ")[1:2]
    if status != [str(expected).encode()] or not is_whole(head, body):
        what = sent.split(b" HTTP")[0].decode()
        return f"{what}: {head[:60]!r} {body[:200]!r}", time.monotonic() - start
    return None, time.monotonic() - start


async def main(address, rate, seconds, key=None):
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    start = time.monotonic()
    tasks = []
    for number in range(int(rate * seconds)):
        if stop.is_set():
            break
        await asyncio.sleep(max(0, start + number / rate - time.monotonic()))
        tasks.append(asyncio.create_task(ask(address, number, key)))
    sending = time.monotonic() - start
    results = await asyncio.gather(*tasks)
    times = sorted(1000 * took for _, took in results)
    failures = [failure for failure, _ in results if failure]
    print(json.dumps({
        "sent": len(results), "perSecond": len(results) / sending, "failed": len(failures),
        "failures": failures[:5], "recorded": len(results) // 10 if key else 0,
        "medianMilliseconds": times[len(times) // 2], "p99Milliseconds": times[len(times) * 99 // 100],
        "longestMilliseconds": times[-1]}))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    asyncio.run(main(arguments[0], float(arguments[1]), float(arguments[2]), *arguments[3:]))
