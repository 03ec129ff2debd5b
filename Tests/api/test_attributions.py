"""Records messages with attributions and external ids from many writers at once: over HTTP, with plain SQL, by import."""

import json
import random
import subprocess
import threading
import time

import pytest
from orbital import Client, Psql, psql
from service import BUILT

WRITERS = 16
TIME = "2024-01-01T00:00:00Z"


class Storm:
    """Writers that send the same messages in opposite orders until each is acknowledged."""

    def __init__(self, service, count, combinations):
        self.service, self.url, self.key = service, service.url, service.key()
        self.combinations = [self.combination(n) for n in range(combinations)]
        self.messages = [self.message(n) for n in range(count)]
        self.faults, self.refusals = [], 0
        self.lock = threading.Lock()

    @staticmethod
    def combination(number):
        members = {"user_id": f"u-{number % 40}", "team_id": f"t-{number % 7}", "model": f"m-{number % 5}",
                   "tags": {"n": str(number), "a.b": f'q"é{number % 3}'}}
        return {name: value for position, (name, value) in enumerate(members.items())
                if name == "tags" or (number >> position) % 2 == 0}

    def message(self, number):
        ids = {"external_id": f"chatcmpl-{number}"}
        if number % 3 == 0:
            ids["message_id"] = 1_000_000 + number
        measure = {"message_text": "x"} if number % 2 else {"input_tokens": 1, "output_tokens": 1}
        return ids | measure | {"timestamp": TIME} | self.combinations[number % len(self.combinations)]

    def write(self, seed):
        client = Client(self.service.site)
        messages = self.messages if seed % 2 else self.messages[::-1]
        start = random.Random(seed).randrange(len(messages))
        messages = messages[start:] + messages[:start]
        for first in range(0, len(messages), 50):
            self.send(client, messages[first:first + 50] if seed % 4 else messages[first:first + 1])

    def send(self, client, batch):
        for _ in range(500):
            client.request("POST", "/usage", json.dumps(batch if len(batch) > 1 else batch[0]).encode(), {
                "Content-Type": "application/json", "Authorization": f"Bearer {self.key}"})
            response = client.getresponse()
            body = response.read().decode()
            if response.status == 503 and response.getheader("Retry-After"):
                with self.lock:
                    self.refusals += 1
                time.sleep(0.02)
                continue
            results = json.loads(body).get("results", [{"status": "created"}] * (response.status in (200, 201)))
            if response.status not in (200, 201) or any(r["status"] not in ("created", "duplicate") for r in results):
                self.faults.append(f"{response.status} {body[:500]}")
            return
        self.faults.append("a batch was never acknowledged")

    def insert(self, seed):
        """Plain SQL in transactions that see one snapshot; these must be retried by the writer."""
        rng = random.Random(seed)
        for _ in range(40):
            chosen = rng.sample(self.messages, 3)
            inserts = [f"""
                INSERT INTO usage_record ("timestamp", external_id, message_id, message_text, input_tokens, output_tokens,
                    attribution_id)
                SELECT '{TIME}', item->>'external_id', coalesce((item->>'message_id')::bigint, nextval('usage_record_message_id_seq')),
                    item->>'message_text', (item->>'input_tokens')::integer, (item->>'output_tokens')::integer,
                    usage_attribution(item->>'user_id', item->>'team_id', item->>'model', item->'tags')
                FROM (SELECT $json${json.dumps(message)}$json$::jsonb AS item) AS message
                ON CONFLICT DO NOTHING;""" for message in chosen]
            for _ in range(100):
                done = subprocess.run(
                    ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=sqlstate", self.url, "-f", "-"],
                    input=f"BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; {''.join(inserts)} COMMIT;",
                    capture_output=True, text=True)
                if done.returncode == 0:
                    break
                if "40001" not in done.stderr and "40P01" not in done.stderr:
                    self.faults.append(done.stderr)
                    break

    def import_file(self, path):
        """Those with a message id, and as many others."""
        named = [message for message in self.messages if "message_id" in message]
        others = [message | {"message_id": 5_000_000 + n, "external_id": f"imported-{n}"} for n, message in enumerate(named)]
        path.write_text("\n".join(json.dumps(message) for message in others + named))
        done = subprocess.run(
            [BUILT / "orbitalctl", "import", path], env=self.service.environment, capture_output=True, text=True)
        if done.returncode != 0:
            self.faults.append(done.stdout + done.stderr)
        return len(others)


