"""Compares GET /usage/summary with sums computed here, in many zones, around their clock changes, and by groups."""

import datetime
import json
import random
import subprocess
import urllib.parse
import zoneinfo

import pytest
from orbital import (
    EPOCH, UTC, Client, Record, credits_text, csv_rows, day_start, insert, instant_text, local_date, moment,
    psql, zone)
from service import BUILT

ZONES = """Africa/Cairo Africa/Casablanca Africa/Johannesburg Africa/Monrovia America/Asuncion
    America/Caracas America/Chicago America/Goose_Bay America/Havana America/Los_Angeles
    America/New_York America/Noronha America/Nuuk America/Sao_Paulo America/Santiago America/Scoresbysund
    America/St_Johns America/Toronto Antarctica/Casey Antarctica/Troll Asia/Amman Asia/Beirut
    Asia/Colombo Asia/Gaza Asia/Kathmandu Asia/Kolkata Asia/Manila Asia/Pyongyang Asia/Tehran
    Asia/Tokyo Atlantic/Azores Australia/Adelaide Australia/Eucla Australia/Lord_Howe
    Australia/Sydney EST5EDT Etc/GMT+12 Europe/Dublin Europe/Istanbul Europe/Lisbon Europe/London
    Europe/Moscow Europe/Paris Pacific/Apia Pacific/Auckland Pacific/Chatham Pacific/Easter
    Pacific/Fakaofo Pacific/Kiritimati Pacific/Kwajalein UTC""".split()
# Changes that random choice would rarely meet: (zone, year, month, day).
SPECIAL = [
    ("America/Toronto", 1919, 3, 31), ("Pacific/Apia", 2011, 12, 30), ("Pacific/Fakaofo", 2011, 12, 30),
    ("Pacific/Kwajalein", 1993, 8, 21), ("America/St_Johns", 2006, 10, 29), ("America/Havana", 2024, 11, 3),
    ("Atlantic/Azores", 2024, 10, 27), ("Australia/Lord_Howe", 2024, 4, 7), ("Australia/Lord_Howe", 2024, 10, 6),
    ("Antarctica/Troll", 2024, 3, 31), ("Africa/Monrovia", 1972, 1, 7), ("Asia/Manila", 1945, 11, 20),
    ("America/Goose_Bay", 2010, 11, 7), ("America/Sao_Paulo", 2018, 11, 4), ("Asia/Gaza", 2024, 4, 20),
]
GRANULARITIES = ["hour", "day", "week", "month", "total"]
TOKENS = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
COLUMNS = ["messages", "reports", "credits_used", *TOKENS, "corrections"]
DAY = 86_400


