"""Sends POST /usage/estimate and /usage the most expensive bodies of 8 MiB, and limits the responder's time and memory."""

import os
import pathlib
import re
import string
import threading
import time

import pytest
from orbital import Client

pytestmark = pytest.mark.speed

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SIZE = 8 * 2**20
# About 88 MB and 0.2 s were measured, for 180,000 faults in an answer of 18 MB.
MEGABYTES, SECONDS = 100, 1
# Before memory was returned, eight concurrent texts of 8 MiB took up to 377 MB, 187 MB of which stayed.
EIGHT_AT_ONCE, KEPT = 260, 40
JSON, LINES = "application/json", "application/x-ndjson"
# In this order, Unicode's normal form has them the other way round.
MARKS = "\u0301\u0323".encode()


def filled(piece, start=b"", end=b""):
    """As many pieces as fit between start and end."""
    return start + piece * ((SIZE - len(start) - len(end)) // len(piece)) + end


def items(start, piece, end, separator):
    """10,000 objects, as many as there may be, each of as many pieces as fit."""
    room = SIZE // 10_000 - len(separator) - 1
    item = start + piece * ((room - len(start) - len(end)) // len(piece)) + end
    return separator.join([item] * 10_000)


def both(name, start, piece, end, status=200):
    yield f"array of {name}", JSON, b"[" + items(start, piece, end, b",") + b"]", status
    yield f"lines of {name}", LINES, items(start, piece, end, b"\n"), status


def bodies():
    """(name, media type, body, status)"""
    yield "a\\n", LINES, filled(b"a\n"), 413
    yield "{}\\n", LINES, filled(b"{}\n"), 413
    yield "\\n", LINES, filled(b"\n"), 200
    yield " \\n", LINES, filled(b" \n"), 200
    yield "\\r\\n", LINES, filled(b"\r\n"), 200
    yield "a line of blanks", LINES, filled(b" "), 200
    yield "10,000 {} and \\n", LINES, filled(b"\n", b"{}\n" * 10_000), 200
    yield "one line without end", LINES, filled(b"["), 200
    yield "blanks", JSON, filled(b" "), 400
    yield "[0,0,…", JSON, filled(b"0,", b"[", b"0]"), 413
    yield "[{},{},…", JSON, filled(b"{},", b"[", b"{}]"), 413
    yield "[[[[…", JSON, filled(b"["), 400
    yield "[[[],[],…", JSON, filled(b"[],", b"[[", b"[]]]"), 200
    yield "2,047 levels, again and again", JSON, filled(b"[" * 2046 + b"]" * 2046 + b",", b"[[", b"0]]"), 200
    yield '{"a":{"a":…', JSON, filled(b'{"a":'), 400
    yield "members", JSON, b"{" + b",".join(b'"%06d":0' % n for n in range(762_600)) + b"}", 422
    yield "members of one name", JSON, filled(b'"":0,', b"{", b'"":0}'), 422
    yield "array in a member", JSON, filled(b"{},", b'{"message_text":"x","a":[', b"{}]}"), 422
    yield "huge text", JSON, filled(b"a", b'{"message_text":"', b'"}'), 200
    yield "huge text in a line", LINES, filled(b"a", b'{"message_text":"', b'"}'), 200
    yield "huge text, escaped", JSON, filled(rb"\n", b'{"message_text":"', b'"}'), 200
    yield "huge text of NUL", JSON, filled(rb"\u0000", b'{"message_text":"', b'"}'), 422
    yield "huge text without end", JSON, filled(b"a", b'{"message_text":"'), 400
    yield "huge report name", JSON, filled(b"a", b'{"message_text":"","report_name":"', b'"}'), 422
    yield "huge time", JSON, filled(b"2", b'{"message_text":"","timestamp":"', b'"}'), 422
    yield "huge id", JSON, filled(b"2", b'{"message_text":"","message_id":', b"}"), 422
    yield "millions of levels", JSON, b"[" * (SIZE // 2) + b"]" * (SIZE // 2), 200
    yield "millions of levels in a member", JSON, b'{"a":' + b"[" * (SIZE // 2 - 4) + b"]" * (SIZE // 2 - 4) + b"}", 422
    yield "halves of pairs", JSON, filled(rb"\ud83d", b'{"message_text":"', b'"}'), 422
    yield "huge name", JSON, filled(b"a", b'{"', b'":0}'), 422
    yield "huge name, escaped", JSON, filled(rb"\u0001", b'{"', b'":0}'), 422
    yield "marks on one letter of a name", JSON, filled(MARKS, b'{"a', b'":0}'), 422
    yield "marks on one letter of a value", JSON, filled(MARKS, b'{"message_text":"","report_name":"a', b'"}'), 422
    yield "marks on one letter of a time", JSON, filled(MARKS, b'{"message_text":"","timestamp":"a', b'"}'), 422
    yield from both("texts", b'{"message_text":"', b"a", b'"}')
    yield from both("small members", b"{", b'"":0,', b'"a":0}')
    yield from both("names", b"{", b"".join(b'"%c":0,' % letter for letter in string.ascii_letters.encode()), b'"a":0}')
    yield from both(
        "faults", b'{"message_id":"","timestamp":0,"report_name":"","message_text":0,', b'"message_id":0,',
        b"".join(b'"%c":0,' % letter for letter in b"abcdefghij") + b'"timestamp":"","report_name":"","message_text":""}')


class Responder:
    def __init__(self, pid):
        self.folder = f"/proc/{pid}"

    def begin(self):
        with open(f"{self.folder}/clear_refs", "w") as file:
            file.write("5")  # VmHWM starts anew
        self.start = self.seconds()

    def seconds(self):
        with open(f"{self.folder}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def megabytes(self, what="VmHWM"):
        with open(f"{self.folder}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(f"{what}:")) / 1024


def post_at_once(socket, key, responder, path, media_type, requests):
    """The statuses of requests that are sent at the same time; the peak of memory begins anew."""
    def post(body):
        client = Client(socket)
        client.request("POST", path, body=body, headers={"Content-Type": media_type, "Authorization": f"Bearer {key}"})
        response = client.getresponse()
        statuses.append(response.status)
        response.read()

    statuses = []
    responder.begin()
    threads = [threading.Thread(target=post, args=[body]) for body in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def eight_at_once(socket, key, responder):
    """The peak memory for eight long texts at once, and how much of it stays allocated, in MB."""
    texts = [filled(b"a", b'{"message_id":%d,"message_text":"' % (-1 - number), b'"}') for number in range(8)]
    statuses = post_at_once(socket, key, responder, "/usage", JSON, texts)
    assert statuses == [201] * 8, statuses
    # A worker frees its memory after it has responded.
    for _ in range(50):
        if responder.megabytes("VmRSS") <= KEPT:
            break
        time.sleep(0.1)
    return responder.megabytes(), responder.megabytes("VmRSS")


def test_the_worst_bodies_of_8_mib_take_little_memory_and_time(start_site):
    site = start_site()
    socket, key, responder = site.site, site.key(), Responder(site.responder.pid)
    peak, kept = eight_at_once(socket, key, responder)
    assert peak <= EIGHT_AT_ONCE and kept <= KEPT, f"eight texts at once: {peak:.0f} MB, {kept:.0f} MB stay"
    client = Client(socket)
    most, longest, count = 0, 0, 0
    for path in ("/usage/estimate", "/usage"):
        for name, media_type, body, status in bodies():
            assert 0.7 * SIZE < len(body) <= SIZE, (name, len(body))
            responder.begin()
            client.request("POST", path, body=body, headers={"Content-Type": media_type, "Authorization": f"Bearer {key}"})
            response = client.getresponse()
            answer = response.read()
            # One message that is recorded is created.
            assert response.status == status or (path, status, response.status) == ("/usage", 200, 201), (path, name, answer[:300])
            megabytes, seconds = responder.megabytes(), responder.seconds() - responder.start
            assert megabytes <= MEGABYTES and seconds <= SECONDS, f"{path} with {name}: {megabytes:.0f} MB, {seconds:.2f} s"
            most, longest, count = max(most, megabytes), max(longest, seconds), count + 1
    print(f"measured: {count} bodies of 8 MiB take {most:.0f} MB and {longest:.2f} s of CPU at the most "
          f"(limits {MEGABYTES} MB, {SECONDS} s); eight at once {peak:.0f} MB, of which {kept:.0f} MB stay")



def test_every_worker_with_one_of_the_worst_bodies_stays_below_the_memory_limit_of_the_unit(start_site):
    unit = (REPOSITORY / "deploy/systemd/orbital-usage.service").read_text()
    limit = int(re.search(r"^MemoryMax=(\d+)M$", unit, re.MULTILINE)[1])
    site = start_site(WORKERS="16")
    socket, key, responder = site.site, site.key(), Responder(site.responder.pid)
    most = 0
    for name, media_type, body, status in bodies():
        if name not in ("array of faults", "lines of faults", "huge text", "members"):
            continue
        statuses = post_at_once(socket, key, responder, "/usage/estimate", media_type, [body] * 32)
        assert set(statuses) <= {status, 503} and status in statuses, (name, statuses)
        most = max(most, responder.megabytes())
        assert most <= 0.75 * limit, f"{name}: {most:.0f} MB"
    print(f"measured: 16 workers with the worst bodies take {most:.0f} MB (MemoryMax is {limit} MB)")
