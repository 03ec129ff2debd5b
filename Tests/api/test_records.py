"""Compares GET /usage with a model: random records, filters, fields, sorts, formats and page walks; its sums, too."""

import collections
import json
import random
import re
import urllib.parse

import pytest
from orbital import (
    FIELDS, SELECTABLE, STANDARD_FIELDS, Client, Record, csv_rows, csv_text, credits_text, day_start, insert, instant_text, moment,
    psql, zone)
import datetime

NAMES = [
    "a", "A", "a b", "é", "漢", "\uffff", "\U00010000", "=1+1", "-x", "+x", "@x", "\tx", "\rx",
    "a,b", 'a"b', "a\nb", "\\", "İ", "'", "a&b=c#d%e+f", "\x01\x1f\x7f", "x" * 500, "\U0001f600" * 500,
]
# Of users, teams, models and tags; None is "without".
VALUES = ["u-1", "u-17", "U-1", "é", "\U00010000", 'a"b\\', "a,b", "=1", "a&b=c+d:", "x" * 200, None, None]
KEYS = ["env", "feature", "a.b-c_D9"]
ZONES = ["UTC", "Europe/London", "America/Havana", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"]
COLUMNS = {
    "timestamp": lambda r: r.microseconds, "message_id": lambda r: r.message_id,
    "report_name": lambda r: r.name, "credits_used": lambda r: r.hundredths,
}
START = 1_729_800_000_000_000  # 2024-10-24T20:00:00Z
DAY = 86_400_000_000


def some_time(rng):
    return START + rng.choice([rng.randrange(10 * DAY), rng.randrange(20) * DAY // 2, rng.randrange(5)])


def some_attribution(rng):
    """One of few combinations in most cases, or any other."""
    if rng.random() < 0.7:
        return rng.choice([
            {}, {"user_id": "u-1", "model": "é"}, {"user_id": "u-1", "tags": {"env": "u-17"}}, {"team_id": "u-1"},
            {"user_id": "u-17", "team_id": "u-1", "model": "é", "tags": {"env": "u-17", "feature": "u-1"}}])
    tags = {key: rng.choice(VALUES) for key in rng.sample(KEYS, rng.randrange(4))}
    return {"user_id": rng.choice(VALUES), "team_id": rng.choice(VALUES), "model": rng.choice(VALUES),
            "tags": {key: value for key, value in tags.items() if value is not None} or None}


def some_more(rng, message_id):
    """What else a record may have; half of the records have nothing else."""
    if rng.random() < 0.5:
        return {}
    cached, created, plain = (rng.choice([0, rng.randrange(1000)]) for _ in range(3))
    tokens = {"input_tokens": cached + created + plain, "output_tokens": rng.choice([None, 0, 2**31 - 1]),
              "cache_read_input_tokens": cached or None, "cache_creation_input_tokens": created}
    return {"external_id": rng.choice([None, f"é{message_id}", f"=,{message_id}\"\\"]),
            "recorded_at": rng.choice([None, some_time(rng)]),
            **some_attribution(rng), **(tokens if rng.random() < 0.5 else {})}


def some_record(rng, message_id):
    if rng.random() < 0.1:
        # Whose original is absent.
        return Record(message_id, some_time(rng), rng.choice([None, *NAMES]), -rng.choice([1, 100, rng.randrange(1, 10**15)]),
                      corrects=-10**9 - message_id, reason=rng.choice(["wrong", "=1+1", "é,\"\\"]), **some_attribution(rng))
    return Record(
        message_id, some_time(rng), rng.choice([None, None, rng.choice(NAMES)]),
        rng.choice([100, 100, 170, 1560, rng.randrange(10_000), rng.randrange(10**15)]),
        **some_more(rng, message_id))


def some_bound(rng, tz):
    """A text for from or to, and the microseconds that it means."""
    if rng.random() < 0.5:
        date = moment(START + rng.randrange(-2, 13) * DAY).date()
        return date.isoformat(), day_start(date, zone(tz)) * 1_000_000
    value = some_time(rng)
    if rng.random() < 0.5:
        return instant_text(value), value
    offset = datetime.timezone(datetime.timedelta(minutes=rng.randrange(-840, 840, 15)))
    return moment(value).astimezone(offset).isoformat(), value


class Query:
    """Random parameters, and what they mean to the model; without `shape` they are filters alone."""

    def __init__(self, rng, shape=True, fields=True):
        self.parameters = []
        self.tests = []
        self.sort = []
        self.fields = STANDARD_FIELDS
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
        if rng.random() < 0.2:
            is_correction = rng.random() < 0.5
            self.add("is_correction", str(is_correction).lower(), lambda r: (r.hundredths < 0) == is_correction)
        self.add_attributions(rng, tz)
        least, most = sorted(rng.choice([-1, 0, 100, 170, 1560, rng.randrange(10_000)]) for _ in range(2))
        if rng.random() < 0.2:
            self.add("min_credits", self.decimal(rng, least), lambda r: r.hundredths >= least)
        if rng.random() < 0.2:
            self.add("max_credits", self.decimal(rng, most), lambda r: r.hundredths <= most)
        if shape and rng.random() < 0.7:
            columns = rng.sample(list(COLUMNS), rng.randrange(1, 5))
            self.sort = [(column, rng.random() < 0.5) for column in columns]
            terms = [column + (":desc" if down else rng.choice([":asc", ""])) for column, down in self.sort]
            self.parameters.append(("sort", ",".join(terms)))
        if shape and fields and rng.random() < 0.4:
            self.fields = rng.choice([FIELDS, rng.sample(SELECTABLE, rng.randrange(1, len(SELECTABLE)))])
            self.parameters.append(("fields", "all" if self.fields is FIELDS else ",".join(self.fields)))
        # The zone in which times are written.
        self.local = zone(tz) if shape and fields and rng.random() < 0.2 else None
        if self.local:
            self.parameters.append(("local_times", "true"))
        rng.shuffle(self.parameters)

    def add_attributions(self, rng, tz):
        """Filters by who and what a record belongs to, by its other id, and by when it was recorded."""
        for name in ("user_id", "team_id", "model"):
            if rng.random() < 0.15:
                values = rng.choices(VALUES, k=rng.choice([1, 1, 3]))
                self.parameters += [(name, value or "") for value in values]
                self.tests.append(lambda r, name=name, values=values: r.more.get(name) in values)
        for _ in range(rng.choice([0, 0, 0, 0, 1, 2])):
            key, value = rng.choice(KEYS), rng.choice(VALUES)
            self.add("tag", f"{key}:{value or ''}",
                     lambda r, key=key, value=value: (r.more.get("tags") or {}).get(key) == value)
        if rng.random() < 0.03:
            given = f"é{rng.randrange(-1000, 10**6)}"
            self.add("external_id", given, lambda r: r.more.get("external_id") == given)
        (first, low), (last, high) = sorted((some_bound(rng, tz) for _ in range(2)), key=lambda end: end[1])
        at = lambda r: r.more.get("recorded_at")
        if rng.random() < 0.1:
            self.add("recorded_from", first, lambda r: at(r) is not None and at(r) >= low)
        if rng.random() < 0.1:
            self.add("recorded_to", last, lambda r: at(r) is not None and at(r) < high)

    def add(self, name, value, test):
        self.parameters.append((name, value))
        self.tests.append(test)

    @staticmethod
    def decimal(rng, hundredths):
        text = credits_text(hundredths)
        return text.rstrip("0").rstrip(".") if rng.random() < 0.3 else text

    def target(self, extra=(), path="/usage"):
        return path + "?" + urllib.parse.urlencode(self.parameters + list(extra))

    def passes(self, record):
        return all(test(record) for test in self.tests)

    def result(self, records):
        """The model: stable sorts from the last term to the first, over ascending ids."""
        taken = collections.Counter()
        for record in filter(lambda r: r.more.get("corrects"), records):
            taken[record.more["corrects"]] += record.hundredths
        for record in records:
            record.corrected = credits_text(taken[record.message_id]) if record.message_id in taken else None
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


def localised(text, tz):
    """The same with all times in the zone."""
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", lambda found: datetime.datetime.fromisoformat(found[0]).astimezone(tz).isoformat(), text)


def render(records, form, query):
    text = render_in_utc(records, form, query.fields)
    return localised(text, query.local) if query.local else text


def render_in_utc(records, form, fields):
    if form == "csv":
        return csv_text(records, fields)
    if form == "ndjson":
        return "".join(record.members(fields) + "\n" for record in records)
    return '{"usage":[' + ",".join(record.members(fields) for record in records) + "]}"


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
    assert answer.body == render(found, form, query), (query.parameters, form, answer.body[:2000], found)
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
    assert "".join(sum(walked, [])) == render(query.result(records), "ndjson", query), query.parameters


def messages(amounts):
    """How many of these credits are not those of corrections."""
    return sum(amount >= 0 for amount in amounts)


def check_sums(client, rng, records):
    """The sums and the list of attributions of the same records agree with the list."""
    query = Query(rng, shape=False)
    found = [record for record in records if query.passes(record)]
    answer = client.get(query.target([("granularity", "total")], "/usage/summary"))
    assert answer.status == 200, answer.body
    sums = json.loads(answer.body, parse_float=str)
    reports = {}
    for record in found:
        reports.setdefault(record.name, []).append(record.hundredths)
    expected = {name: (messages(own), credits_text(sum(own))) for name, own in reports.items()}
    # Texts of numbers, which 2^53 cannot round.
    got = {r.get("report_name"): (r["messages"], r["credits_used"]) for r in sums["by_report"]}
    if '"buckets":[]' not in answer.body:
        assert got == expected, (query.parameters, answer.body[:2000])
        assert sums["totals"]["messages"] == messages(r.hundredths for r in found)
        assert sums["totals"]["credits_used"] == credits_text(sum(r.hundredths for r in found))
    check_attributions(client, rng, query, found)


def check_attributions(client, rng, query, found):
    part = rng.choice(["user_id", "team_id", "model", *(f"tag:{key}" for key in KEYS)])
    prefix, limit, form = rng.choice(["", "", "u-1", "é", "x", "a"]), rng.choice([1, 3, 1000, None]), rng.choice(["json", "csv", "ndjson"])
    groups = {}
    for record in found:
        is_tag, key = part.startswith("tag:"), part.removeprefix("tag:")
        value = (record.more.get("tags") or {}).get(key) if is_tag else record.more.get(part)
        if value is not None and value.startswith(prefix):
            groups.setdefault(value, []).append(record.hundredths)
    order = sorted(groups, key=lambda value: (-sum(groups[value]), value))
    shown = [(value, str(messages(groups[value])), credits_text(sum(groups[value]))) for value in order[:limit or 100]]
    extra = [("of", part), ("format", form)] + [("prefix", prefix)] * (prefix != "") + [("limit", limit)] * (limit is not None)
    answer = client.get(query.target(extra, "/usage/attributions"))
    assert answer.status == 200, answer.body
    values = [f'{{"value":{json.dumps(value, ensure_ascii=False)},"messages":{number},"credits_used":{credits}}}'
              for value, number, credits in shown]
    expected = {
        "csv": csv_rows([("value", "messages", "credits_used"), *shown]),
        "ndjson": "".join(value + "\n" for value in values),
        "json": f'{{"of":"{part}","values":[{",".join(values)}],"more":{str(len(order) > len(shown)).lower()}}}'}
    assert answer.body == expected[form], (query.parameters, extra, answer.body[:2000], expected[form][:2000])


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

@pytest.mark.parametrize(
    "count", [0, 1, 60, 400, *(pytest.param(count, marks=pytest.mark.full) for count in (200, 1500))])
def test_random_queries_are_answered_as_the_model_does_in_every_format(site, count):
    rng = random.Random(20261124 + count)
    client = Client(site.site)
    ids = rng.sample(range(-1000, 10**6), 10_000) + [2**63 - 1, -(2**63)]
    records = [some_record(rng, ids.pop()) for _ in range(count)]
    for record in records:
        if "corrects" in record.more and rng.random() < 0.7:
            record.more["corrects"] = rng.choice(records).message_id
    psql(site.url, insert(records))
    for _ in range(400):
        check_whole(client, rng, Query(rng), records)
    for _ in range(60):
        check_walk(client, rng, Query(rng), records)
    for _ in range(200):
        check_sums(client, rng, records)
    if count in (60, 200):
        for _ in range(8):
            check_walk_while_written(client, rng, Query(rng, fields=False), records, site.url, ids.pop)


# 3,000 attributions, most of them in `many`; `rare` is in the oldest records only, beyond what a walk reads.
MANY = """
    INSERT INTO usage_record (message_id, "timestamp", message_text, credit_hundredths, attribution_id)
    SELECT n, '2024-01-01Z'::timestamptz + n / 7 * interval '1 s', 'x', 100 + n % 977, usage_attribution(
        'u-' || n % 3000, NULL, NULL, jsonb_strip_nulls(jsonb_build_object(
            'env', CASE WHEN n % 10 > 0 THEN 'many' END, 'age', CASE WHEN n <= 2500 THEN 'rare' END)))
    FROM generate_series(1, 30000) AS n;
    INSERT INTO usage_record (message_id, "timestamp", message_text)
    SELECT n, '2024-01-02Z', 'x' FROM generate_series(30001, 30010) AS n;
    VACUUM (ANALYZE) usage_record;
"""


@pytest.mark.parametrize("sort", ["timestamp:desc", "timestamp:asc"])
@pytest.mark.parametrize("filters", [
    "tag=env:many", "tag=age:rare", "tag=env:many&tag=age:rare&min_credits=1.50", "user_id=u-3&user_id=u-33&user_id=u-1",
    "tag=env:many&from=2024-01-01T00:30:00Z&to=2024-01-01T00:50:00Z", "user_id=nobody", "user_id=&user_id=u-7"])
def test_pages_of_many_attributions_are_those_of_the_whole_list(site, filters, sort):
    psql(site.url, MANY)
    client = Client(site.site)
    target = f"/usage?{filters}&sort={sort}&fields=message_id,timestamp,user_id"
    whole = client.get(target + "&format=ndjson").body
    for limit in (7, 100, 1000):
        pages, cursor = [], ""
        while cursor is not None and len(pages) < 12:
            answer = client.get(f"{target}&limit={limit}{cursor}")
            assert answer.status == 200, answer.body
            body = json.loads(answer.body)
            pages.append([json.dumps(record, separators=(",", ":")) + "\n" for record in body["usage"]])
            cursor = f"&cursor={body['next_cursor']}" if "next_cursor" in body else None
        assert all(len(page) == limit for page in pages[:-1])
        walked = "".join(sum(pages, []))
        assert whole.startswith(walked) and (cursor or whole == walked), (limit, walked[:300], whole[:300])
