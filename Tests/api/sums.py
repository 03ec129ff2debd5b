"""A model of sums: what /usage/summary, /usage/attributions and totals=true must respond, computed from a list of
records. It has no SQL and no code of ours; local time is zoneinfo's, and sums are integers."""

import bisect
import datetime
import functools
import json

from orbital import credits_text, csv_rows, day_start, instant_text, local_date, moment, zone

LIMITS = {"hour": 744, "day": 366, "week": 260, "month": 120, "total": 1}
TOKENS = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
DAY = datetime.timedelta(days=1)
QUARTER = 900


def quoted(value):
    return json.dumps(value, ensure_ascii=False)


def value_of(record, part):
    """The record's value of a part that records are grouped or filtered by; None if it has none."""
    if part == "report_name":
        return record.name
    if part.startswith("tag:"):
        return (record.more.get("tags") or {}).get(part[4:])
    return record.more.get(part)


@functools.lru_cache(maxsize=None)
def start_of(date, name):
    """The microsecond at which the local day begins: the first of two midnights, the end of a gap."""
    tz = zone(name)
    second = int(datetime.datetime(date.year, date.month, date.day, tzinfo=tz).timestamp())
    if not (local_date(second, tz) == date and local_date(second - 1, tz) < date):
        second = day_start(date, tz)
    return second * 1_000_000


@functools.lru_cache(maxsize=2000)
def shown(value, name):
    """RFC 3339 with the zone's offset, cut to minutes."""
    instant = moment(value)
    offset = instant.astimezone(zone(name)).utcoffset() // datetime.timedelta(minutes=1)
    local = instant.astimezone(datetime.timezone(datetime.timedelta(minutes=offset)))
    return local.isoformat(timespec="microseconds" if value % 1_000_000 else "seconds")


def hour_starts(low, high, name):
    """The seconds at which a clock shows another hour or another offset, found by looking."""
    tz = zone(name)

    def clock(second):
        local = datetime.datetime.fromtimestamp(second, tz)
        return local.date(), local.hour, local.utcoffset()
    starts, at = [], low - low % QUARTER
    while at < high:
        if clock(at) != clock(at + QUARTER):
            first, last = at, at + QUARTER
            while last - first > 1:
                middle = (first + last) // 2
                first, last = (middle, last) if clock(middle) == clock(at) else (first, middle)
            starts.append(last)
        at += QUARTER
    return starts


