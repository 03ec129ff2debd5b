"""Bound keys against a model of all records: none learns anything about a record outside its bounds, from any response."""

import datetime
import json
import random

import pytest
from orbital import FIELDS, Client, Record, credits_text, insert, instant_text, moment, psql
from sums import Sum
from test_records import KEYS, VALUES, Query, check_sums, check_walk, check_whole, some_record, some_time

CACHE = ("orbital-cache-zone.conf", "orbital-cache.conf")
SHOWN = [field for field in FIELDS if field != "recorded_at"]
# é as two code points: another user than é.
USERS = [value for value in VALUES if value] + ["e\u0301"]
PARTS = ("user_id", "team_id", "model", "tags")
TOKENS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
COMPARED = ("message_id", "external_id", "timestamp", "report_name", *PARTS, *TOKENS, "message_text")
TAKEN = {"message_id": "The external_id is recorded with another message_id.",
         "external_id": "The message_id is recorded with another external_id, or without one."}


class Holder:
    """Whoever has a key, with its bounds; without a key: anybody."""

    def __init__(self, world, key=None, user_id=None, team_id=None, tags=None):
        self.world, self.key = world, key
        self.bounds = {"user_id": user_id, "team_id": team_id, "tags": tags or {}}

    def sees(self, record):
        texts = all(self.bounds[name] in (None, record.more.get(name)) for name in ("user_id", "team_id"))
        tags = record.more.get("tags") or {}
        return texts and all(tags.get(key) == value for key, value in self.bounds["tags"].items())

    @property
    def records(self):
        return [record for record in self.world.records.values() if self.sees(record)]

    def get(self, target, method="GET", **fields):
        if self.key:
            fields["Authorization"] = f"Bearer {self.key}"
        self.world.count += 1
        return self.world.client.get(target, method, **fields)

    def post(self, body, path="/usage"):
        self.world.count += 1
        self.world.client.request("POST", path, json.dumps(body).encode(), {
            "Content-Type": "application/json", "Authorization": f"Bearer {self.key}"})
        response = self.world.client.getresponse()
        return response.status, response.read().decode()

    def stamped(self, message):
        """The message as it is recorded, and the names of the members that are out of bounds."""
        message, wrong = dict(message), []
        for name in ("user_id", "team_id"):
            bound = self.bounds[name]
            if bound is not None and message.setdefault(name, bound) != bound:
                wrong.append(name)
        tags = dict(message.get("tags") or {})
        for key, bound in sorted(self.bounds["tags"].items()):
            if tags.setdefault(key, bound) != bound:
                wrong.append("tags")
        if tags:
            message["tags"] = tags
        return message, wrong

    def options(self):
        """Those that create the key."""
        words = []
        for option, value in (("--user", self.bounds["user_id"]), ("--team", self.bounds["team_id"])):
            words += [] if value is None else [f"{option}={value}"]
        return words + [f"--tag={key}:{value}" for key, value in self.bounds["tags"].items()]

    def __repr__(self):
        return str(self.bounds)


def some_holder(rng, world):
    """One, two or three bounds; most of them match some of the records."""
    user = rng.choice(USERS[:4] + [rng.choice(USERS)]) if rng.random() < 0.5 else None
    team = rng.choice(["u-1", "u-1", rng.choice(USERS)]) if rng.random() < 0.35 else None
    tags = {}
    if rng.random() < 0.35 or not (user or team):
        tags = {key: rng.choice(["u-17", "u-1", rng.choice(USERS)]) for key in rng.sample(KEYS, rng.choice([1, 1, 2]))}
    return Holder(world, None, user, team, tags)


