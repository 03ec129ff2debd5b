"""Compares GET /usage with a model: random records, filters, sorts, formats and page walks."""

import json
import random
import urllib.parse

import pytest
from orbital import (
    Client, Record, csv_text, credits_text, day_start, insert, instant_text, moment, psql, zone)
import datetime

NAMES = [
    "a", "A", "a b", "é", "漢", "\uffff", "\U00010000", "=1+1", "-x", "+x", "@x", "\tx", "\rx",
    "a,b", 'a"b', "a\nb", "\\", "İ", "'", "a&b=c#d%e+f", "\x01\x1f\x7f", "x" * 500, "\U0001f600" * 500,
]
ZONES = ["UTC", "Europe/London", "America/Havana", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"]
COLUMNS = {
    "timestamp": lambda r: r.microseconds, "message_id": lambda r: r.message_id,
    "report_name": lambda r: r.name, "credits_used": lambda r: r.hundredths,
}
START = 1_729_800_000_000_000  # 2024-10-24T20:00:00Z
DAY = 86_400_000_000


def some_record(rng, message_id):
    return Record(
        message_id,
        START + rng.choice([rng.randrange(10 * DAY), rng.randrange(20) * DAY // 2, rng.randrange(5)]),
        rng.choice([None, None, rng.choice(NAMES)]),
        rng.choice([100, 100, 170, 1560, rng.randrange(10_000), rng.randrange(10**15)]))


def some_bound(rng, tz):
    """A text for from or to, and the microseconds that it means."""
    if rng.random() < 0.5:
        date = moment(START + rng.randrange(-2, 13) * DAY).date()
        return date.isoformat(), day_start(date, zone(tz)) * 1_000_000
    value = START + rng.choice([rng.randrange(10 * DAY), rng.randrange(20) * DAY // 2, rng.randrange(5)])
    if rng.random() < 0.5:
        return instant_text(value), value
    offset = datetime.timezone(datetime.timedelta(minutes=rng.randrange(-840, 840, 15)))
    return moment(value).astimezone(offset).isoformat(), value


class Query:
    """Random parameters, and what they mean to the model."""

    def __init__(self, rng):
        self.parameters = []
        self.tests = []
        self.sort = []
        tz = rng.choice(ZONES)
        if rng.random() < 0.6:
            self.parameters.append(("tz", tz))
        else:
            tz = "UTC"
        ends = sorted((some_bound(rng, tz) for _ in range(2)), key=lambda end: end[1])
        (first, low), (last, high) = ends
        if rng.random() < 0.4:
            self.add("from", first, lambda r: r.microseconds >= low)
        if rng.random() < 0.4:
            self.add("to", last, lambda r: r.microseconds < high)
        if rng.random() < 0.3:
            names = rng.choices(NAMES + ["nobody"], k=rng.randrange(1, 5))
            self.parameters += [("report_name", name) for name in names]
            self.tests.append(lambda r: r.name in names)
        if rng.random() < 0.3:
            has = rng.random() < 0.5
            self.add("has_report", str(has).lower(), lambda r: (r.name is not None) == has)
        least, most = sorted(rng.choice([0, 100, 170, 1560, rng.randrange(10_000)]) for _ in range(2))
        if rng.random() < 0.2:
            self.add("min_credits", self.decimal(rng, least), lambda r: r.hundredths >= least)
        if rng.random() < 0.2:
            self.add("max_credits", self.decimal(rng, most), lambda r: r.hundredths <= most)
        if rng.random() < 0.7:
            columns = rng.sample(list(COLUMNS), rng.randrange(1, 5))
            self.sort = [(column, rng.random() < 0.5) for column in columns]
            terms = [column + (":desc" if down else rng.choice([":asc", ""])) for column, down in self.sort]
            self.parameters.append(("sort", ",".join(terms)))
        rng.shuffle(self.parameters)

    def add(self, name, value, test):
        self.parameters.append((name, value))
        self.tests.append(test)

    @staticmethod
    def decimal(rng, hundredths):
        text = credits_text(hundredths)
        return text.rstrip("0").rstrip(".") if rng.random() < 0.3 else text

    def target(self, extra=()):
        return "/usage?" + urllib.parse.urlencode(self.parameters + list(extra))

    def passes(self, record):
        return all(test(record) for test in self.tests)

    def result(self, records):
        """The model: stable sorts from the last term to the first, over ascending ids."""
        found = sorted(filter(self.passes, records), key=lambda r: r.message_id)
        for column, down in reversed(self.sort or [("timestamp", False)]):
            key = COLUMNS[column]
            named = sorted((r for r in found if key(r) is not None), key=key)
            if down:
                # Not reverse=True: the order of equals must stay.
                groups = {}
                for record in named:
                    groups.setdefault(key(record), []).append(record)
                named = [record for value in sorted(groups, reverse=True) for record in groups[value]]
            found = named + [r for r in found if key(r) is None]
        return found


def render(records, form, cursor=None):
    if form == "csv":
        return csv_text(records)
    if form == "ndjson":
        return "".join(record.json + "\n" for record in records)
    end = "" if cursor is None else f',"next_cursor":"{cursor}"'
    return '{"usage":[' + ",".join(record.json for record in records) + "]" + end + "}"


def check_whole(client, rng, query, records):
    """One answer with all records, in any format, asked for in either way."""
    form = rng.choice(["json", "csv", "ndjson"])
    types = {"json": "application/json", "csv": "text/csv", "ndjson": "application/x-ndjson"}
    totals = rng.random() < 0.3
    extra = [("totals", "true")] if totals else []
    if rng.random() < 0.5:
        answer = client.get(query.target(extra + [("format", form)]), Accept="image/png")
    else:
        answer = client.get(query.target(extra), Accept=f"image/png, {types[form]};q=0.5, */*;q=0.1")
    found = query.result(records)
    assert answer.status == 200, answer.body
    assert answer.getheader("Content-Type").split(";")[0] == types[form]
    assert answer.body == render(found, form), (query.parameters, form, answer.body[:2000], found)
    if totals:
        assert answer.getheader("X-Total-Count") == str(len(found))
        assert answer.getheader("X-Total-Credits") == credits_text(sum(r.hundredths for r in found))


def pages(client, rng, query, between):
    """Walks from page to page, by next_cursor and by Link in turn; yields each page's lines."""
    target = query.target([("limit", rng.choice([1, 2, 7, 50, 1000]))])
    while target:
        answer = client.get(target, Accept="application/x-ndjson")
        assert answer.status == 200, answer.body
        whole = client.get(target)
        body = json.loads(whole.body)
        lines = answer.body.splitlines(keepends=True)
        assert whole.body == render_lines(lines, body.get("next_cursor"))
        yield lines
        link = answer.getheader("Link")
        assert (link is None) == ("next_cursor" not in body)
        if link is None:
            return
        target, rel = link[1:].split(">", 1)
        assert rel == '; rel="next"' and f"cursor={body['next_cursor']}" in target
        if rng.random() < 0.5:
            cursor = body["next_cursor"]
            target = query.target([("limit", rng.choice([1, 3, 20, 1000])), ("cursor", cursor)])
        between()


def render_lines(lines, cursor):
    end = "" if cursor is None else f',"next_cursor":"{cursor}"'
    return '{"usage":[' + ",".join(line[:-1] for line in lines) + "]" + end + "}"


def check_walk(client, rng, query, records):
    walked = list(pages(client, rng, query, lambda: None))
    assert "".join(sum(walked, [])) == render(query.result(records), "ndjson"), query.parameters


def check_walk_while_written(client, rng, query, records, url, next_id):
    """Records that come or go meanwhile may be met or missed; all others are met once, in order."""
    before = list(records)

    def write():
        added = some_record(rng, next_id())
        gone = records.pop(rng.randrange(len(records)))
        records.append(added)
        psql(url, insert([added]) + f"DELETE FROM usage_record WHERE message_id = {gone.message_id};")

    walked = sum(pages(client, rng, query, write), [])
    stayed = [r for r in query.result(before) if r in records]
    kept = {r.json + "\n" for r in stayed}
    assert [line for line in walked if line in kept] == [r.json + "\n" for r in stayed], query.parameters
    assert len(set(walked)) == len(walked)
    everything = query.result({r.message_id: r for r in before + records}.values())
    order = {r.json + "\n": index for index, r in enumerate(everything)}
    assert [order[line] for line in walked] == sorted(order[line] for line in walked)

@pytest.mark.parametrize("count", [0, 1, 60, 200, 400, 1500])
def test_random_queries_are_answered_as_the_model_does_in_every_format(site, count):
    rng = random.Random(20261124 + count)
    client = Client(site.site)
    ids = rng.sample(range(-1000, 10**6), 10_000) + [2**63 - 1, -(2**63)]
    records = [some_record(rng, ids.pop()) for _ in range(count)]
    psql(site.url, insert(records))
    for _ in range(400):
        check_whole(client, rng, Query(rng), records)
    for _ in range(40):
        check_walk(client, rng, Query(rng), records)
    if count in (60, 200):
        for _ in range(8):
            check_walk_while_written(client, rng, Query(rng), records, site.url, ids.pop)
