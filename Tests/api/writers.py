"""Writers whose records are known: each owns two years, and users, teams, models, tags and report names in other years.

So the sums of its records are known exactly while others write. All choices come from its seed."""

import datetime
import json
import random
import subprocess
import time

from orbital import EPOCH, UTC, Client, Psql, Record, insert, instant_text, microseconds, zone
from service import BUILT
from sums import start_of

ZONES = """UTC Africa/Casablanca America/Havana America/New_York America/Sao_Paulo America/St_Johns Antarctica/Troll
    Asia/Kathmandu Asia/Tehran Australia/Lord_Howe Europe/London Pacific/Apia Pacific/Chatham""".split()
FIRST_YEAR, SHARED_YEARS, NOISE_YEAR = 1999, (2016, 2017), 2019
SQL_START = microseconds(datetime.datetime(2000, 1, 1, tzinfo=UTC))
DAY = 86_400_000_000
# `verify` takes such records for priced by hand.
UPDATE = "UPDATE usage_record SET credit_rate_id = NULL,"
LEVELS = ["READ COMMITTED", "REPEATABLE READ"]
ATTRIBUTION = ("user_id", "team_id", "model", "tags")
NEAR = [0, 0, 0, 1, -1, 900_000_000, -900_000_000, 3_600_000_000]


def year_start(year):
    return microseconds(datetime.datetime(year, 1, 1, tzinfo=UTC))


def text(value):
    """A value in SQL."""
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


def among(ids):
    return f"message_id = ANY ('{{{','.join(map(str, ids))}}}')"


def attribution(members):
    tags = members.get("tags")
    return (f"usage_attribution({text(members.get('user_id'))}, {text(members.get('team_id'))}, {text(members.get('model'))}, "
            f"{text(json.dumps(tags, ensure_ascii=False)) if tags else 'NULL'}::jsonb)")