class World:
    """A site, the model of its records, and the holders of keys."""

    def __init__(self, site, rng, key_count, is_shared):
        self.site, self.rng, self.is_shared = site, rng, is_shared
        self.client, self.count = Client(site.site), 0
        self.ids = rng.sample(range(-1000, 10**6), 20_000)
        records = [some_record(rng, self.ids.pop()) for _ in range(300)]
        for record in records[:30]:
            record.more["user_id"] = rng.choice(["e\u0301", "é"])
        psql(site.url, insert(records) + "UPDATE usage_record SET character_count = char_length(message_text);")
        self.records = {record.message_id: record for record in records}
        self.texts = {record.message_id: "x" for record in records}
        self.everybody = Holder(self, site.key())
        self.anybody = Holder(self)
        self.holders = [some_holder(rng, self) for _ in range(key_count)]
        for holder in self.holders:
            holder.key = site.key(bounds=holder.options())
            check_me(holder)

    @property
    def holder(self):
        return self.rng.choice(self.holders)

    @property
    def other(self):
        """Another reader, whose responses are cached, too."""
        return self.rng.choice([self.anybody, self.everybody, self.holder])

    def unknown(self):
        return next(number for number in iter(self.ids.pop, None) if number not in self.records)

    def created(self, message, message_id, hundredths):
        """Adds a record; PostgreSQL knows when it was recorded."""
        recorded = psql(self.site.url, f"""
            SELECT floor(extract(epoch FROM recorded_at) * 1000000), floor(extract(epoch FROM "timestamp") * 1000000)
            FROM usage_record WHERE message_id = {message_id}""").strip().split("|")
        more = {name: message[name] for name in ("external_id", *PARTS, *TOKENS) if name in message}
        record = Record(message_id, int(recorded[1]), message.get("report_name"), hundredths,
                        recorded_at=int(recorded[0]), **more)
        self.records[message_id], self.texts[message_id] = record, message["message_text"]
        return record

    def find(self, message):
        """The record under the ids of a message, and the id by which it was found."""
        if message.get("message_id") in self.records:
            return self.records[message["message_id"]], "message_id"
        given = message.get("external_id")
        same = [r for r in self.records.values() if given is not None and r.more.get("external_id") == given]
        return (same[0], "external_id") if same else (None, None)

    def differing(self, message, record):
        """The members in which a message differs from the record under one of its ids."""
        recorded = {"message_id": record.message_id, "timestamp": record.time, "report_name": record.name,
                    "message_text": self.texts[record.message_id], **record.more}
        # Absent, these agree with anything.
        names = [name for name in COMPARED if name not in ("message_id", "external_id", "timestamp") or name in message]
        return [name for name in names if (recorded.get(name) or None) != (message.get(name) or None)
                or name in TOKENS and recorded.get(name) != message.get(name)]


def check_me(holder):
    answer = holder.get("/me")
    bounds = {name: value for name, value in holder.bounds.items() if value}
    assert answer.status == 200 and answer.getheader("Cache-Control") == "no-store", answer.body
    assert json.loads(answer.body) == {
        "key_id": holder.key.split("_")[1], "name": "test", "scopes": ["usage:read", "usage:write"], "bounds": bounds}


def check_list(world, holder):
    query = Query(world.rng)
    if world.rng.random() < 0.5:
        world.other.get(query.target())
    check_whole(holder, world.rng, query, holder.records)


def check_pages(world, holder):
    check_walk(holder, world.rng, Query(world.rng), holder.records)


def check_all_sums(world, holder):
    check_sums(holder, world.rng, holder.records)
    # Without bounds, the period is that of the records that are seen.
    world.other.get("/usage/summary?granularity=total")
    sums = json.loads(holder.get("/usage/summary?granularity=total").body, parse_float=str)
    records = holder.records
    assert sums["totals"] == json.loads(f"{{{Sum(records).members}}}", parse_float=str), (holder, sums)
    if records:
        first, last = (moment(choose(r.microseconds for r in records)).date() for choose in (min, max))
        ends = [f"{date}T00:00:00+00:00" for date in (first, last + datetime.timedelta(1))]
        assert [sums["from"], sums["to"]] == ends, (holder, sums)
    else:
        assert "from" not in sums and "to" not in sums and sums["by_report"] == [], (holder, sums)


def check_totals(world, holder):
    query = Query(world.rng, shape=False)
    target, found = query.target([("totals", "true")]), [r for r in holder.records if query.passes(r)]
    for method in world.rng.sample(["HEAD", "GET"], 2):
        answer = holder.get(target, method)
        totals = answer.getheader("X-Total-Count"), answer.getheader("X-Total-Credits")
        assert totals == (str(len(found)), credits_text(sum(r.hundredths for r in found))), (holder, target)


def same_absence(answer):
    """A 404 without what differs from one to the next."""
    problem = json.loads(answer.body)
    problem["request_id"] = problem["instance"] = ""
    other = ("Date", "Connection", "Content-Length", "X-Request-Id")
    return answer.status, problem, {name: value for name, value in answer.getheaders() if name not in other}


