"""Compares random sums with those of a model (sums.py) while eight writers write, merges run and tables are truncated.

The seed is printed. SEED=… repeats the choices of a run; what happens at the same time differs."""

import datetime
import json
import os
import random
import subprocess
import threading
import time
import urllib.parse

import pytest
from orbital import EPOCH, Client, Psql, Record, credits_text, instant_text, psql
from service import BUILT
from sums import Expected, Query, Sum, attributions, start_of
from writers import NOISE_YEAR, SHARED_YEARS, UPDATE, ZONES, Owner, year_start

WRITERS = 8
DAY = 86_400_000_000


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
        ends = [(end.isoformat(), start_of(end, name)) if isinstance(end, datetime.date) else (instant_text(end), end)
                for end in (first, last)]
        return sorted(ends, key=lambda end: end[1])

    def query(self):
        """A query, and the key that it is asked with; always one whose response others do not change."""
        rng, owner, key, bounds = self.rng, self.owner, None, []
        name, conditions = rng.choice(ZONES), self.conditions()
        is_own = owner and rng.random() < 0.6
        if is_own:
            first, last = self.range(owner.years, name)
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
        return Query(name, first, last, conditions, bounds, **options), key

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
                   [("report_name", "Lease"), ("report_name", "=1+1")], [("tag", "a.b:=1")], own]
        picked = rng.sample(choices, rng.choice([0, 0, 0, 1, 1, 2]))
        found = {}
        for conditions in picked:
            found.setdefault(conditions[0][0], conditions)
        return [condition for conditions in found.values() for condition in conditions]

    def ask(self, records):
        """Asks one question; compares the response with the model's."""
        query, key = self.query()
        kind = self.rng.choice(["summary"] * 8 + ["attributions", "totals"])
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        target, compare = getattr(self, kind)(query, records)
        if target is None:
            return self.ask(records)
        response = self.get(target, headers)
        self.count += 1
        if fault := compare(response):
            again = self.get(target, headers)
            raise AssertionError(f"{target} {headers}\n{fault}\nasked again: {compare(again) or 'correct'}")

    def get(self, target, headers):
        """The response, when the service is not busy with others."""
        for _ in range(500):
            response = self.client.get(target, **headers)
            if response.status != 503:
                break
            time.sleep(0.02)
        return response

    def summary(self, query, records):
        expected = Expected(query, records)
        if expected.is_refused:
            return None, None
        target = "/usage/summary?" + urllib.parse.urlencode(query.parameters())
        return target, lambda r: difference(r, 200, expected.body(r.getheader("X-Usage-Revision")))

    def attributions(self, query, records):
        query.options = {}
        of, limit = self.rng.choice(["user_id", "team_id", "model", "tag:env", "tag:own"]), self.rng.choice([1, 3, 1000])
        prefix = self.rng.choice(["", "", "u", "é", "prod"])
        body = attributions(query, of, prefix, limit, records)
        target = "/usage/attributions?" + urllib.parse.urlencode(
            [("of", of), ("prefix", prefix), ("limit", limit), *query.parameters()])
        return target, lambda r: difference(r, 200, body)

    def totals(self, query, records):
        query.options = {}
        own = Sum([record for record in records if query.matches(record)])
        target = "/usage?" + urllib.parse.urlencode([("limit", 1), ("totals", "true"), *query.parameters()])
        return target, lambda r: difference(r, 200, f"{own.messages} {credits_text(own.hundredths)}",
                                            f"{r.getheader('X-Total-Count')} {r.getheader('X-Total-Credits')}")


def difference(response, status, expected, found=None):
    """What is wrong with a response; None if nothing is."""
    found = response.body if found is None else found
    if response.status == status and found == expected:
        return None
    at = next((i for i, (a, b) in enumerate(zip(found, expected)) if a != b), min(len(found), len(expected)))
    return (f"status {response.status}; at character {at}:\n   found …{found[max(0, at - 200):at + 200]}…\n"
            f"expected …{expected[max(0, at - 200):at + 200]}…")