def run(service, tmp_path, count, combinations):
    storm = Storm(service, count, combinations)
    work = [threading.Thread(target=storm.write, args=(seed,)) for seed in range(WRITERS)]
    work += [threading.Thread(target=storm.insert, args=(seed,)) for seed in range(3)]
    for thread in work:
        thread.start()
    imported = storm.import_file(tmp_path / "messages.ndjson")
    for thread in work:
        thread.join()
    assert not storm.faults, storm.faults[:5]
    # Every message is recorded once, with its own attribution.
    stored = psql(service.url, """
        SELECT json_strip_nulls(json_build_object('external_id', external_id, 'user_id', nullif(user_id, ''),
            'team_id', nullif(team_id, ''), 'model', nullif(model, ''), 'tags', tags))
        FROM usage_record JOIN usage_attribution USING (attribution_id) WHERE external_id LIKE 'chatcmpl-%'""")
    records = {record.pop("external_id"): record for record in map(json.loads, stored.splitlines())}
    names = ("user_id", "team_id", "model", "tags")
    assert records == {m["external_id"]: {n: m[n] for n in names if n in m} for m in storm.messages}
    assert psql(service.url, "SELECT count(*) FROM usage_record").strip() == str(count + imported)
    assert psql(service.url, "SELECT count(*) FROM usage_attribution").strip() == str(combinations)
    # What is known uses no numbers up.
    last = "SELECT last_value FROM pg_sequences WHERE sequencename = 'usage_attribution_attribution_id_seq'"
    before = psql(service.url, last)
    storm.write(1)
    storm.insert(9)
    storm.import_file(tmp_path / "messages.ndjson")
    assert psql(service.url, last) == before and not storm.faults, storm.faults[:5]
    assert "request failed" not in service.log()


def test_writers_of_the_same_and_opposite_attributions_lose_none(start_site, tmp_path):
    run(start_site(), tmp_path, 600, 150)


@pytest.mark.full
def test_many_writers_of_the_same_and_opposite_attributions_lose_none(start_site, tmp_path):
    run(start_site(), tmp_path, 12_000, 4000)


def test_a_writer_waits_no_longer_than_250_ms_for_an_attribution_of_an_open_transaction(start_site):
    site = start_site()
    client, key = Client(site.site), site.key()

    def post(message):
        begin = time.monotonic()
        client.request("POST", "/usage", json.dumps(message).encode(), {
            "Content-Type": "application/json", "Authorization": f"Bearer {key}"})
        response = client.getresponse()
        return response.status, response.getheader("Retry-After"), json.loads(response.read()), time.monotonic() - begin

    writer = Psql(site.url)
    writer.run("BEGIN; SELECT usage_attribution('open', NULL, NULL, NULL)")
    message = {"message_id": 1, "user_id": "open", "message_text": "x"}
    for body in (message, [message, message | {"message_id": 2}]):
        status, retry, _, seconds = post(body)
        # The session's lock_timeout is two seconds.
        assert (status, retry) == (503, "1") and seconds < 1.9, (status, retry, seconds)
    # Others are not delayed by it.
    assert post({"message_id": 3, "user_id": "other", "message_text": "x"})[0] == 201
    writer.run("COMMIT")
    writer.close()
    assert post(message)[0] == 201
    assert site.psql("SELECT count(*), count(DISTINCT user_id) FROM usage_attribution WHERE user_id = 'open'").strip() == "1|1"


def test_a_record_gets_the_number_of_its_attribution_also_after_an_erasure(site):
    client, key = Client(site.site), site.key()

    def post(body):
        client.request("POST", "/usage", json.dumps(body).encode(), {
            "Content-Type": "application/json", "Authorization": f"Bearer {key}"})
        response = client.getresponse()
        return response.status, json.loads(response.read())

    erase = "UPDATE usage_attribution SET user_id = 'erased' WHERE user_id = 'gone'"
    message = {"team_id": "t", "user_id": "gone", "message_text": "x"}
    assert post(message | {"message_id": 1})[0] == 201
    site.psql(erase)
    # The number is cached; it belongs to another user now.
    assert post(message | {"message_id": 2})[0] == 201
    site.psql(erase.replace("'erased'", "'erased again'"))
    assert post([message | {"message_id": 3}, {"message_id": 4, "message_text": "x"}])[1]["created"] == 2
    assert site.psql("""SELECT message_id, user_id FROM usage_record LEFT JOIN usage_attribution USING (attribution_id)
        ORDER BY message_id""").split() == ["1|erased", "2|erased", "again", "3|gone", "4|"]


def test_beyond_the_limit_a_new_attribution_is_a_fault_of_its_message(start_site, tmp_path):
    site = start_site(ATTRIBUTION_LIMIT="2")
    client, key = Client(site.site), site.key()

    def post(body):
        client.request("POST", "/usage", json.dumps(body).encode(), {
            "Content-Type": "application/json", "Authorization": f"Bearer {key}"})
        response = client.getresponse()
        return response.status, json.loads(response.read())

    messages = [{"message_id": n, "timestamp": TIME, "user_id": f"u-{n}", "message_text": "x"} for n in range(4)]
    results = post(messages + [{"message_id": 9, "message_text": "x"}])[1]
    assert (results["created"], results["invalid"]) == (3, 2), results
    wrong = [result for result in results["results"] if result["status"] == "invalid"]
    assert {(fault["name"], fault["code"]) for result in wrong for fault in result["errors"]} == {("", "too_many")}
    # Known ones are recorded and recognised.
    assert post([m for m in messages if m["message_id"] not in {r["message_id"] for r in wrong}])[1]["duplicates"] == 2
    status, answer = post(messages[wrong[0]["message_id"]])
    assert status == 422 and answer["errors"][0]["code"] == "too_many", answer
    path = tmp_path / "messages.ndjson"
    path.write_text("\n".join(map(json.dumps, messages)))
    done = subprocess.run(
        [BUILT / "orbitalctl", "import", path], env=site.environment | {"ATTRIBUTION_LIMIT": "2"}, capture_output=True, text=True)
    assert done.stdout == "created 0, duplicates 2, conflicts 0, invalid 2\n", done
