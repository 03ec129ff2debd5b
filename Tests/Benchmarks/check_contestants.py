"""Checks that all contestants give the answers that ours gives, before anything is measured.

    python3 check_contestants.py [NAME …] [--cache FOLDER]
"""

import argparse
import datetime
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from contestants import CONTESTANTS, REPOSITORY, install_packages

sys.path.insert(0, str(REPOSITORY / "Tests/api"))
from orbital import Record, instant_text, microseconds, psql  # noqa: E402

NAMES = [
    None, "Lease Review", 'Say "yes"', "C:\\reports\\", "Straße, Übersicht – 概要", "👩‍👩‍👧 family",
    "tab\tline\nreturn\rbell\x07\x1f\x7f", "\b\f/<script>&'", "\u2028\u2029 e\u0301", " blanks ", "x" * 500,
]
TEXTS = [
    "", "a", "What is the rent?", "é" * 33, "e\u0301" * 33, "👍🏽" * 41, 'quoted "text" \\ and\nlines', "{},NULL",
    "x" * 5000,
]
FIRST, LAST = "2000-01-01T00:00:00Z", "2025-12-31T23:59:59.999999Z"


def hundredths(text):
    return max(100, (len(text) * 4000 + 200) // 400)


class Book:
    """The records that the database should have."""

    def __init__(self):
        self.records = []

    def add(self, message_id, time, name, text):
        self.records.append(Record(message_id, time, name, hundredths(text)))

    def text(self, limit=None):
        ordered = sorted(self.records, key=lambda record: (record.microseconds, record.message_id))
        return '{"usage":[' + ",".join(record.json for record in ordered[:limit]) + "]}"


def load(url, count=3000):
    """Fills an empty table as another program would: the triggers price."""
    rng = random.Random(1)
    book, rows = Book(), []
    for message_id in range(1, count + 1):
        time = 1_700_000_000_000_000 + rng.randrange(400 * 86_400) * 1_000_000
        time += rng.choice([0, 0, 0, 1, 250_000, 999_999, 120])
        if message_id == 1:
            time = instant(FIRST)
        if message_id == 2:
            time = instant(LAST)
        name, text = rng.choice(NAMES), rng.choice(TEXTS)
        book.add(message_id, time, name, text)
        rows.append({
            "message_id": message_id, "timestamp": instant_text(time), "report_name": name, "message_text": text})
    literal = json.dumps(rows).replace("'", "''")
    psql(url, f"""
        TRUNCATE usage_record RESTART IDENTITY;
        INSERT INTO usage_record (message_id, "timestamp", report_name, message_text)
        SELECT * FROM json_to_recordset('{literal}')
            AS item(message_id bigint, "timestamp" timestamptz, report_name text, message_text text);
        SELECT setval('usage_record_message_id_seq', 1000000);
        VACUUM (ANALYZE) usage_record""")
    return book


def instant(text):
    return microseconds(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")))


def ask(address, path, body=None, headers=()):
    """Status and body."""
    fields = {"Content-Type": "application/json", **dict(headers)} if body is not None else {}
    data = json.dumps(body).encode() if isinstance(body, list) else body
    try:
        with urllib.request.urlopen(urllib.request.Request(address + path, data, fields), timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def check_reading(contestant, address, book):
    for limit in (None, 1, 7, 1000):
        status, text = ask(address, "/usage" if limit is None else f"/usage?limit={limit}")
        assert status == 200, (status, text[:200])
        expected = book.text(limit)
        if contestant.same_text:
            # Ours says where the next page begins.
            text = re.sub(r',"next_cursor":"[^"]*"}$', "}", text)
        else:
            text, expected = json.loads(text)["usage"], json.loads(expected)["usage"]
        assert text == expected, f"limit {limit}: {first_difference(text, expected)}"
    for path in ("/health", "/health/live"):
        status, text = ask(address, path)
        assert status == 200 and json.loads(text)["status"] == "healthy", (status, text)
    if contestant.same_text:
        assert ask(address, "/usage?limit=0")[0] == 400
        assert ask(address, "/nothing")[0] == 404


def first_difference(one, other):
    for index, (a, b) in enumerate(zip(one, other)):
        if a != b:
            start = max(0, index - 60)
            return f"{one[start:index + 60]!r} is not {other[start:index + 60]!r}"
    return f"{len(one)} is not {len(other)} long"


def check_recording(contestant, address, url, book):
    message_id, items, times = 10_000, [], []
    for name in NAMES:
        for text in TEXTS:
            message_id += 1
            item = {"message_id": message_id, "message_text": text}
            if name is not None:
                item["report_name"] = name
            second = f"2024-06-{message_id % 30 + 1:02}T08:{message_id % 60:02}:07"
            item["timestamp"] = second + ["Z", "+02:00", ".25-03:30", ".000001Z"][message_id % 4]
            times.append(instant(second + ["Z", "+02:00", ".250000-03:30", ".000001Z"][message_id % 4]))
            items.append(item)
    if contestant.takes_ids:
        post(contestant, address, items + items[:2], ["created"] * len(items) + ["duplicate"] * 2)
        post(contestant, address, items, ["duplicate"] * len(items))
        ids = [item["message_id"] for item in items]
    else:
        ids = post(contestant, address, items, ["created"] * len(items))
    for item, one, time in zip(items, ids, times):
        book.add(one, time, item.get("report_name"), item["message_text"])
    for item in items:
        del item["message_id"]
    more = post(contestant, address, items, ["created"] * len(items))
    assert len(set(more)) == len(items) and min(more) > 1_000_000, more
    for item, one, time in zip(items, more, times):
        book.add(one, time, item.get("report_name"), item["message_text"])
    check_reading(contestant, address, book)
    stored = psql(url, """
        SELECT count(*) FILTER (WHERE character_count <> char_length(message_text)
            OR credit_hundredths <> usage_credits(character_count, NULL, 'characters', 4000, 100)), count(*)
        FROM usage_record""").strip()
    assert stored == f"0|{len(book.records)}", stored
    for body in (b"{", b'[{"report_name":"x"}]', b'[{"message_text":5}]'):
        status, text = ask(address, "/usage", body, contestant.headers)
        # Ours takes the good items of a batch, and says what is wrong with the others.
        assert 400 <= status < 500 or json.loads(text)["created"] == 0, (body, status, text)


def post(contestant, address, items, statuses):
    """The ids of the answer, which must be the expected one."""
    status, text = ask(address, "/usage", items, contestant.headers)
    assert status == 200, (status, text[:300])
    answer = json.loads(text)
    ids = [result["message_id"] for result in answer["results"]]
    expected = [f'{{"index":{index},"message_id":{one},"status":"{status}","credits_used":{credits_of(item)}}}'
                for index, (one, item, status) in enumerate(zip(ids, items, statuses))]
    expected = f'{{"created":{statuses.count("created")},"results":[{",".join(expected)}]}}'
    if contestant.same_text and contestant.name != "orbital":
        assert text == expected, first_difference(text, expected)
    assert answer["results"] == json.loads(expected)["results"], (answer, expected)
    assert answer["created"] == statuses.count("created"), answer["created"]
    if contestant.takes_ids and "message_id" in items[0]:
        assert ids == [item["message_id"] for item in items]
    return ids


def credits_of(item):
    price = hundredths(item["message_text"])
    return f"{price // 100}.{price % 100:02}"


def check(contestant, url, folder):
    """Raises what differs; one line otherwise."""
    book = load(url)
    address = contestant.start(url, folder)
    try:
        for way in filter(None, (address, contestant.direct)):
            check_reading(contestant, way, book)
        check_recording(contestant, address, url, book)
    finally:
        contestant.stop()
    how = "byte for byte" if contestant.same_text else "record by record"
    ways = "through nginx and directly" if contestant.direct else "through nginx"
    count = len(book.records)
    print(f"{contestant.name}: {count:,} records read {how} {ways}, batches recorded and priced", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--cache", default=REPOSITORY / ".run/bench")
    arguments = parser.parse_args()
    install_packages()
    cluster = REPOSITORY / "Tests/dev/cluster"
    with tempfile.TemporaryDirectory(prefix="orbital-bench-") as folder:
        pathlib.Path(folder).chmod(0o755)
        postgres = f"{folder}/postgres"
        try:
            subprocess.run([cluster, "start", postgres, "fsync=off"], check=True)
            done = subprocess.run([cluster, "url", postgres], check=True, capture_output=True, text=True)
            url = done.stdout.strip()
            migrate(url)
            for kind in CONTESTANTS:
                if not arguments.names or kind.name in arguments.names:
                    contestant = kind()
                    contestant.build(arguments.cache)
                    check(contestant, url, f"{folder}/{kind.name}")
        finally:
            subprocess.run([cluster, "stop", postgres], check=True)


def migrate(url):
    subprocess.run(
        [REPOSITORY / ".build/release/orbitalctl", "migrate", "up"], env={**os.environ, "DATABASE_URL": url},
        check=True, cwd=REPOSITORY, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
