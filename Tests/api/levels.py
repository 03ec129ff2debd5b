"""Compares levels plus deltas with the records of the same snapshot, by sums and local times of our own."""

import collections
import datetime
import functools
import json

from orbital import local_date, psql, zone
from sums import start_of

QUARTER, DAY = 900_000_000, datetime.timedelta(days=1)
START = 946_684_800_000_000  # 2000-01-01; older records are in no level
SUMS = ("messages", "reports", "corrections", "credit_hundredths", "input_tokens", "output_tokens",
        "cache_read_input_tokens", "cache_creation_input_tokens")
SNAPSHOT = f"""
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    LOCK TABLE usage_record IN ACCESS SHARE MODE;
    SELECT json_build_array('record', (extract(epoch FROM "timestamp") * 1000000)::bigint, report_name, attribution_id,
        (corrects IS NULL)::integer, (corrects IS NOT NULL)::integer, credit_hundredths, {", ".join(f"coalesce({kind}, 0)" for kind in SUMS[4:])}) FROM usage_record;
    SELECT json_build_array('delta', (extract(epoch FROM quarter) * 1000000)::bigint, report_name, attribution_id, messages,
        corrections, credit_hundredths, {", ".join(SUMS[4:])}) FROM usage_delta;
    SELECT json_build_array('attribution', attribution_id, user_id, team_id, model, tags) FROM usage_attribution;
    SELECT json_build_array('built', is_built) FROM usage_rollup_state;
    SELECT json_build_array('zone', zone_id, name) FROM usage_zone WHERE is_built;
    SELECT json_build_array('bucket', bucket_id, zone_id, unit, (extract(epoch FROM starts_at) * 1000000)::bigint,
        (extract(epoch FROM ends_at) * 1000000)::bigint) FROM usage_bucket;
    SELECT json_build_array('value', value_id, part, "value") FROM usage_value;
    SELECT json_build_array('quarter', (extract(epoch FROM quarter) * 1000000)::bigint, {", ".join(SUMS)})
        FROM usage_quarter_sums;
    SELECT json_build_array('by attribution', bucket_id, attribution_id, {", ".join(SUMS)}) FROM usage_attribution_sums;
    SELECT json_build_array('by value', bucket_id, value_id, {", ".join(SUMS)}) FROM usage_value_sums;
    COMMIT;"""


def values_of(report_name, attribution):
    """The (part, value) pairs of a record."""
    yield "all", "records"
    user, team, model, tags = attribution or ("", "", "", {})
    pairs = {"report_name": report_name, "user_id": user, "team_id": team, "model": model}
    pairs |= {f"tag:{key}": value for key, value in tags.items()}
    yield from ((part, value) for part, value in pairs.items() if value)


@functools.lru_cache(maxsize=100_000)
def bucket_of(quarter, name, unit):
    """The local day, month or year that a quarter of an hour belongs to, from its start to its end."""
    date = local_date(quarter // 1_000_000, zone(name))
    while start_of(date + DAY, name) <= quarter:  # clocks went back over midnight
        date += DAY
    if unit == "day":
        first, after = date, date + DAY
    elif unit == "month":
        first = date.replace(day=1)
        after = (first + 31 * DAY).replace(day=1)
    else:
        first = date.replace(month=1, day=1)
        after = first.replace(year=first.year + 1)
    return start_of(first, name), start_of(after, name)


def add(sums, key, row):
    sums[key] = tuple(a + b for a, b in zip(sums[key], row)) if key in sums else row


def differences(url):
    """What is wrong with the levels, and how many of their rows are zero."""
    rows = collections.defaultdict(list)
    for kind, *row in map(json.loads, psql(url, SNAPSHOT).splitlines()):
        rows[kind].append(row)
    if rows["built"] != [[True]]:
        return ["the levels are not built"], 0
    attributions = {number: parts for number, *parts in rows["attribution"]}
    zones, buckets = dict(rows["zone"]), {number: bucket for number, *bucket in rows["bucket"]}
    values = {number: (part, value) for number, part, value in rows["value"]}
    expected, found, zeros = {}, {}, 0
    for sign, kind in ((1, "record"), (-1, "delta")):
        for at, name, number, messages, *counts in rows[kind]:
            if at >= START:
                row = tuple(sign * count for count in (messages, messages if name is not None else 0, *counts))
                quarter = at - at % QUARTER
                add(expected, quarter, row)
                for zone_name in zones.values():
                    for unit in ("day", "month", "year"):
                        bucket = (zone_name, unit, *bucket_of(quarter, zone_name, unit))
                        add(expected, (bucket, number or 0), row)
                        for value in values_of(name, attributions.get(number)) if unit != "year" else ():
                            add(expected, (bucket, value), row)
    for quarter, *row in rows["quarter"]:
        add(found, quarter, tuple(row))
    for kind, names in (("by attribution", None), ("by value", values)):
        for bucket, number, *row in rows[kind]:
            zone_id, *times = buckets[bucket]
            if zone_id in zones:
                add(found, ((zones[zone_id], *times), names[number] if names else number), tuple(row))
    zeros = sum(not any(row) for row in found.values())
    found = {key: row for key, row in found.items() if any(row)}
    expected = {key: row for key, row in expected.items() if any(row)}
    return [f"{key}: levels have {found.get(key)}, records minus deltas are {expected.get(key)}"
            for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)], zeros
