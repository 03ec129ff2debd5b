"""Compares random sums with those of a model (sums.py) while eight writers write, merges run and tables are truncated.

The seed is printed. SEED=… repeats the choices of a run; what happens at the same time differs."""

import datetime
import functools
import random
import time
import urllib.parse

import pytest
from orbital import EPOCH, Client, credits_text, instant_text, moment, zone
from runs import NOISE_YEAR, Run
from sums import Expected, Query, Sum, attributions, start_of, value_of
from writers import SHARED_YEARS, ZONES, year_start

WRITERS = 8
DAY = 86_400_000_000
PARTS = ["report_name", "user_id", "team_id", "model", "tag:env", "tag:own", "tag:a.b"]


class Asker:
    """Asks about the records of one owner, or of all, and compares."""

    def __init__(self, service, rng, owner=None):
        self.service, self.rng, self.owner = service, rng, owner
        self.client, self.count = Client(service.site), 0
        self.keys = []
        if owner:
            for bounds in (("--team", owner.teams[3]), ("--tag", f"own:{owner.number}")):
                self.keys.append((service.key("usage:read", bounds=bounds), bounds))

    def bound(self, years):
        """A bound of a range as text and as the instant that it stands for, in zone `name`."""
        rng, (low, high) = self.rng, (year_start(years[0]) + DAY, year_start(years[1] + 1) - DAY)
        if rng.random() < 0.5:
            date = (EPOCH + datetime.timedelta(microseconds=rng.randrange(low, high))).date()
            return date if rng.random() < 0.5 else date.replace(day=1)
        if rng.random() < 0.3:
            return rng.randrange(low, high)
        return self.owner.instant(years) if self.owner else rng.randrange(low, high) // 900_000_000 * 900_000_000

    def range(self, years, name):
        """Two bounds as (text, instant), in order; mostly both dates or both times."""
        first, last = self.bound(years), self.bound(years)
        if self.rng.random() < 0.4 and isinstance(first, int):
            last = first + self.rng.choice([1, 3600, 86_400, 3 * 86_400]) * 1_000_000
        return sorted((self.end(bound, name) for bound in (first, last)), key=lambda end: end[1])

    def query(self):
        """A query, and the key that it is asked with; always one whose response others do not change."""
        rng, owner, key, bounds = self.rng, self.owner, None, []
        name, conditions = rng.choice(ZONES), self.conditions()
        is_own = owner and rng.random() < 0.6
        if is_own:
            years = owner.years
            first, last = self.range(years, name)
        else:
            years = (1999, NOISE_YEAR) if not owner else SHARED_YEARS if rng.random() < 0.7 else (owner.years[0], SHARED_YEARS[1])
            first, last = self.range(years, name)
            if rng.random() < 0.3:
                first = (None, None)
            if rng.random() < 0.3:
                last = (None, None)
            if owner and rng.random() < 0.3:
                key, (kind, value) = rng.choice(self.keys)
                bounds = [(kind[2:] if kind == "--tag" else "team_id", value)]
            elif owner:
                own = self.own_condition()
                conditions = [c for c in conditions if c[0] != own[0][0] or c[0] == "tag"] + own
        options = {}
        is_short = first[1] and last[1] and last[1] - first[1] < 31 * DAY
        if rng.random() < 0.7:
            options["granularity"] = rng.choice(["day", "week", "month", "total"] + ["hour"] * 3 * bool(is_short))
        return Query(name, first, last, conditions, bounds, self.grouping(options, years if owner else None, first, last),
                     **options), key

    def grouping(self, options, years, first, last):
        """The parts to group by; adds to the options."""
        rng, granularity = self.rng, options.get("granularity")
        if granularity == "month" and rng.random() < 0.5:
            options["month_start"] = rng.randint(1, 28)
        if granularity == "week" and rng.random() < 0.5:
            options["week_start"] = rng.choice(["monday", "sunday"])
        parts = rng.sample(PARTS, rng.choice([0, 1, 1, 1, 2, 2]))
        if parts and rng.random() < 0.7:
            options["top"] = rng.choice([1, 2, 5, 20, 1000])
        both = first[1] is not None and last[1] is not None and len(first[0]) // 11 == len(last[0]) // 11
        # The period before must have no records of others.
        is_own = years is None or years != self.owner.years or 2 * first[1] - last[1] > year_start(years[0]) + 2 * DAY
        if both and is_own and rng.random() < 0.3:
            options["compare"] = "previous"
        elif rng.random() < 0.2:
            options["format"] = "csv"
        return parts

    def own_condition(self):
        """A condition that only records of the owner match."""
        rng, owner = self.rng, self.owner
        part, values = rng.choice([("report_name", owner.names), ("user_id", owner.users), ("team_id", owner.teams),
                                   ("model", owner.models), ("tag", [f"own:{owner.number}"])])
        return [(part, value) for value in sorted(rng.sample(values, 1 if part == "tag" else rng.randint(1, 3)))]

    def conditions(self):
        rng = self.rng
        own = self.own_condition() if self.owner else [("model", "gpt-5"), ("model", "é")]
        choices = [[("has_report", "true")], [("has_report", "false")], [("tag", "env:prod")], [("tag", "env:")], [("team_id", "")],
                   [("model", "é"), ("model", "")], [("team_id", "legal")], [("min_credits", "2.50")], [("max_credits", "99.99")],
                   [("is_correction", "true")], [("is_correction", "false")],
                   [("report_name", "Lease"), ("report_name", "=1+1")], [("tag", "a.b:=1")], own]
        picked = rng.sample(choices, rng.choice([0, 0, 0, 1, 1, 2]))
        found = {}
        for conditions in picked:
            found.setdefault(conditions[0][0], conditions)
        return [condition for conditions in found.values() for condition in conditions]

    def query_about(self, record):
        """A query whose sums include this record of the owner's years, by some of its values."""
        rng, owner, name = self.rng, self.owner, self.rng.choice(ZONES)
        at, date = record.microseconds, moment(record.microseconds).astimezone(zone(name)).date()
        month = date.replace(day=1)
        quarter = at - at % 900_000_000
        low, high = year_start(owner.years[0]) + DAY, year_start(owner.years[1] + 1) - DAY
        whole = month if start_of(month, name) > low else date
        first, last = rng.choice([
            (date, date + datetime.timedelta(days=1)), (whole, whole + datetime.timedelta(days=31)), (quarter, quarter + 900_000_000),
            (at, at + 1), (at - 1, at + 1_000_000), (low, high), (low + rng.randrange(DAY), at + 1), (at, high - rng.randrange(DAY))])
        first, last = (self.end(first, name), self.end(last, name))
        conditions = {part: value_of(record, part) for part in PARTS if value_of(record, part)}
        chosen = rng.sample(sorted(conditions), min(len(conditions), rng.choice([0, 0, 1, 1, 2])))
        conditions = [("tag", f"{part[4:]}:{conditions[part]}") if part[:4] == "tag:" else (part, conditions[part])
                      for part in chosen]
        return Query(name, first, last, conditions, (), rng.sample(PARTS, rng.randrange(3)))

    @staticmethod
    def end(bound, name):
        """A bound as text and as an instant."""
        is_date = isinstance(bound, datetime.date)
        return (bound.isoformat(), start_of(bound, name)) if is_date else (instant_text(bound), bound)

    def ask(self, records):
        """Asks one question, and compares the response with the model's."""
        target = None
        while target is None:
            query, key = self.query()
            target, compare = self.kind()(query, records)
        self.compare(target, compare, {"Authorization": f"Bearer {key}"} if key else {})

    def ask_around(self, write, record, records):
        """Asks one question before and after a record is written; the second time perhaps with the first ETag."""
        query, kind = self.query_about(record), self.kind()
        first = self.compare(*kind(query, records))
        write()
        again = self.rng.random() < 0.5
        self.compare(*kind(query, [*records, record]), {"If_None_Match": first.getheader("ETag")} if again else {})

    def kind(self):
        """One of the questions, which takes a query and the records that it is about."""
        kind = self.rng.choice(["summary"] * 8 + ["attributions", "totals"])
        if kind == "attributions":
            of = self.rng.choice(["user_id", "team_id", "model", "tag:env", "tag:own"])
            return functools.partial(self.attributions, of, self.rng.choice(["", "", "u", "é", "prod"]), self.rng.choice([1, 3, 1000]))
        return getattr(self, kind)

    def compare(self, target, compare, headers={}):
        response = self.get(target, headers)
        self.count += 1
        if fault := compare(response):
            again = self.get(target, headers)
            raise AssertionError(f"{target} {headers}\n{fault}\nasked again: {compare(again) or 'correct'}")
        return response

    def close(self):
        """How many questions it has asked."""
        self.client.close()
        return self.count

    def get(self, target, headers):
        """The response, when the service is not busy with others."""
        end = time.monotonic() + 60
        while (response := self.client.get(target, **headers)).status == 503 and time.monotonic() < end:
            time.sleep(0.02)
        return response

    def summary(self, query, records):
        expected = Expected(query, records)
        if expected.is_refused:
            return None, None
        target = "/usage/summary?" + urllib.parse.urlencode(query.parameters())
        if "format" in query.options:
            return target, lambda r: difference(r, 200, expected.csv())
        return target, lambda r: difference(r, 200, expected.body(r.getheader("X-Usage-Revision")))

    def attributions(self, of, prefix, limit, query, records):
        query.options, query.group_by = {}, []
        body = attributions(query, of, prefix, limit, records)
        target = "/usage/attributions?" + urllib.parse.urlencode(
            [("of", of), ("prefix", prefix), ("limit", limit), *query.parameters()])
        return target, lambda r: difference(r, 200, body)

    def totals(self, query, records):
        query.options, query.group_by = {}, []
        own = Sum([record for record in records if query.matches(record)])
        target = "/usage?" + urllib.parse.urlencode([("limit", 1), ("totals", "true"), *query.parameters()])
        return target, lambda r: difference(r, 200, f"{own.messages + own.corrections} {credits_text(own.hundredths)}",
                                            f"{r.getheader('X-Total-Count')} {r.getheader('X-Total-Credits')}")