def next_month(date, step=1):
    months = date.year * 12 + date.month - 1 + step
    return date.replace(year=months // 12, month=months % 12 + 1)


def bucket_starts(low, high, granularity, name, month_start=1, week_start="monday"):
    """The starts of the buckets from `low` to `high`, of which the first is cut off at `low`."""
    if low >= high:
        return []
    tz, inside = zone(name), [low]
    dates = [local_date(instant // 1_000_000, tz) for instant in (low, high)]
    date, last = min(dates), max(dates) + DAY
    if granularity == "hour":
        starts = [second * 1_000_000 for second in hour_starts(low // 1_000_000, high // 1_000_000 + 1, name)]
    elif granularity == "total":
        starts = []
    else:
        if granularity == "week":
            date -= DAY * ((date.weekday() + (week_start == "sunday")) % 7)
        if granularity == "month":
            date = (date if date.day >= month_start else next_month(date.replace(day=1), -1)).replace(day=month_start)
        starts = []
        while date <= last:
            starts.append(start_of(date, name))
            date = next_month(date) if granularity == "month" else date + DAY * (7 if granularity == "week" else 1)
    for start in starts:
        if inside[-1] < start < high:
            inside.append(start)
    return inside


class Sum:
    """The sums of some records."""

    def __init__(self, records):
        self.corrections = sum(record.hundredths < 0 for record in records)
        self.messages = len(records) - self.corrections
        self.reports = sum(record.name is not None and record.hundredths >= 0 for record in records)
        self.hundredths = sum(record.hundredths for record in records)
        self.tokens = [sum(record.more.get(kind) or 0 for record in records) for kind in TOKENS]

    @property
    def members(self):
        counts = zip([*TOKENS, "corrections"], [*self.tokens, self.corrections])
        return (f'"messages":{self.messages},"reports":{self.reports},"credits_used":{credits_text(self.hundredths)}'
                + "".join(f',"{name}":{count}' for name, count in counts if count))

    @property
    def cells(self):
        return [str(self.messages), str(self.reports), credits_text(self.hundredths),
                *map(str, self.tokens), str(self.corrections)]


def short(records):
    """The messages and the credits as JSON."""
    return f'"messages":{Sum(records).messages},"credits_used":{credits_text(sum(r.hundredths for r in records))}'


def is_without(values):
    """A key that puts values in the order of code points, and none last."""
    return tuple((value is None, value or "") for value in values)


class Query:
    """A query of sums, as parameters and as what it means.

    `conditions` are (parameter, value) pairs, `given` the bounds as text and in microseconds, (None, None) for an
    absent one; `bounds` are conditions that a key adds."""

    def __init__(self, name="UTC", first=(None, None), last=(None, None), conditions=(), bounds=(), group_by=(), **options):
        self.zone, self.first, self.last = name, first, last
        self.conditions, self.bounds = list(conditions), list(bounds)
        self.group_by, self.options = list(group_by), options
        self.accepted = accepted(self.conditions) + accepted(self.bounds)

    def parameters(self):
        pairs = [("tz", self.zone), ("from", self.first[0]), ("to", self.last[0]), *self.conditions,
                 ("group_by", ",".join(self.group_by) or None), *self.options.items()]
        return [(key, value) for key, value in pairs if value is not None]

    def matches(self, record):
        low, high = self.first[1], self.last[1]
        return ((low is None or low <= record.microseconds) and (high is None or record.microseconds < high)
                and all(holds(record, part, values) for part, values in self.accepted))

    def range(self, records):
        """The range: without bounds, that of the local days of `records`, which match; None if there is none."""
        low, high = self.first[1], self.last[1]
        times = [record.microseconds for record in records]
        if not times and (low is None or high is None):
            known = high if low is None else low
            return known if known is None else (known, known)
        tz = zone(self.zone)
        if low is None:
            low = start_of(local_date(min(times) // 1_000_000, tz), self.zone)
        if high is None:
            date = local_date(max(times) // 1_000_000, tz) + DAY
            while (high := start_of(date, self.zone)) <= max(times):
                date += DAY
        return low, high

    def previous(self, low, high):
        if "T" in self.first[0]:
            return low - (high - low), low
        first, last = (datetime.date.fromisoformat(text) for text in (self.first[0], self.last[0]))
        # Days that the zone has skipped are none.
        is_day = lambda date: start_of(date, self.zone) < start_of(date + DAY, self.zone)
        left, date = sum(is_day(first + DAY * n) for n in range((last - first).days)), first
        while left:
            date -= DAY
            left -= is_day(date)
        return start_of(date, self.zone), low

    def starts(self, low, high):
        """The granularity and the starts of the buckets; None if there are too many."""
        wanted = self.options.get("granularity")
        for granularity in [wanted] if wanted else ["day", "week", "month", "total"]:
            if granularity == "hour" and high - low > 32 * 24 * 3_600_000_000:
                continue
            starts = bucket_starts(low, high, granularity, self.zone, self.options.get("month_start", 1),
                                   self.options.get("week_start", "monday"))
            if len(starts) <= LIMITS[granularity]:
                return granularity, starts
        return None


def accepted(conditions):
    """Parts with the values that are accepted; each tag is a condition of its own."""
    values = {}
    for name, value in conditions:
        key, _, rest = value.partition(":")
        part = (f"tag:{key}", value) if name == "tag" else (name, None)
        values.setdefault(part, []).append(rest if name == "tag" else value)
    return [(part, own) for (part, _), own in values.items()]


def holds(record, part, values):
    """Whether the record matches one condition, of which one value must hold."""
    if part == "has_report":
        return (record.name is not None) == (values == ["true"])
    if part == "min_credits":
        return record.hundredths >= round(float(values[0]) * 100)
    if part == "max_credits":
        return record.hundredths <= round(float(values[0]) * 100)
    if part == "is_correction":
        return (record.hundredths < 0) == (values == ["true"])
    if part == "external_id":
        return record.more.get("external_id") == values[0]
    return (value_of(record, part) or "") in values


def groups_of(parts, records):
    """The groups in order, each with its values and records."""
    found = {}
    for record in records:
        found.setdefault(tuple(value_of(record, part) for part in parts), []).append(record)
    return sorted(found.items(), key=lambda group: (-sum(r.hundredths for r in group[1]), is_without(group[0])))


class Expected:
    """The response to a query about these records."""

    def __init__(self, query, records):
        self.query = query
        self.records = [record for record in records if query.matches(record)]
        self.all_records = records
        self.range = query.range(self.records)
        self.granularity, self.buckets = query.options.get("granularity", "day"), []
        if self.range:
            low, high = self.range
            fits = query.starts(low, high)
            self.is_refused = fits is None
            self.granularity, starts = fits or ("", [])
            self.buckets = list(zip(starts, starts[1:] + [high]))
        else:
            self.is_refused = False

    def body(self, revision):
        query = self.query
        text = "{"
        if self.range:
            text += f'"from":"{shown(self.range[0], query.zone)}","to":"{shown(self.range[1], query.zone)}",'
        text += f'"tz":"{query.zone}","granularity":"{self.granularity}","revision":{revision},"totals":{{{Sum(self.records).members}}}'
        series = self.split(self.records)
        buckets = [f'{{"date":"{self.date(low)}","start":"{shown(low, query.zone)}","end":"{shown(high, query.zone)}",{Sum(own).members}}}'
                   for (low, high), own in zip(self.buckets, series)]
        text += f',"buckets":[{",".join(buckets)}],'
        text += self.grouped() if query.group_by else self.by_report()
        if "compare" in query.options:
            low, high = query.previous(*self.range)
            before = Query(query.zone, (None, low), (None, high), query.conditions, query.bounds)
            text += (f',"previous":{{"from":"{shown(low, query.zone)}","to":"{shown(high, query.zone)}",'
                     f'"totals":{{{Sum([r for r in self.all_records if before.matches(r)]).members}}}}}')
        return text + "}"

    def date(self, instant):
        return moment(instant).astimezone(zone(self.query.zone)).date()

    def split(self, records):
        """The records of each bucket."""
        starts, own = [low for low, _ in self.buckets], [[] for _ in self.buckets]
        for record in records:
            own[bisect.bisect_right(starts, record.microseconds) - 1].append(record)
        return own

    def by_report(self):
        groups = sorted(groups_of(["report_name"], self.records), key=lambda group: group[0][0] is None)
        names = [f'"report_name":{quoted(name)},' if name is not None else "" for (name,), _ in groups]
        sums = [short(own) for _, own in groups]
        return f'"by_report":[{",".join(f"{{{name}{own}}}" for name, own in zip(names, sums))}]'

    def shown_groups(self):
        """The groups that are shown, and the records and the number of those that are not."""
        groups = groups_of(self.query.group_by, self.records)
        top = self.query.options.get("top", 10)
        return groups[:top], [record for _, own in groups[top:] for record in own], len(groups[top:])

    def grouped(self):
        parts = self.query.group_by
        groups, others, count = self.shown_groups()
        objects = []
        for values, own in groups:
            members = "".join(f'{quoted(part)}:{quoted(value)},' for part, value in zip(parts, values) if value is not None)
            objects.append(f"{{{members}{Sum(own).members}{self.series(own)}}}")
        if count:
            objects.append(f'{{"other":true,"groups":{count},{Sum(others).members}{self.series(others)}}}')
        return f'"group_by":[{",".join(map(quoted, parts))}],"groups":[{",".join(objects)}]'

    def csv(self):
        """One row for each bucket, or for each bucket of each group."""
        parts = self.query.group_by
        rows = [["date", "start", "end", *parts, *["other"] * bool(parts), "messages", "reports", "credits_used", *TOKENS,
                 "corrections"]]
        groups, others, count = self.shown_groups() if parts else ([((), self.records)], [], 0)
        lists = [([value or "" for value in values] + [""] * bool(parts), own) for values, own in groups]
        if count:
            lists.append(([""] * len(parts) + ["true"], others))
        for cells, own in lists:
            for (low, high), part in zip(self.buckets, self.split(own)):
                times = [str(self.date(low)), shown(low, self.query.zone), shown(high, self.query.zone)]
                rows.append([*times, *cells, *Sum(part).cells])
        return csv_rows(rows)

    def series(self, records):
        return f',"series":[{",".join(credits_text(sum(r.hundredths for r in own)) for own in self.split(records))}]'


def attributions(query, of, prefix, limit, records):
    """The response of /usage/attributions."""
    matching = [r for r in records if query.matches(r) and (value_of(r, of) or "").startswith(prefix) and value_of(r, of)]
    groups = groups_of([of], matching)
    values = [f'{{"value":{quoted(value)},{short(own)}}}' for (value,), own in groups[:limit]]
    return f'{{"of":"{of}","values":[{",".join(values)}],"more":{str(len(groups) > limit).lower()}}}'
