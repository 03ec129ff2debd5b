"""Texts that are not stored, and what is left of erased texts."""

import hashlib
import json
import subprocess

import pytest
from orbital import Client, Psql
from service import BUILT, REPOSITORY

TEXT = "the confidential text number "
TIME = "2024-01-01T00:00:00Z"


class User:
    """Sends requests to a site and runs orbitalctl on its database."""

    def __init__(self, site):
        self.site, self.client, self.key = site, Client(site.site), site.key()

    def post(self, body, path="/usage"):
        self.client.request("POST", path, json.dumps(body).encode(), {
            "Content-Type": "application/json", "Authorization": f"Bearer {self.key}"})
        response = self.client.getresponse()
        return response.status, json.loads(response.read())

    def statuses(self, items):
        return [result["status"] for result in self.post(items)[1]["results"]]

    def get(self, path, **fields):
        response = self.client.get(path, **fields)
        assert response.status in (200, 304, 404), (path, response.status, response.body)
        return response

    def run(self, *words, status=0, **environment):
        done = subprocess.run(
            [BUILT / "orbitalctl", *words], env=self.site.environment | environment, capture_output=True, text=True)
        assert done.returncode == status, (words, done)
        return done.stdout

    def psql(self, command):
        return self.site.psql(command)


@pytest.fixture
def user(site):
    site.psql("TRUNCATE usage_attribution, api_key")
    yield User(site)
    assert " error " not in site.log()


def digest(text):
    return hashlib.sha256(text.encode()).digest()[:16].hex()


STORED = """SELECT coalesce(message_text, '-'), encode(text_digest, 'hex'), character_count, credit_hundredths, token_count
    FROM usage_record ORDER BY message_id"""


@pytest.mark.parametrize("setting", ["off", "on", "30"])
def test_a_text_is_counted_and_priced_alike_whether_it_is_stored_or_its_digest(start_site, tmp_path, setting):
    site = start_site(STORE_TEXT=setting, TOKENIZER_DIRECTORY=str(REPOSITORY / ".run/tokenizers"))
    user = User(site)
    user.run("rates", "add", "--effective-from", "2024-06-01", "--credits-per-100-tokens", "40", "--minimum", "0.01",
             "--tokenizer", "o200k_base")
    texts = ["é" * 50, "hello world, " * 9, "", "x" * 70_000]
    messages = [{"message_id": number, "timestamp": time, "message_text": text} | more
                for number, (time, text, more) in enumerate(
                    [(TIME, text, {}) for text in texts]
                    + [("2024-07-01T00:00:00Z", text, {"user_id": "u"}) for text in texts])]
    reported = {"message_id": 8, "timestamp": TIME, "input_tokens": 5}
    for message in messages[:2] + messages[6:7]:
        assert user.post(message)[0] == 201
    assert user.statuses([*messages, reported]) == [
        "duplicate", "duplicate", "created", "created", "created", "created", "duplicate", "created", "created"]
    counts = [int(user.post(message, "/usage/estimate")[1]["receipt"]["tokens"]) for message in messages[4:]]
    assert counts[1] == 28 and counts[2] == 0, counts
    rows = [row.split("|") for row in user.psql(STORED).split("\n")]
    for row, message, tokens in zip(rows, messages, [""] * 4 + counts):
        text = message["message_text"]
        stored = ["-", digest(text)] if setting == "off" else [text, ""]
        assert row[:3] + row[4:] == [*stored, str(len(text)), str(tokens)], (message["message_id"], row)
    assert rows[8][:3] == ["-", "", ""], rows[8]
    for message in messages:
        price = user.post(message, "/usage/estimate")[1]
        shown = json.loads(user.get(f"/usage/{message['message_id']}").body)
        assert (shown["credits_used"], shown["receipt"]) == (price["credits_used"], price["receipt"])
    # A retry, and another text under the same id; one record has a text of plain SQL.
    user.psql(f"INSERT INTO usage_record (message_id, \"timestamp\", message_text) VALUES (20, '{TIME}', 'plain SQL')")
    plain = {"message_id": 20, "message_text": "plain SQL"}
    others = [message | {"message_text": message["message_text"] + "!"} for message in [*messages, plain]]
    assert user.statuses([*messages, reported, plain]) == ["duplicate"] * 10
    assert user.statuses(others) == ["conflict"] * 9
    assert user.post(plain)[0] == 200 and user.post(others[-1])[0] == 409
    # The same by import, and a copy of it all.
    path = tmp_path / "messages.ndjson"
    path.write_text("".join(json.dumps(message) + "\n" for message in messages))
    assert user.run("import", path) == "created 0, duplicates 8, conflicts 0, invalid 0\n"
    before = user.psql(STORED)
    export = user.run("export")
    path.write_text(export)
    user.psql("TRUNCATE usage_record")
    assert user.run("import", path).startswith("created 10, ")
    stored = "-|" + digest("plain SQL") if setting == "off" else "plain SQL|"
    assert user.psql(STORED) == before.replace("plain SQL|", stored)
    assert user.run("recount").startswith("recounted 0 records")
    assert ": 0 differences" in user.run("verify")
    assert " error " not in site.log()