def check_receipt(world, holder):
    record = world.rng.choice(list(world.records.values()))
    target = f"/usage/{record.message_id}"
    world.other.get(target)
    fields = {"If_None_Match": "*"} if world.rng.random() < 0.2 else {}
    answer = holder.get(target, **fields)
    if not holder.sees(record):
        assert same_absence(answer) == same_absence(holder.get(f"/usage/{world.unknown()}", **fields)), (holder, answer.body)
        assert answer.status == 404, (holder, answer.body)
    elif fields:
        assert answer.status == 304
    else:
        assert answer.status == 200, (holder, record, answer.body)
        assert answer.body.startswith(record.members(SHOWN)[:-1] + ',"receipt":'), (holder, record, answer.body)


def check_tags(world, holder):
    """A response that another reader has is not this one's, and an own one is."""
    query = Query(world.rng)
    target = world.rng.choice([
        query.target(), query.target([("limit", "5")]), "/usage", "/usage?limit=20&fields=all", "/usage/summary",
        "/usage/attributions?of=user_id", "/usage/attributions?of=tag:env&format=csv"])
    other = world.other
    before, own = other.get(target), holder.get(target)
    assert before.status == own.status == 200, (before.body, own.body)
    # nginx's shared cache may have an older response for anybody; it is no reader's with a key.
    if holder.bounds == other.bounds or world.is_shared and not other.key:
        return
    assert own.getheader("ETag") != before.getheader("ETag"), (holder, other, target)
    again = holder.get(target, If_None_Match=before.getheader("ETag"))
    assert (again.status, again.body) == (200, own.body), (holder, other, target)
    assert holder.get(target, If_None_Match=own.getheader("ETag")).status == 304
    assert other.get(target, If_None_Match=own.getheader("ETag")).status == 200
    assert "private" in own.getheader("Cache-Control") and "Authorization" in own.getheader("Vary")


def check_cursor(world, holder):
    """A cursor of another reader is of another query."""
    query, other = Query(world.rng), world.other
    target = query.target([("limit", "1")])
    cursor = json.loads(other.get(target).body).get("next_cursor")
    if cursor is None or holder.bounds == other.bounds:
        return
    answer = holder.get(query.target([("limit", "1"), ("cursor", cursor)]))
    assert answer.status == 400, (holder, other, answer.body)
    assert [fault["name"] for fault in json.loads(answer.body)["errors"]] == ["cursor"], answer.body


def some_message(world, holder):
    """A new one, a retry of any record, or one with an id of any record; within the bounds or not."""
    rng = world.rng
    messages = [record for record in world.records.values() if record.hundredths >= 0]
    chosen = rng.choice([r for r in messages if holder.sees(r)] or [None])
    if chosen is None or rng.random() < 0.4:
        chosen = rng.choice(messages)
    kind = rng.choice(["new", "retry", "same id"])
    message = {"message_text": "x" * rng.randrange(1, 40), "timestamp": instant_text(some_time(rng))}
    if kind == "retry":
        message = {name: value for name, value in chosen.more.items() if name != "recorded_at" and value is not None}
        message |= {"message_id": chosen.message_id, "timestamp": chosen.time, "report_name": chosen.name,
                    "message_text": world.texts[chosen.message_id]}
        for name in rng.sample(["timestamp", "external_id", *PARTS], rng.choice([0, 0, 1, 2])):
            message.pop(name, None)
        if "external_id" in message and rng.random() < 0.5:
            del message["message_id"]
    elif kind == "same id":
        if chosen.more.get("external_id") and rng.random() < 0.6:
            message["external_id"] = chosen.more["external_id"]
            if rng.random() < 0.5:
                message["message_id"] = world.unknown()
        else:
            message["message_id"] = chosen.message_id
            if rng.random() < 0.3:
                message["external_id"] = f"new {world.unknown()}"
    else:
        if rng.random() < 0.7:
            message["message_id"] = world.unknown()
        if rng.random() < 0.5:
            message["external_id"] = f"é{world.unknown()}"
        if rng.random() < 0.3:
            message["report_name"] = "a report"
    if kind != "retry":
        for name in ("user_id", "team_id", "model"):
            if rng.random() < 0.3:
                message[name] = rng.choice([holder.bounds.get(name), holder.bounds.get(name), rng.choice(USERS)])
        if rng.random() < 0.3:
            message["tags"] = {key: holder.bounds["tags"].get(key, "u-1") for key in rng.sample(KEYS, rng.randrange(3))}
            if rng.random() < 0.3:
                message["tags"][rng.choice(KEYS)] = rng.choice(USERS)
    return {name: value for name, value in message.items() if value not in (None, {})}