class Run:
    """Eight owners that write and ask at the same time, and others that disturb them."""

    def __init__(self, service, seed, steps, questions, truncations):
        self.service, self.seed, self.steps, self.questions = service, seed, steps, questions
        self.owners = [Owner(service, seed, number) for number in range(WRITERS)]
        self.askers = [Asker(service, owner.rng, owner) for owner in self.owners]
        self.barrier = threading.Barrier(WRITERS, action=self.truncate)
        self.truncate_at = {steps * (n + 1) // (truncations + 1) for n in range(truncations)}
        self.ends, self.faults = threading.Event(), []

    def truncate(self):
        """All owners wait for this; the others go on."""
        psql(self.service.url, "TRUNCATE usage_record")
        for owner in self.owners:
            owner.records.clear()

    def own(self, number):
        owner, asker = self.owners[number], self.askers[number]
        way = "nothing"
        try:
            for step in range(self.steps):
                if step in self.truncate_at:
                    self.barrier.wait(120)
                way = owner.write()
                for _ in range(self.questions):
                    asker.ask(list(owner.records.values()))
        except threading.BrokenBarrierError:
            pass
        except Exception as error:
            self.faults.append(f"owner {number} at step {step}, after {way}: {error!r:.5000}".replace("\\n", "\n"))
            self.barrier.abort()

    def disturb(self, number):
        """Writes records of other years that nobody asks about."""
        session, rng = Psql(self.service.url, stops=False), random.Random(f"{self.seed}/noise {number}")
        low, own = 500_000_000 + number * 1_000_000, f"message_id / 1000000 = {500 + number}"
        try:
            for turn in iter(lambda: rng.randrange(10), None):
                if self.ends.is_set():
                    break
                lines = session.run([
                    f"""INSERT INTO usage_record (message_id, "timestamp", report_name, message_text, attribution_id)
                        SELECT {low} + n, '{NOISE_YEAR}-01-02Z'::timestamptz + n * interval '7 minutes', 'noise', 'x',
                            usage_attribution('noise', 'legal', 'gpt-5', NULL)
                        FROM generate_series({rng.randrange(50_000)}, {rng.randrange(50_000)}) AS n LIMIT 50
                        ON CONFLICT DO NOTHING""",
                    f"{UPDATE} credit_hundredths = credit_hundredths + 1 WHERE {own}",
                    f"DELETE FROM usage_record WHERE {own} AND message_id % 7 = {rng.randrange(7)}",
                ][turn % 3])
                errors = [line for line in lines if "ERROR" in line]
                if errors:
                    self.faults.append(f"noise {number}: {errors}")
        finally:
            session.close()

    def run(self):
        others = [threading.Thread(target=self.disturb, args=(n,)) for n in range(2)]
        threads = [threading.Thread(target=self.own, args=(n,)) for n in range(WRITERS)]
        for thread in others + threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.ends.set()
        for thread in others:
            thread.join()
        assert not self.faults, "\n".join(self.faults[:3])

    def close(self):
        for owner, asker in zip(self.owners, self.askers):
            owner.close()
            asker.client.close()


def stored(url):
    """All records that the database has."""
    lines = psql(url, """
        SELECT json_build_object('id', message_id, 'at', (extract(epoch FROM "timestamp") * 1000000)::bigint, 'name', report_name,
            'credits', credit_hundredths, 'more', json_strip_nulls(json_build_object('external_id', external_id,
            'user_id', nullif(user_id, ''), 'team_id', nullif(team_id, ''), 'model', nullif(model, ''), 'tags', nullif(tags, '{}'),
            'input_tokens', input_tokens, 'output_tokens', output_tokens, 'cache_read_input_tokens', cache_read_input_tokens,
            'cache_creation_input_tokens', cache_creation_input_tokens)))
        FROM usage_record LEFT JOIN usage_attribution USING (attribution_id)""").splitlines()
    return [Record(r["id"], r["at"], r["name"], r["credits"], **r["more"]) for r in map(json.loads, lines)]


def compare_sums(site, steps, questions, truncations, final):
    """Compares WRITERS × steps × questions sums while records change, and `final` ones of all records when none does."""
    seed = os.environ.get("SEED") or str(random.randrange(10**9))
    print(f"SEED={seed}")
    run = Run(site, seed, steps, questions, truncations)
    try:
        run.run()
    finally:
        run.close()
    records = stored(site.url)
    known = {r.message_id: repr(r.__dict__) for owner in run.owners for r in owner.records.values()}
    assert known.keys() == {r.message_id for r in records if r.message_id < 500_000_000}
    asker = Asker(site, random.Random(f"{seed}/all"))
    for _ in range(final):
        asker.ask(records)
    checked = subprocess.run([BUILT / "orbitalctl", "verify"], env=site.environment, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    count = asker.count + sum(a.count for a in run.askers)
    print(f"{count} sums compared")
    return count


def test_random_sums_are_those_of_the_model_while_eight_writers_write(site):
    assert compare_sums(site, steps=12, questions=4, truncations=1, final=60) == 12 * 4 * WRITERS + 60


@pytest.mark.full
def test_5000_random_sums_are_those_of_the_model_while_eight_writers_write(site):
    assert compare_sums(site, steps=160, questions=4, truncations=4, final=400) > 5000
