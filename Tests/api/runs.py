"""Writers of known records (writers.py) at the same time, others that disturb them, and what must hold in the end."""

import json
import os
import random
import subprocess
import threading
import time

import levels
from orbital import Psql, Record, psql
from service import BUILT
from writers import UPDATE, ZONES, Owner

NOISE_YEAR, NOISE_IDS = 2019, 500_000_000
MOST_DELTAS = 1000


class Run:
    """Owners that do some work at the same time; meanwhile others merge and rebuild, and `noise` of them write."""

    def __init__(self, service, owners, noise=2):
        self.service, self.noise, self.seed = service, noise, os.environ.get("SEED") or str(random.randrange(10**9))
        print(f"SEED={self.seed}")
        self.owners = [Owner(service, self.seed, number) for number in range(owners)]
        self.barrier = threading.Barrier(owners, action=self.truncate)
        self.ends, self.faults = threading.Event(), []

    def truncate_together(self):
        """All owners wait for this; the others go on."""
        self.barrier.wait(300)

    def truncate(self):
        psql(self.service.url, "TRUNCATE usage_record")
        for owner in self.owners:
            owner.records.clear()

    def run(self, work):
        """Runs `work`, which yields what it does, for each owner; fails at the first thing that is wrong."""
        others = [threading.Thread(target=self.disturb, args=(n,)) for n in range(self.noise)]
        others.append(threading.Thread(target=self.maintain))
        threads = [threading.Thread(target=self.own, args=(work, owner)) for owner in self.owners]
        for thread in others + threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.ends.set()
        for thread in others:
            thread.join()
        for owner in self.owners:
            owner.close()
        assert not self.faults, "\n".join(self.faults[:3])

    def own(self, work, owner):
        way, step = "nothing", 0
        try:
            for step, way in enumerate(work(owner)):
                if self.faults:
                    break
        except threading.BrokenBarrierError:
            pass
        except Exception as error:
            self.faults.append(f"owner {owner.number} at step {step}, after {way}: {type(error).__name__}: {error}")
        if self.faults:
            self.barrier.abort()

    def disturb(self, number):
        """Writes records of another year, in statements of many rows."""
        session, rng = Psql(self.service.url, stops=False), random.Random(f"{self.seed}/noise {number}")
        low = NOISE_IDS + number * 1_000_000
        own = f"message_id BETWEEN {low} AND {low + 999_999}"
        while not self.ends.is_set():
            lines = session.run(rng.choice([
                f"""INSERT INTO usage_record (message_id, "timestamp", report_name, message_text, attribution_id)
                    SELECT {low} + n, '{NOISE_YEAR}-01-02Z'::timestamptz + n * interval '7 minutes', 'noise', 'x',
                        usage_attribution('noise', 'legal', 'gpt-5', NULL)
                    FROM generate_series({rng.randrange(50_000)}, 50000) AS n LIMIT 50
                    ON CONFLICT DO NOTHING""",
                f"{UPDATE} credit_hundredths = credit_hundredths + 1 WHERE {own}",
                f"DELETE FROM usage_record WHERE {own} AND message_id % 7 = {rng.randrange(7)}"]))
            if errors := [line for line in lines if "ERROR" in line]:
                self.faults.append(f"noise {number}: {errors}")
            # Each sum reads the deltas that wait, so merges must keep up.
            while int(session.run("SELECT count(*) FROM usage_delta")[0]) > MOST_DELTAS and not self.ends.wait(0.02):
                pass
        session.close()

    def maintain(self):
        """Merges and rebuilds rollups, in part and as a whole; adds and removes reporting zones."""
        session, rng, added = Psql(self.service.url, stops=False), random.Random(f"{self.seed}/maintenance"), []
        while not self.ends.wait(0.05):
            turn = rng.random()
            if turn < 0.92:
                lines = session.run(f"SELECT merge_usage_deltas({rng.choice([1, 100, 10_000, 10_000])}, true)")
                if any("ERROR" in line for line in lines):
                    self.faults.append(f"merge: {lines}")
            elif turn < 0.94:
                self.orbitalctl("rollup", "rebuild")
            elif turn < 0.98 and len(added) < 6:
                added.append(rng.choice([name for name in ZONES[1:] if name not in added]))
                self.orbitalctl("rollup", "zones", "add", added[-1])
            elif added:
                self.orbitalctl("rollup", "zones", "remove", added.pop(rng.randrange(len(added))))
        # Other tests share the site.
        for name in added:
            self.orbitalctl("rollup", "zones", "remove", name)
        session.close()

    def orbitalctl(self, *words):
        done = subprocess.run([BUILT / "orbitalctl", *words], env=self.service.environment, capture_output=True, text=True)
        if done.returncode != 0:
            self.faults.append(f"{words}: {done.returncode} {done.stdout[-3000:]} {done.stderr}")

    def check(self):
        """Compares what is stored with what the owners know, and the rollups with the records; the records."""
        records = stored(self.service.url)
        found = {record.message_id: record.__dict__ for record in records
                 if not NOISE_IDS <= record.message_id < 2 * NOISE_IDS}
        known = {number: record.__dict__ for owner in self.owners for number, record in owner.records.items()}
        assert found.keys() == known.keys(), found.keys() ^ known.keys()
        for number, record in known.items():
            record["more"] = {name: value for name, value in record["more"].items() if value is not None}
        differing = [(record, found[number]) for number, record in known.items() if record != found[number]]
        assert not differing, differing[:3]
        self.orbitalctl("verify")
        assert not self.faults, self.faults
        wrong, zeros = levels.differences(self.service.url)
        assert not wrong and not zeros, (wrong[:5], zeros)
        assert "request failed" not in self.service.log()
        return records


def stored(url):
    """All records that the database has."""
    lines = psql(url, """
        SELECT json_build_object('id', message_id, 'at', (extract(epoch FROM "timestamp") * 1000000)::bigint, 'name', report_name,
            'credits', credit_hundredths, 'more', json_strip_nulls(json_build_object(
            'user_id', nullif(user_id, ''), 'team_id', nullif(team_id, ''), 'model', nullif(model, ''), 'tags', nullif(tags, '{}'),
            'input_tokens', input_tokens, 'output_tokens', output_tokens, 'cache_read_input_tokens', cache_read_input_tokens,
            'cache_creation_input_tokens', cache_creation_input_tokens, 'corrects', corrects, 'reason', reason,
            'external_id', external_id)))
        FROM usage_record LEFT JOIN usage_attribution USING (attribution_id)""").splitlines()
    return [Record(r["id"], r["at"], r["name"], r["credits"], **r["more"]) for r in map(json.loads, lines)]


def write_for(run, seconds):
    """Lets the owners write for some seconds, and compares; the number of writes of each kind."""
    counts, end = {}, time.monotonic() + seconds

    def work(owner):
        while time.monotonic() < end:
            yield (way := owner.write())
            counts[way] = counts.get(way, 0) + 1
    run.run(work)
    run.check()
    return counts