def fault_of(name, code, message):
    return {"in": "body", "name": name, "code": code, "message": message}


def expected(world, holder, message):
    """The status of a message and its faults, by the model; of one that agrees, its record."""
    stamped, wrong = holder.stamped(message)
    if wrong:
        return "invalid", [(name, "out_of_bounds") for name in wrong], None
    record, found_by = world.find(stamped)
    if record is None:
        return "created", stamped, None
    if not holder.sees(record):
        text = f"The {found_by} already belongs to another message."
        return "conflict", [fault_of(found_by, "conflict", text)], None
    names = world.differing(stamped, record)
    texts = {name: f"{name} differs from that of the recorded message." if stamped.get(name) not in (None, {})
             else f"{name} is absent, but the recorded message has it." for name in names} | TAKEN
    return ("conflict" if names else "duplicate"), [fault_of(name, "conflict", texts[name]) for name in names], record


def check_recording(world, holder):
    messages = [some_message(world, holder) for _ in range(world.rng.choice([1, 1, 1, 4]))]
    is_single = len(messages) == 1
    status, body = holder.post(messages[0] if is_single else messages)
    results = [single_result(status, body)] if is_single else json.loads(body, parse_float=str)["results"]
    for message, result in zip(messages, results, strict=True):
        outcome, faults, record = expected(world, holder, message)
        what = (holder, message, result, record, outcome, faults)
        assert result["status"] == outcome, what
        if outcome == "created":
            hundredths = max(100, 10 * len(message["message_text"]))
            if any(name in message for name in TOKENS):
                hundredths = round(float(result["credits_used"]) * 100)
            record = world.created(faults, result["message_id"], hundredths)
            assert result["credits_used"] == record.credits, what
            if is_single:
                assert body == record.members(SHOWN), what
        elif outcome == "duplicate":
            assert (result["message_id"], result["credits_used"]) == (record.message_id, record.credits), what
            if is_single:
                assert body == record.members(SHOWN)[:-1] + ',"status":"duplicate"}', what
        elif outcome == "conflict":
            assert result["errors"] == faults, what
            assert result.get("message_id") == message.get("message_id"), what
        else:
            assert [(fault["name"], fault["code"]) for fault in result["errors"]] == faults, what
    check_estimates(world, holder, messages)


def single_result(status, body):
    """What a response to one message says, in the form of a result."""
    content = json.loads(body, parse_float=str)
    outcome = {201: "created", 200: "duplicate", 409: "conflict", 422: "invalid"}[status]
    if outcome == "conflict":
        name = "external_id" if "external_id already" in content["detail"] else "message_id"
        assert content["detail"] == f"This {name} already belongs to another message.", body
        return {"status": outcome, "errors": content["errors"], "message_id": ANY}
    return content | {"status": outcome}


class Any:
    """Equal to everything: the response to one message does not repeat its id."""

    def __eq__(self, other):
        return True


ANY = Any()


def check_estimates(world, holder, messages):
    """An estimate refuses what recording would refuse, and knows nothing of records."""
    status, body = holder.post(messages, "/usage/estimate")
    assert status == 200, body
    for message, result in zip(messages, json.loads(body)["results"], strict=True):
        assert result["status"] == ("invalid" if holder.stamped(message)[1] else "estimated"), (holder, message, result)


CHECKS = [check_list] * 6 + [check_receipt] * 4 + [check_tags] * 2 + [
    check_pages, check_all_sums, check_totals, check_cursor, check_recording, check_recording]


def run(start_site, is_shared, key_count, request_count):
    site = start_site(nginx_files=CACHE if is_shared else (), ACCESS="open")
    rng = random.Random(20261129 + is_shared)
    world = World(site, rng, key_count, is_shared)
    while world.count < request_count:
        rng.choice(CHECKS)(world, world.holder)
        if rng.random() < 0.05:
            check_recording(world, world.everybody)
    assert "request failed" not in site.log()


@pytest.mark.parametrize("is_shared", [False, True], ids=["directly", "behind the shared cache"])
def test_a_bound_key_finds_and_changes_nothing_outside_its_bounds(start_site, is_shared):
    run(start_site, is_shared, 15, 900)


@pytest.mark.full
@pytest.mark.parametrize("is_shared", [False, True], ids=["directly", "behind the shared cache"])
def test_a_hundred_bound_keys_find_and_change_nothing_outside_their_bounds(start_site, is_shared):
    run(start_site, is_shared, 100, 10_000)