def changes(tz, first_year, last_year):
    """The days in which the offset changes, found by looking at each midnight."""
    start = int(datetime.datetime(first_year, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime.datetime(last_year, 1, 1, tzinfo=UTC).timestamp())
    offset = lambda second: datetime.datetime.fromtimestamp(second, tz).utcoffset()
    return [day for day in range(start, end, DAY) if offset(day) != offset(day + DAY)]


def bucket_starts(low, high, granularity, tz, month_start=1, week_start="monday"):
    """The seconds at which buckets start, by asking the clock minute by minute or day by day."""
    if granularity == "total":
        return []
    if granularity == "hour":
        starts = []
        def shown(second):
            local = datetime.datetime.fromtimestamp(second, tz)
            return local.date(), local.hour, local.utcoffset()
        minute = low - low % 60
        while minute < high:
            if shown(minute) != shown(minute + 60):
                second = minute + 1
                while shown(second) == shown(minute):
                    second += 1
                starts.append(second)
            minute += 60
        return starts
    date, last = local_date(low, tz), local_date(high, tz)
    starts_bucket = {
        "day": lambda date: True, "month": lambda date: date.day == month_start,
        "week": lambda date: date.weekday() == (0 if week_start == "monday" else 6)}[granularity]
    starts = []
    while date <= last:
        if starts_bucket(date):
            starts.append(day_start(date, tz))
        date += datetime.timedelta(days=1)
    return starts


def shown(value, tz):
    """RFC 3339 with the zone's offset, cut to minutes."""
    instant = moment(value)
    offset = instant.astimezone(tz).utcoffset() // datetime.timedelta(minutes=1)
    local = instant.astimezone(datetime.timezone(datetime.timedelta(minutes=offset)))
    return local.isoformat(timespec="microseconds" if value % 1_000_000 else "seconds")


def credits_of(records):
    return credits_text(sum(record.hundredths for record in records))


def columns(records):
    """The sums as CSV has them."""
    tokens = [str(sum(record.more.get(name, 0) for record in records)) for name in TOKENS]
    return [str(len(records)), str(sum(r.name is not None for r in records)), credits_of(records), *tokens, "0"]


def sums(records):
    return ",".join(f'"{name}":{value}' for name, value in zip(COLUMNS, columns(records))
                    if name in COLUMNS[:3] or value != "0")


def bucketed(records, low, high, granularity, tz, **starts):
    """The buckets from `low` to `high`, in microseconds: date, start, end and their records."""
    edges = sorted({low} | {
        s * 1_000_000 for s in bucket_starts(low // 1_000_000, high // 1_000_000, granularity, tz, **starts)
        if low < s * 1_000_000 < high})
    return [(moment(start).astimezone(tz).date(), shown(start, tz), shown(end, tz),
             [r for r in records if start <= r.microseconds < end])
            for start, end in zip(edges, edges[1:] + [high]) if start < end]


def opening(records, low, high, granularity, name, revision, **starts):
    """The answer for the range from `low` to `high`, up to the buckets."""
    tz = zone(name)
    inside = [r for r in records if low <= r.microseconds < high]
    buckets = [f'{{"date":"{date}","start":"{start}","end":"{end}",{sums(own)}}}'
               for date, start, end, own in bucketed(inside, low, high, granularity, tz, **starts)]
    return (f'{{"from":"{shown(low, tz)}","to":"{shown(high, tz)}","tz":"{name}",'
            f'"granularity":"{granularity}","revision":{revision},"totals":{{{sums(inside)}}},'
            f'"buckets":[{",".join(buckets)}]')


def expected(records, low, high, granularity, name, revision, more="", **starts):
    """The whole answer; `more` comes last."""
    inside = [r for r in records if low <= r.microseconds < high]
    groups = {}
    for record in inside:
        groups.setdefault(record.name, []).append(record)
    order = sorted(groups, key=lambda n: (n is None, -sum(r.hundredths for r in groups[n]), n or ""))
    reports = []
    for report in order:
        label = "" if report is None else f'"report_name":{json.dumps(report, ensure_ascii=False)},'
        reports.append(f'{{{label}"messages":{len(groups[report])},"credits_used":{credits_of(groups[report])}}}')
    return (opening(records, low, high, granularity, name, revision, **starts)
            + f',"by_report":[{",".join(reports)}]{more}}}')


def some_records(rng, around, ids):
    """Records around a change of the clocks, many of them exactly on full hours and half hours."""
    records = []
    for _ in range(25):
        second = around + rng.choice([
            rng.randrange(-3 * DAY, 4 * DAY), rng.randrange(-6, 60) * 1800, rng.randrange(-3 * 48, 4 * 48) * 1800])
        fraction = rng.choice([0, 0, 999_999, rng.randrange(1_000_000)])
        name = rng.choice([None, "Lease", "é", "b", 'say "x"'])
        records.append(Record(ids.pop(), second * 1_000_000 + fraction, name, rng.randrange(10_000)))
    return records


def some_end(rng, around, tz):
    if rng.random() < 0.6:
        date = local_date(around + rng.randrange(-3, 4) * DAY, tz)
        return date.isoformat(), day_start(date, tz) * 1_000_000
    value = (around + rng.randrange(-3 * DAY, 4 * DAY)) * 1_000_000 + rng.choice([0, 0, 1, 500_000])
    return instant_text(value), value


def ask(client, parameters):
    answer = client.get("/usage/summary?" + urllib.parse.urlencode(parameters))
    assert answer.status == 200, (parameters, answer.body)
    assert answer.getheader("Content-Type") == "application/json"
    return answer.body, answer.getheader("X-Usage-Revision")


def check(client, records, parameters, low, high, granularity, name, kept, more="", **starts):
    body, revision = ask(client, parameters + list(starts.items()))
    model = expected([r for r in records if kept(r)], low, high, granularity, name, revision, more, **starts)
    assert body == model, f"{parameters} {starts}\n{body}\n{model}"


def some_starts(rng, granularity):
    """Where months or weeks start; usually not said."""
    if granularity not in ("month", "week") or rng.random() < 0.5:
        return {}
    return {"month_start": rng.randrange(1, 29)} if granularity == "month" else {"week_start": rng.choice(["monday", "sunday"])}


def previous(records, first, low, last, high, tz):
    """The parameters and the end of the answer that compare with the period before; and its start."""
    if "T" in first + last:
        start = 2 * low - high
    else:
        # As many of the days that there are: a day that the zone skipped starts with the next one.
        count = len({day_start(date, tz) for date in dates(first, last)} - {high // 1_000_000})
        day = datetime.date.fromisoformat(first)
        starts = {low // 1_000_000}
        while len(starts) <= count:
            day -= datetime.timedelta(days=1)
            starts.add(day_start(day, tz))
        start = min(starts) * 1_000_000
    own = [r for r in records if start <= r.microseconds < low]
    return (f',"previous":{{"from":"{shown(start, tz)}","to":"{shown(low, tz)}","totals":{{{sums(own)}}}}}')


def dates(first, last):
    """The dates from `first` on, before `last`."""
    first, last = map(datetime.date.fromisoformat, (first, last))
    return [first + datetime.timedelta(days=n) for n in range((last - first).days)]


def some_filter(rng):
    """Parameters and the test that they stand for."""
    choice = rng.random()
    if choice < 0.7:
        return [], lambda r: True
    if choice < 0.8:
        return [("report_name", "é"), ("report_name", "b")], lambda r: r.name in ("é", "b")
    has = choice < 0.9
    return [("has_report", str(has).lower())], lambda r: (r.name is not None) == has


@pytest.mark.full
def test_sums_by_local_time_are_those_of_the_model_in_fifty_zones_around_their_clock_changes(site):
    rng = random.Random(20261124)
    client, url = Client(site.site), site.url
    ids = list(range(1, 100_000))
    days = {name: changes(zone(name), 1970, 2037) or [1_700_000_000 // DAY * DAY] for name in ZONES}
    cases = [(name, day) for name in ZONES for day in rng.choices(days[name], k=2)]
    cases += [(n, int(datetime.datetime(*date, tzinfo=UTC).timestamp())) for n, *date in SPECIAL]
    records = []
    for name, around in cases:
        records += some_records(rng, around, ids)
    psql(url, insert(records))
    for name, around in cases:
        near = [r for r in records if abs(r.microseconds // 1_000_000 - around) < 20 * DAY]
        for granularity in GRANULARITIES:
            (first, low), (last, high) = sorted(
                (some_end(rng, around, zone(name)) for _ in range(2)), key=lambda end: end[1])
            extra, kept = some_filter(rng)
            parameters = [("from", first), ("to", last), ("tz", name), *extra]
            if granularity != "day" or rng.random() < 0.5:
                parameters.append(("granularity", granularity))
            more = ""
            if rng.random() < 0.5:
                parameters.append(("compare", "previous"))
                more = previous([r for r in near if kept(r)], first, low, last, high, zone(name))
            starts = some_starts(rng, granularity)
            check(client, near, parameters, low, high, granularity, name, kept, more, **starts)
    check_long(client, rng, records)
    check_without_range(client, rng, url, ids)
    check_clocks_over_midnight(client, url, ids)
    check_all_zones(client, url)


def check_long(client, rng, records):
    """Years by week and month, decades in one sum; a query without a granularity gets the same."""
    for name in ZONES:
        tz = zone(name)
        start = datetime.date(rng.randrange(1971, 2026), rng.randrange(1, 13), rng.randrange(1, 29))
        for granularity, days in [("day", 365), ("week", 1800), ("month", 3600), ("total", 20_000)]:
            low = day_start(start, tz) * 1_000_000
            end = start + datetime.timedelta(days=days)
            high = day_start(end, tz) * 1_000_000
            parameters = [("from", start), ("to", end), ("tz", name)]
            starts = some_starts(rng, granularity)
            if starts or rng.random() < 0.5:
                parameters.append(("granularity", granularity))
            check(client, records, parameters, low, high, granularity, name, lambda r: True, **starts)


def check_all_zones(client, url):
    """Every zone that PostgreSQL knows, in winter and in summer; no abbreviation is taken for one."""
    names = psql(url, "SELECT name FROM pg_timezone_names WHERE name !~ '^(posix|right)/'").split()
    known = sorted(set(names) & zoneinfo.available_timezones() - {"Factory", "localtime"})
    for name in known:
        for date in ("2024-01-15", "2024-07-15"):
            body, revision = ask(client, [("from", date), ("to", date), ("tz", name), ("granularity", "total")])
            start = day_start(datetime.date.fromisoformat(date), zone(name)) * 1_000_000
            assert body == expected([], start, start, "total", name, revision), (name, body)
    assert len(known) > 500


def check_clocks_over_midnight(client, url, ids):
    """Where clocks go back over midnight, the old date is shown again after the new day has begun."""
    for name, hour, minute in [("America/St_Johns", 2, 31), ("America/Goose_Bay", 3, 1)]:
        change = int(datetime.datetime(2010, 11, 7, hour, minute, tzinfo=UTC).timestamp())
        records = [Record(ids.pop(), (change + second) * 1_000_000, "r", 100) for second in (30, 1200)]
        psql(url, "TRUNCATE usage_record;" + insert(records))
        high = day_start(datetime.date(2010, 11, 8), zone(name)) * 1_000_000
        for granularity in GRANULARITIES:
            first = (change + 10) * 1_000_000
            parameters = [("tz", name), ("granularity", granularity), ("from", instant_text(first))]
            check(client, records, parameters, first, high, granularity, name, lambda r: True)
            body, _ = ask(client, parameters[:2])
            assert '"messages":2,' in body, body
            for span in (600, 3000):
                last = first + span * 1_000_000
                check(client, records, parameters + [("to", instant_text(last))], first, last, granularity, name, lambda r: True)


def check_without_range(client, rng, url, ids):
    """The range is that of the local days of the records; without any there is none."""
    psql(url, "TRUNCATE usage_record")
    body, revision = ask(client, [])
    assert body == (
        f'{{"tz":"UTC","granularity":"day","revision":{revision},'
        '"totals":{"messages":0,"reports":0,"credits_used":0.00},"buckets":[],"by_report":[]}')
    records = some_records(rng, 1_730_000_000, ids)
    psql(url, insert(records))
    for name in ZONES:
        tz = zone(name)
        extra, kept = some_filter(rng)
        times = [r.microseconds for r in records if kept(r)]
        low = day_start(local_date(min(times) // 1_000_000, tz), tz) * 1_000_000
        next_day = local_date(max(times) // 1_000_000, tz) + datetime.timedelta(days=1)
        high = day_start(next_day, tz) * 1_000_000
        for granularity in GRANULARITIES:
            parameters = [("tz", name), ("granularity", granularity), *extra]
            check(client, records, parameters, low, high, granularity, name, kept)
            first = rng.randrange(low, high)
            check(
                client, records, parameters + [("from", instant_text(first))],
                first, max(high, first) if any(t >= first for t in times) else first,
                granularity, name, kept)



def value_of(record, part):
    if part == "report_name":
        return record.name
    return record.more.get("tags", {}).get(part[4:]) if part.startswith("tag:") else record.more.get(part)


def ranked(records, parts, top):
    """The groups that are shown, with their values; last the others, whose values are their number."""
    groups = {}
    for record in records:
        groups.setdefault(tuple(value_of(record, part) for part in parts), []).append(record)
    order = sorted(groups, key=lambda values: (
        -sum(r.hundredths for r in groups[values]), [(v is None, v or "") for v in values]))
    shown = [(values, groups[values]) for values in order[:top]]
    left = [record for values in order[top:] for record in groups[values]]
    return shown + ([(len(order) - top, left)] if left else [])


def grouped(records, parts, top, low, high, granularity, name, revision):
    """The whole answer by groups, in JSON and in CSV."""
    tz = zone(name)
    inside = [r for r in records if low <= r.microseconds < high]
    elements = []
    rows = [["date", "start", "end", *parts, "other", *COLUMNS]]
    for values, own in ranked(inside, parts, top):
        buckets = bucketed(own, low, high, granularity, tz)
        series = ",".join(credits_of(bucket) for *_, bucket in buckets)
        if isinstance(values, int):
            label, cells = f'"other":true,"groups":{values},', [""] * len(parts) + ["true"]
        else:
            label = "".join(f'"{part}":{json.dumps(value, ensure_ascii=False)},'
                            for part, value in zip(parts, values) if value is not None)
            cells = [value or "" for value in values] + [""]
        elements.append(f'{{{label}{sums(own)},"series":[{series}]}}')
        rows += [[str(date), start, end, *cells, *columns(bucket)] for date, start, end, bucket in buckets]
    names = ",".join(f'"{part}"' for part in parts)
    text = (opening(records, low, high, granularity, name, revision)
            + f',"group_by":[{names}],"groups":[{",".join(elements)}]}}')
    return text, csv_rows(rows)


def attributed_records(rng, count):
    """Records of a few days with many values, of which several have equal credits, and some only look alike."""
    users = [None, "u-1", "U-1", "caf\u00e9", "cafe\u0301", "=SUM(A1)", 'say "x", y', "\U0001f600", "\uffee"]
    records = []
    for number in range(count):
        more = {"user_id": rng.choice(users), "team_id": rng.choice([None, "legal", "-1"]),
                "model": rng.choice([None, "gpt-5", "o3"])}
        if rng.random() < 0.7:
            more["tags"] = rng.choice([{"env": "prod"}, {"env": "test", "a.b": "x"}, {"a.b": "@y"}])
        if rng.random() < 0.5:
            more["input_tokens"] = rng.choice([0, 7, 2**31 - 1])
            more["output_tokens"] = rng.choice([0, 1, 2**31 - 1])
            for name in TOKENS[2:]:
                if rng.random() < 0.5:
                    more[name] = more["input_tokens"] // rng.choice([2, 3])
        records.append(Record(
            number + 1, (1_711_670_400 + rng.randrange(5 * DAY)) * 1_000_000 + rng.randrange(1_000_000),
            rng.choice([None, None, "é", "Lease", "+1"]), rng.choice([100, 100, 100, 250]),
            **{name: value for name, value in more.items() if value is not None}))
    return records


GROUPINGS = [
    ["user_id"], ["team_id"], ["model"], ["report_name"], ["tag:env"], ["tag:a.b"], ["tag:none"],
    ["user_id", "model"], ["model", "user_id"], ["report_name", "user_id"], ["tag:env", "tag:a.b"],
    ["team_id", "report_name"], ["user_id", "tag:env"]]


def test_groups_are_those_of_the_model_in_json_and_csv(site):
    rng = random.Random(20261129)
    client = Client(site.site)
    records = attributed_records(rng, 300)
    psql(site.url, insert(records))
    for parts in GROUPINGS:
        for name, first, last in [("UTC", "2024-03-30", "2024-04-02"), ("Europe/London", "2024-03-31", "2024-04-01"),
                                  ("Asia/Kathmandu", "2024-03-29T07:20:00.5Z", "2024-04-01")]:
            low = 1_711_696_800_500_000 if "T" in first else day_start(datetime.date.fromisoformat(first), zone(name)) * 1_000_000
            high = day_start(datetime.date.fromisoformat(last), zone(name)) * 1_000_000
            granularity, top = rng.choice(["hour", "day", "total"]), rng.choice([1, 2, 3, 10, 1000])
            parameters = [("from", first), ("to", last), ("tz", name), ("granularity", granularity),
                          ("group_by", ",".join(parts))]
            if top != 10:
                parameters.append(("top", top))
            model = parameters[3][1], parts, top
            text, revision = ask(client, parameters)
            expected_text, expected_csv = grouped(records, parts, top, low, high, granularity, name, revision)
            assert text == expected_text, (model, text, expected_text)
            answer = client.get("/usage/summary?" + urllib.parse.urlencode(parameters), Accept="text/csv")
            assert answer.getheader("Content-Type") == "text/csv; charset=utf-8"
            assert answer.body == expected_csv, (model, answer.body, expected_csv)


def test_groups_of_nothing_are_empty(site):
    client = Client(site.site)
    for period in ([], [("from", "2024-01-01"), ("to", "2024-01-01")]):
        body, revision = ask(client, [("group_by", "user_id,tag:env")] + period)
        assert body.endswith('"buckets":[],"group_by":["user_id","tag:env"],"groups":[]}'), body
        answer = client.get("/usage/summary?format=csv&bom=true&group_by=tag:env&" + urllib.parse.urlencode(period))
        header = ",".join(["date", "start", "end", "tag:env", "other", *COLUMNS])
        assert answer.body == f"\ufeff{header}\r\n", answer.body


def test_an_open_range_is_that_of_the_records_and_has_rows_without_groups(site):
    client = Client(site.site)
    psql(site.url, insert([Record(1, 1_711_756_800_000_000, "Lease", 150, input_tokens=7)]))
    answer = client.get("/usage/summary?format=csv&tz=Europe/London")
    assert answer.body == csv_rows([
        ["date", "start", "end", *COLUMNS],
        ["2024-03-30", "2024-03-30T00:00:00+00:00", "2024-03-31T00:00:00+00:00", "1", "1", "1.50", "7", "0", "0", "0", "0"]])


def test_a_period_is_compared_with_the_one_before(site):
    client = Client(site.site)
    starts = [1_324_857_600, 1_711_670_400, 1_729_728_000]
    records = [Record(1000 * k + n, (start + n * 3 * 3600) * 1_000_000, None, n)
               for k, start in enumerate(starts) for n in range(1, 60)]
    psql(site.url, insert(records))
    # Apia skipped 2011-12-30; in London, days have 23 and 25 hours on 2024-03-31 and 2024-10-27.
    skipped = [("2011-12-31", "2012-01-02"), ("2012-01-01", "2012-01-03"), ("2011-12-29", "2012-01-01"),
               ("2011-12-30", "2011-12-31"), ("2012-01-01", "2012-01-01"), ("2012-01-01T00:00:00Z", "2012-01-01T07:00:00.5Z"),
               ("2012-01-01", "2012-01-02T00:30:00Z"), ("2012-01-01", "2012-02-01")]
    changed = [("2024-03-31", "2024-04-01"), ("2024-04-01", "2024-04-02"), ("2024-03-31", "2024-04-01T00:00:00Z"),
               ("2024-10-28", "2024-10-29"), ("2024-10-27", "2024-10-29")]
    for name in ("UTC", "Pacific/Apia", "Europe/London"):
        tz = zone(name)
        for first, last in skipped + changed:
            low, high = (moment_of(end, tz) for end in (first, last))
            parameters = [("from", first), ("to", last), ("tz", name), ("granularity", "total"), ("compare", "previous")]
            more = previous(records, first, low, last, high, tz)
            check(client, records, parameters, low, high, "total", name, lambda r: True, more)


def moment_of(bound, tz):
    """The microseconds of a bound."""
    if "T" in bound:
        return (datetime.datetime.fromisoformat(bound) - EPOCH) // datetime.timedelta(microseconds=1)
    return day_start(datetime.date.fromisoformat(bound), tz) * 1_000_000


def test_months_and_weeks_start_where_the_query_says(site):
    client = Client(site.site)
    records = [Record(n, (1_703_980_800 + n * 11 * 3600) * 1_000_000, None, n) for n in range(1, 200)]
    psql(site.url, insert(records))
    low, high = (moment_of(day, zone("Europe/London")) for day in ("2024-01-10", "2024-04-02"))
    for granularity, starts in [("month", {"month_start": 15}), ("month", {"month_start": 28}), ("month", {"month_start": 1}),
                                ("week", {"week_start": "sunday"}), ("week", {"week_start": "monday"})]:
        parameters = [("from", "2024-01-10"), ("to", "2024-04-02"), ("tz", "Europe/London"), ("granularity", granularity)]
        check(client, records, parameters, low, high, granularity, "Europe/London", lambda r: True, **starts)
    # A month more than the limit, which depends on the day on which months start.
    faults = json.loads(client.get("/usage/summary?from=2014-01-14&to=2024-01-02&granularity=month&month_start=15").body)["errors"]
    assert [fault["message"] for fault in faults] == [
        "granularity=month gives 121 buckets, more than 120; use granularity=total."]
    assert client.get("/usage/summary?from=2014-01-15&to=2024-01-15&granularity=month&month_start=15").status == 200


def test_equal_queries_share_a_cached_response_and_an_etag_and_others_do_not(site):
    client = Client(site.site)
    psql(site.url, insert([Record(1, 1_711_756_800_000_000, "Lease", 150, user_id="u-1")]))
    standard = "from=2024-03-01&to=2024-04-01&granularity=month"

    def tag(query, **fields):
        answer = client.get(f"/usage/summary?{query}", **fields)
        assert answer.status == 200, (query, answer.body)
        return answer.getheader("ETag")

    for query, same in [
            (standard, f"{standard}&month_start=1&format=json&bom=false"), (standard, f"tz=UTC&{standard}&month_start=01"),
            (f"{standard}&group_by=user_id", f"group_by=user_id&top=10&{standard}")]:
        assert tag(query) == tag(same), (query, same)
    groups = f"{standard}&group_by=user_id,model"
    others = [standard, f"{standard}&month_start=2", f"{standard}&compare=previous", f"{standard}&format=csv",
              f"{standard}&format=csv&bom=true", f"{standard}&group_by=user_id", f"{standard}&group_by=user_id&top=11",
              groups, f"{standard}&group_by=model,user_id", f"{standard}&group_by=tag:a", f"{standard}&group_by=tag:A",
              standard.replace("month", "week"), standard.replace("month", "week") + "&week_start=sunday",
              standard.replace("2024-03-01", "2024-03-01T00:00:00Z") + "&compare=previous"]
    tags = [tag(query) for query in others]
    assert len(set(tags)) == len(others), tags
    assert tag(standard, Accept="text/csv") == tag(f"{standard}&format=csv")
    for query, own in zip(others, tags):
        first = client.get(f"/usage/summary?{query}", If_None_Match=own)
        head = client.get(f"/usage/summary?{query}", "HEAD")
        assert (first.status, first.body, head.status, head.body) == (304, "", 200, ""), query
        assert (head.getheader("ETag"), head.getheader("X-Reporting-Zones")) == (own, "UTC"), query


def test_a_bound_key_groups_only_its_records(site):
    client = Client(site.site)
    psql(site.url, insert([
        Record(1, 1_711_670_400_000_000, None, 100, user_id="u-1", team_id="legal"),
        Record(2, 1_711_756_800_000_000, None, 250, user_id="u-2", team_id="legal"),
        Record(3, 1_711_756_800_000_000, None, 400, user_id="u-3", team_id="sales")]))
    key = site.key("usage:read", bounds=("--team", "legal"))
    query = "/usage/summary?from=2024-03-30&to=2024-03-31&group_by=user_id&top=1&compare=previous&user_id=u-1&user_id=u-2&user_id=u-3"
    body = client.get(query, Authorization=f"Bearer {key}").body
    assert body.endswith(
        '"group_by":["user_id"],"groups":[{"user_id":"u-2","messages":1,"reports":0,"credits_used":2.50,"series":[2.50]}],'
        '"previous":{"from":"2024-03-29T00:00:00+00:00","to":"2024-03-30T00:00:00+00:00",'
        '"totals":{"messages":1,"reports":0,"credits_used":1.00}}}'), body
    assert '"groups":[{"user_id":"u-3",' in client.get(query).body


def test_a_user_is_compared_with_a_closed_month_and_the_first_day_stays(start_site, tmp_path):
    site = start_site()
    client = Client(site.site)
    psql(site.url, insert([
        # Its day in UTC begins on the day before in New York.
        Record(1, 1_707_991_200_000_000, "Report", 100, user_id="u-1"),
        Record(2, 1_708_000_000_000_000, "Report", 150, user_id="u-2"),
        Record(3, 1_710_000_000_000_000, "Report", 400, user_id="u-1")]))
    tool = [BUILT / "orbitalctl"]
    subprocess.run([*tool, "rollup", "zones", "add", "America/New_York"], env=site.environment, check=True)
    first = "/usage/summary?tz=America/New_York&group_by=user_id&user_id=u-1"
    compared = "/usage/summary?from=2024-03-01&to=2024-03-29&user_id=u-1&group_by=user_id&compare=previous"
    until = f"{first}&to=2024-02-16"
    before = [json.loads(client.get(path).body) for path in (first, compared, until)]
    assert before[0]["from"] == "2024-02-15T00:00:00-05:00"
    assert before[1]["previous"]["totals"] == {"messages": 1, "reports": 1, "credits_used": 1.00}
    subprocess.run([*tool, "close", "--before", "2024-03-01", "--archive", tmp_path],
                   env=site.environment, check=True)
    after = [json.loads(client.get(path).body) for path in (first, compared, until)]
    for response in before + after:
        response.pop("revision", None)
    assert after == before
    assert after[2]["totals"]["messages"] == 1
    # Inside a closed day, there is no sum by user, and not a sum of 0.
    assert client.get("/usage/summary?to=2024-02-15T11:00:00Z&group_by=user_id&user_id=u-1").status == 422