def test_erase_text_replaces_texts_with_their_digests_and_changes_nothing_else(user):
    messages = [{"message_id": number, "external_id": f"e{number}", "user_id": "u" if number % 2 else None,
                 "timestamp": f"2024-01-{1 + number % 28:02}T00:00:00Z", "message_text": f"{TEXT}{number}"}
                for number in range(2000)]
    assert user.statuses(messages) == ["created"] * 2000
    old = [message for message in messages if message["timestamp"] < "2024-01-11"]
    before, receipt = user.get("/usage?fields=all").body, user.get("/usage/3").body
    for words in (["--before", "2024-01-11"], ["--before", "2024-01-11T00:00:00Z"]):
        assert user.run("erase", "text", *words, "--dry-run") == (
            f"would erase {len(old)} texts of messages before 2024-01-11T00:00:00Z\n")
    # One is locked: it is left for the next run.
    writer = Psql(user.site.url)
    writer.run("BEGIN; SELECT FROM usage_record WHERE message_id = 3 FOR UPDATE")
    assert user.run("erase", "text", "--before", "2024-01-11", status=1) == (
        f"erased {len(old) - 1} texts of messages before 2024-01-11T00:00:00Z; "
        "1 skipped because of other transactions: run it again\n")
    writer.run("COMMIT")
    writer.close()
    for count in ("1 text", "0 texts"):
        assert user.run("erase", "text", "--before", "2024-01-11") == (
            f"erased {count} of messages before 2024-01-11T00:00:00Z\n")
    for row, message in zip(user.psql(STORED).split("\n"), messages):
        text = message["message_text"]
        is_old = message in old
        assert row.split("|")[:3] == [*(["-", digest(text)] if is_old else [text, ""]), str(len(text))]
    assert (user.get("/usage?fields=all").body, user.get("/usage/3").body) == (before, receipt)
    assert user.statuses(messages) == ["duplicate"] * 2000
    others = [message | {"message_text": "other"} for message in messages]
    assert user.statuses(others) == ["conflict"] * 2000
    assert ": 0 differences" in user.run("verify")
    for words in (["--before", "yesterday"], ["--before"], ["now"]):
        user.run("erase", "text", *words, status=64)


def test_erase_text_takes_its_time_from_the_days_of_the_setting(user):
    day = 86_400
    ages = [29 * day, 30 * day - 600, 30 * day + 600, 400 * day]
    user.psql("INSERT INTO usage_record (message_id, \"timestamp\", message_text) VALUES " + ", ".join(
        f"({number}, now() - interval '{age} seconds', 'x')" for number, age in enumerate(ages)))
    texts = "SELECT string_agg(message_id::text, ',' ORDER BY message_id) FROM usage_record WHERE message_text IS NOT NULL"
    for setting in ("on", "off"):
        assert user.run("erase", "text", STORE_TEXT=setting) == (
            f"STORE_TEXT={setting} has no number of days: nothing to erase\n")
    assert user.psql(texts) == "0,1,2,3"
    assert user.run("erase", "text", STORE_TEXT="30").startswith("erased 2 texts of messages before 20")
    assert user.psql(texts) == "0,1"
    for setting in ("0", "36501", "-1", "yes", "ON", "1.5"):
        user.run("erase", "text", status=78, STORE_TEXT=setting)
