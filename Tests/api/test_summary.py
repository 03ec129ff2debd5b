"""Compares GET /usage/summary with sums computed here, in many zones, around their clock changes."""

import datetime
import json
import random
import urllib.parse
import zoneinfo

import pytest
from orbital import (
    EPOCH, UTC, Client, Record, credits_text, day_start, insert, instant_text, local_date, moment,
    psql, zone)

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
DAY = 86_400


def changes(tz, first_year, last_year):
    """The days in which the offset changes, found by looking at each midnight."""
    start = int(datetime.datetime(first_year, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime.datetime(last_year, 1, 1, tzinfo=UTC).timestamp())
    offset = lambda second: datetime.datetime.fromtimestamp(second, tz).utcoffset()
    return [day for day in range(start, end, DAY) if offset(day) != offset(day + DAY)]


def bucket_starts(low, high, granularity, tz):
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
    if granularity == "week":
        date -= datetime.timedelta(days=date.weekday())
    if granularity == "month":
        date = date.replace(day=1)
    starts = []
    while date <= last:
        starts.append(day_start(date, tz))
        if granularity == "month":
            date = (date.replace(day=28) + datetime.timedelta(days=4)).replace(day=1)
        else:
            date += datetime.timedelta(days=7 if granularity == "week" else 1)
    return starts


def shown(value, tz):
    """RFC 3339 with the zone's offset, cut to minutes."""
    instant = moment(value)
    offset = instant.astimezone(tz).utcoffset() // datetime.timedelta(minutes=1)
    local = instant.astimezone(datetime.timezone(datetime.timedelta(minutes=offset)))
    return local.isoformat(timespec="microseconds" if value % 1_000_000 else "seconds")


def sums(records):
    return (f'"messages":{len(records)},"reports":{sum(r.name is not None for r in records)},'
            f'"credits_used":{credits_text(sum(r.hundredths for r in records))}')


def expected(records, low, high, granularity, name, revision):
    """The whole answer for the range from `low` to `high`, in microseconds."""
    tz = zone(name)
    inside = [r for r in records if low <= r.microseconds < high]
    starts = sorted({low} | {
        s * 1_000_000 for s in bucket_starts(low // 1_000_000, high // 1_000_000, granularity, tz)
        if low < s * 1_000_000 < high})
    buckets = []
    for start, end in zip(starts, starts[1:] + [high]):
        if start < end:
            date = moment(start).astimezone(tz).date()
            own = [r for r in inside if start <= r.microseconds < end]
            buckets.append(
                f'{{"date":"{date}","start":"{shown(start, tz)}","end":"{shown(end, tz)}",{sums(own)}}}')
    groups = {}
    for record in inside:
        groups.setdefault(record.name, []).append(record)
    order = sorted(groups, key=lambda n: (n is None, -sum(r.hundredths for r in groups[n]), n or ""))
    reports = []
    for report in order:
        label = "" if report is None else f'"report_name":{json.dumps(report, ensure_ascii=False)},'
        credits = credits_text(sum(r.hundredths for r in groups[report]))
        reports.append(f'{{{label}"messages":{len(groups[report])},"credits_used":{credits}}}')
    return (f'{{"from":"{shown(low, tz)}","to":"{shown(high, tz)}","tz":"{name}",'
            f'"granularity":"{granularity}","revision":{revision},"totals":{{{sums(inside)}}},'
            f'"buckets":[{",".join(buckets)}],"by_report":[{",".join(reports)}]}}')


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


def check(client, records, parameters, low, high, granularity, name, kept):
    body, revision = ask(client, parameters)
    model = expected([r for r in records if kept(r)], low, high, granularity, name, revision)
    assert body == model, f"{parameters}\n{body}\n{model}"


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
            check(client, near, parameters, low, high, granularity, name, kept)
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
            if rng.random() < 0.5:
                parameters.append(("granularity", granularity))
            check(client, records, parameters, low, high, granularity, name, lambda r: True)


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