def difference(response, status, expected, found=None):
    """What is wrong with a response; None if nothing is."""
    found = response.body if found is None else found
    if response.status == status and found == expected:
        return None
    at = next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b), min(len(found), len(expected)))
    return (f"status {response.status}; at character {at}:\n   found …{found[max(0, at - 200):at + 200]}…\n"
            f"expected …{expected[max(0, at - 200):at + 200]}…")


def write_and_ask(run, steps, questions, truncations):
    """What each owner does: steps of one change and some questions about its records."""
    truncate_at = {steps * (n + 1) // (truncations + 1) for n in range(truncations)}
    askers = {owner: Asker(run.service, owner.rng, owner) for owner in run.owners}

    def work(owner):
        for step in range(steps):
            if step in truncate_at:
                run.truncate_together()
            yield owner.write()
            for _ in range(questions):
                askers[owner].ask(list(owner.records.values()))
    run.run(work)
    return sum(asker.close() for asker in askers.values())


def ask_around(run, rounds):
    """What each owner does: rounds of one record, with a question about it before and afterwards.

    Without others that write: a response is cached only if nothing is committed meanwhile."""
    askers = {owner: Asker(run.service, owner.rng, owner) for owner in run.owners}

    def work(owner):
        for _ in range(rounds):
            write, record = owner.own_message()
            askers[owner].ask_around(write, record, list(owner.records.values()))
            owner.add([record])
            yield "ask_around"
    run.run(work)
    return sum(asker.close() for asker in askers.values()) / 2


def compare_sums(site, final, steps, **counts):
    """Compares sums while records change, and `final` ones of all records when none does; how many."""
    run = Run(site, WRITERS)
    count = write_and_ask(run, steps, **counts)
    records = run.check()
    asker = Asker(site, random.Random(f"{run.seed}/all"))
    for _ in range(final):
        asker.ask(records)
    return count + asker.close()


def test_random_sums_are_those_of_the_model_while_eight_writers_write(site):
    assert compare_sums(site, final=60, steps=12, questions=4, truncations=1) == 12 * 4 * WRITERS + 60


@pytest.mark.full
def test_5000_random_sums_are_those_of_the_model_while_eight_writers_write(site):
    assert compare_sums(site, final=200, steps=60, questions=10, truncations=3) == 5000


def test_no_sum_misses_a_record_that_was_committed_before_the_request(site):
    assert ask_around(Run(site, 2, noise=0), rounds=60) == 120


@pytest.mark.full
def test_no_sum_in_1000_rounds_misses_a_record_that_was_committed_before_the_request(site):
    assert ask_around(Run(site, 2, noise=0), rounds=500) == 1000