class Owner:
    """One writer and what it has recorded: `records`, by message id."""

    def __init__(self, service, seed, number):
        self.service, self.number, self.rng = service, number, random.Random(f"{seed}/{number}")
        self.client, self.session, self.key = Client(service.site), Psql(service.url, stops=False), service.key("usage:read", "usage:write", "usage:correct")
        self.records, self.next_id, self.renames = {}, number * 10_000_000, 0
        self.own = f"message_id BETWEEN {self.next_id + 1} AND {self.next_id + 9_999_999}"
        first = FIRST_YEAR + 2 * (number % 8)
        self.years = (first, first + 1)
        self.names = [f"R{number}-{n}" for n in range(5)]
        self.users, self.teams, self.models = ([f"{kind}{number}-{n}" for n in range(4)] for kind in "utm")
        self.pool = {years: [self.special(years) for _ in range(60)] for years in (self.years, SHARED_YEARS)}

    def close(self):
        self.client.close()
        self.session.close()

    # What it chooses.

    def special(self, years):
        """An instant at which errors show: at or beside a midnight, a change of clocks, a quarter of an hour."""
        rng, name = self.rng, self.rng.choice(ZONES)
        low, high = year_start(years[0]) + 3 * DAY, year_start(years[1] + 1) - 3 * DAY
        kind = rng.randrange(3)
        if kind == 0:
            date = (EPOCH + datetime.timedelta(microseconds=rng.randrange(low, high))).date()
            instant = start_of(date if rng.random() < 0.6 else date.replace(day=1), name)
        elif kind == 1:
            instant = rng.choice(changes(name, low, high) or [low])
        else:
            instant = rng.randrange(low, high) // 900_000_000 * 900_000_000
        return min(max(instant + rng.choice(NEAR), low), high)

    def instant(self, years):
        if self.rng.random() < 0.7:
            return self.rng.choice(self.pool[years if years in self.pool else SHARED_YEARS])
        return self.rng.randrange(year_start(years[0]) + 3 * DAY, year_start(years[1] + 1) - 3 * DAY)

    def some_time(self, first=SQL_START):
        """Of a new record; HTTP and plain SQL take none before 2000."""
        while (instant := self.instant(self.years if self.rng.random() < 0.6 else SHARED_YEARS)) < first:
            pass
        return instant

    def attribution(self):
        """Members; in the shared years at least one of them is the owner's own."""
        rng = self.rng
        tags = {"own": str(self.number)} if rng.random() < 0.7 else {}
        if rng.random() < 0.6:
            tags["env"] = rng.choice(["prod", "dév"])
        if rng.random() < 0.3:
            tags["a.b"] = rng.choice(['say "x"', "=1", f"only-{self.number}"])
        members = {"user_id": rng.choice(self.users), "team_id": rng.choice([*self.teams, "legal"]),
                   "model": rng.choice([*self.models, "gpt-5", "é"]), "tags": tags}
        members = {name: value for name, value in members.items() if value and rng.random() < 0.75}
        return dict(sorted(members.items())) if rng.random() < 0.85 else {}

    def name(self):
        return self.rng.choice([None, None, *self.names, "Lease", "=1+1", 'say "x", é'])

    def tokens(self):
        rng = self.rng
        cached, created = rng.choice([0, 0, 7]), rng.choice([0, 0, 3])
        counts = {"input_tokens": cached + created + rng.randrange(50), "output_tokens": rng.randrange(90),
                  "cache_read_input_tokens": cached, "cache_creation_input_tokens": created}
        return {kind: count for kind, count in counts.items() if count or kind == "input_tokens"}

    def new_id(self):
        self.next_id += 1
        return self.next_id

    def known(self, most, are_messages=False):
        """The ids of some of its records; with `are_messages`, none of corrections."""
        ids = sorted(number for number, record in self.records.items() if not are_messages or record.hundredths >= 0)
        return self.rng.sample(ids, min(len(ids), self.rng.randint(1, most)))

    # How it writes. The model changes only after the service or PostgreSQL has confirmed.

    def write(self):
        ways = [self.post, self.post, self.copy, self.insert, self.update, self.update, self.delete, self.change_all,
                self.give_up, self.move, self.rename, self.correct, self.correct]
        way = self.rng.choice(ways) if self.rng.random() < 0.98 else self.rng.choice([self.import_file, self.erase])
        way()
        return way.__name__

    def message(self):
        """A message as HTTP takes it, and its record."""
        rng, time = self.rng, self.some_time()
        members, name = self.attribution(), self.name()
        if rng.random() < 0.5:
            length = rng.randrange(200)
            measure, more, hundredths = {"message_text": "x" * length}, {}, max(100, 10 * length)
        else:
            measure = more = self.tokens()
            hundredths = max(100, 40 * (more["input_tokens"] + more.get("output_tokens", 0)))
        record = Record(self.new_id(), time, name, hundredths, **members, **more)
        message = {"message_id": record.message_id, "timestamp": record.time, **members, **measure}
        return (message | {"report_name": name} if name else message), record

    def post(self):
        pairs = [self.message() for _ in range(self.rng.choice([1, 1, 2, 30]))]
        (self.send if len(pairs) == 1 else self.send_all)(pairs)
        self.add(record for _, record in pairs)

    def send(self, pairs):
        """One message; after a 503 it may have been recorded."""
        response, body = self.request(pairs[0][0])
        assert response.status in (200, 201), (response.status, body)

    def send_all(self, pairs):
        response, body = self.request([message for message, _ in pairs])
        assert response.status == 200, (response.status, body)
        assert {item["status"] for item in json.loads(body)["results"]} <= {"created", "duplicate"}, body

    def request(self, messages, path="/usage"):
        body, end = json.dumps(messages).encode(), time.monotonic() + 60
        while True:
            response = self.client.exchange("POST", path, body, {
                "Content-Type": "application/json", "Authorization": f"Bearer {self.key}"})
            if response.status != 503 or time.monotonic() > end:
                return response, response.body
            time.sleep(0.02)

    def import_file(self):
        pairs = [self.message() for _ in range(40)]
        lines = "".join(json.dumps(message) + "\n" for message, _ in pairs)
        done = subprocess.run([BUILT / "orbitalctl", "import", "-"], input=lines, env=self.service.environment,
                              capture_output=True, text=True)
        assert done.stdout == "created 40, duplicates 0, conflicts 0, invalid 0\n", done
        self.add(record for _, record in pairs)

    def copy(self):
        """COPY and a statement of many rows, with credits of their own, as replication writes."""
        records = [self.copied() for _ in range(self.rng.choice([1, 5, 40]))]
        # In one order for all writers: each creates attributions, and two in opposite orders are a deadlock.
        records.sort(key=lambda r: json.dumps([r.more.get(part) for part in ATTRIBUTION]))
        lines = self.session.run(insert(records))
        assert not any("ERROR" in line for line in lines), lines
        self.add(records)

    def copied(self):
        rng = self.rng
        hundredths = rng.choice([100, 100, 250, rng.randrange(100_000), rng.randrange(2**40), 0])
        return Record(self.new_id(), self.some_time(0), self.name(), hundredths, **self.attribution(), **self.tokens())

    def insert(self):
        """Plain SQL, also with ids that are known, which change nothing."""
        known, rows, records, members = self.known(2), [], [], self.attribution()
        for message_id in [*known, *(self.new_id() for _ in range(self.rng.randrange(1, 4)))]:
            length = self.rng.randrange(100)
            record = Record(message_id, self.some_time(), self.name(), max(100, 10 * length), **members)
            rows.append(f"({message_id}, '{record.time}', {text(record.name)}, repeat('x', {length}), {attribution(members)})")
            records += [record] * (message_id not in self.records)
        self.transaction(f"""INSERT INTO usage_record (message_id, "timestamp", report_name, message_text, attribution_id)
            VALUES {", ".join(rows)} ON CONFLICT DO NOTHING""")
        self.add(records)

    def correct(self):
        """Takes back a part of a record, or the rest of it, over HTTP or with plain SQL."""
        rng, ids = self.rng, [n for n in self.known(5, are_messages=True) if self.records[n].microseconds >= SQL_START]
        left = {n: self.records[n].hundredths + sum(
            record.hundredths for record in self.records.values() if record.more.get("corrects") == n) for n in ids}
        ids = [number for number in ids if left[number] > 0]
        if not ids:
            return
        original, number = self.records[ids[0]], self.new_id()
        amount = left[ids[0]] if rng.random() < 0.4 else rng.randint(1, left[ids[0]])
        more = {name: value for name, value in original.more.items() if name in ATTRIBUTION}
        record = Record(number, original.microseconds, original.name, -amount, **more, corrects=original.message_id,
                        reason="=wrong, é")
        if rng.random() < 0.5:
            self.transaction(f"""INSERT INTO usage_record (message_id, "timestamp", corrects, reason, credit_hundredths)
                VALUES ({number}, '{record.time}', {original.message_id}, {text(record.more["reason"])}, {-amount})""")
        else:
            body = {"reason": record.more["reason"], "external_id": f"correction {number}", "timestamp": "original"}
            if amount < left[ids[0]] or rng.random() < 0.5:
                body["credits_used"] = amount / 100
            response, answer = self.request(body, f"/usage/{original.message_id}/correction")
            assert response.status in (200, 201), (response.status, answer, body)
            record.message_id = json.loads(answer)["message_id"]
            record.more["external_id"] = body["external_id"]
        self.add([record])

    def update(self):
        ids = self.known(30, are_messages=True)
        statement, change = self.some_change()
        self.transaction(f"{UPDATE} {statement} WHERE {among(ids)}")
        for message_id in ids:
            change(self.records[message_id])

    def some_change(self):
        """SQL and what it does to a record of the model."""
        rng = self.rng
        kind = rng.randrange(6)
        if kind == 0:
            step = rng.randrange(500)
            return f"credit_hundredths = credit_hundredths + {step}", lambda r: setattr(r, "hundredths", r.hundredths + step)
        if kind == 1:
            time = self.some_time()
            return f""""timestamp" = '{instant_text(time)}'""", lambda r: setattr(r, "microseconds", time)
        if kind == 2:
            name = self.name()
            return f"report_name = {text(name)}", lambda r: setattr(r, "name", name)
        if kind == 3:
            members = self.attribution()

            def assign(record):
                record.more = {n: v for n, v in record.more.items() if n not in ATTRIBUTION} | members
            return f"attribution_id = {attribution(members)}", assign
        if kind == 4:
            return ("output_tokens = coalesce(output_tokens, 0) + 5",
                    lambda r: r.more.update(output_tokens=(r.more.get("output_tokens") or 0) + 5))
        return "credit_hundredths = credit_hundredths", lambda r: None

    def delete(self):
        ids = self.known(20)
        self.transaction(f"DELETE FROM usage_record WHERE {among(ids)}")
        for message_id in ids:
            del self.records[message_id]

    def change_all(self):
        """Several statements and a savepoint in one transaction, which meet the same rows."""
        record, ids = self.copied(), self.known(10, are_messages=True)
        record.microseconds, record.hundredths, record.more = self.some_time(), 777, {}
        new = f"""INSERT INTO usage_record (message_id, "timestamp", report_name, message_text, credit_hundredths)
            VALUES ({record.message_id}, '{record.time}', {text(record.name)}, 'x', 777)"""
        self.transaction(
            new, "SAVEPOINT here", f"DELETE FROM usage_record WHERE {self.own}", "ROLLBACK TO here",
            f"{UPDATE} credit_hundredths = credit_hundredths + 3 WHERE {among(ids)}",
            f"DELETE FROM usage_record WHERE {among([record.message_id])}", new,
            f"{UPDATE} credit_hundredths = credit_hundredths + 1 WHERE {self.own} AND corrects IS NULL")
        for message_id in ids:
            self.records[message_id].hundredths += 3
        self.add([record])
        for record in self.records.values():
            record.hundredths += record.hundredths >= 0

    def give_up(self):
        self.transaction(f"DELETE FROM usage_record WHERE {self.own}", last="ROLLBACK")

    def move(self):
        """A key is given to another record: one statement deletes, inserts and changes the attribution's sums."""
        old, new = self.known(1)[:1], self.new_id()
        if not old:
            return
        self.transaction(f"UPDATE usage_record SET message_id = {new} WHERE message_id = {old[0]}")
        record = self.records.pop(old[0])
        record.message_id = new
        self.add([record])

    def rename(self):
        """As an erasure does, all records of a user or a team change at once."""
        part, values = self.rng.choice([("user_id", self.users), ("team_id", self.teams)])
        old = self.rng.choice(values)
        self.renames += 1
        new = values[values.index(old)] = f"{old.split('.')[0]}.{self.renames}"
        self.transaction(f"UPDATE usage_attribution SET {part} = {text(new)} WHERE {part} = {text(old)}")
        self.renamed(part, old, new)

    def renamed(self, part, old, new):
        for record in self.records.values():
            if record.more.get(part) == old:
                record.more[part] = new

    def erase(self):
        old = self.rng.choice(self.users)
        number = self.session.run(f"SELECT min(attribution_id) FROM usage_attribution WHERE user_id = {text(old)}")[0]
        end = time.monotonic() + 60
        # 69: another transaction, such as a rebuild of rollups, uses the attributions; nothing was erased.
        while (done := subprocess.run([BUILT / "orbitalctl", "erase", "user", old, "--yes"], env=self.service.environment,
                                      capture_output=True, text=True)).returncode == 69 and time.monotonic() < end:
            pass
        # 1: texts of other erased users are being changed; 65: no attribution has the user.
        assert done.returncode in ((0, 1) if number else (0, 1, 65)), done
        if number:
            pseudonym = self.session.run(f"SELECT user_id FROM usage_attribution WHERE attribution_id = {number}")[0]
            assert pseudonym.startswith("erased-"), pseudonym
            self.renamed("user_id", old, pseudonym)

    def own_message(self):
        """A record of the owner's years, and a function that writes it in some way."""
        while True:
            message, record = self.message()
            if year_start(self.years[0]) <= record.microseconds < year_start(self.years[1] + 1):
                break
        way = self.rng.choice([self.send, self.send_all, self.insert_one])
        return lambda: way([(message, record)]), record

    def insert_one(self, pairs):
        (message, record), = pairs
        columns = [name for name in ("message_text", "input_tokens", "output_tokens", "cache_read_input_tokens",
                                     "cache_creation_input_tokens", "report_name") if name in message]
        self.transaction(f"""
            INSERT INTO usage_record (message_id, "timestamp", attribution_id, {", ".join(columns)})
            VALUES ({record.message_id}, '{record.time}', {attribution(record.more)},
                {", ".join(text(message[column]) for column in columns)})""")

    def transaction(self, *statements, last="COMMIT"):
        """Runs statements until no other transaction is in their way."""
        last_try, end = False, time.monotonic() + 60
        while not last_try:
            # A rename with a snapshot of before the last merge always gets 40001; merges never end here.
            last_try = time.monotonic() > end
            level = "READ COMMITTED" if last_try else self.rng.choice(LEVELS)
            lines = self.session.run(f"BEGIN ISOLATION LEVEL {level};" + ";\n".join([*statements, last]))
            errors = [line for line in lines if "ERROR" in line]
            if not errors:
                return
            assert level == "REPEATABLE READ" and "40001" in errors[0], (errors, statements)

    def add(self, records):
        for record in records:
            self.records[record.message_id] = record


def changes(name, low, high):
    """The instants from `low` to `high` at which the clock's offset changes."""
    tz, found = zone(name), []
    offset = lambda second: datetime.datetime.fromtimestamp(second, tz).utcoffset()
    for start in range(low // 1_000_000, high // 1_000_000, 86_400):
        if offset(start) != offset(start + 86_400):
            first, last = start, start + 86_400
            while last - first > 1:
                middle = (first + last) // 2
                first, last = (middle, last) if offset(middle) == offset(start) else (first, middle)
            found.append(last * 1_000_000)
    return found
