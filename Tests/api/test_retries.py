"""Sends messages again, by either id: agreeing members are a duplicate, others a conflict that names them."""

import json

import pytest
from orbital import Client

FULL = {
    "message_id": 1, "external_id": "chatcmpl-1", "timestamp": "2024-01-01T00:00:00Z", "report_name": "r", "user_id": "u",
    "team_id": "t", "model": "m", "tags": {"b": "1", "a": "\"é\\"}, "input_tokens": 2, "output_tokens": 0,
    "cache_read_input_tokens": 1, "cache_creation_input_tokens": 1, "message_text": "hi"}
SHOWN = {name: value for name, value in FULL.items() if name != "message_text"} | {"credits_used": 1.0}
IDS = ("message_id", "external_id", "timestamp")


class Poster:
    def __init__(self, site, key=None):
        self.client, self.key = Client(site.site), key or site.key()

    def __call__(self, body, path="/usage", type="application/json", **fields):
        headers = {"Content-Type": type, "Authorization": f"Bearer {self.key}"} | fields
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.client.request("POST", path, body, headers)
        response = self.client.getresponse()
        return response.status, json.loads(response.read())

    def result(self, *items):
        """The status of each item, with the members that are named."""
        status, answer = self(list(items))
        assert status == 200, answer
        return [(r["status"], *[f["name"] for f in r.get("errors", [])]) for r in answer["results"]]


@pytest.fixture
def post(site):
    site.psql("TRUNCATE usage_attribution")
    yield Poster(site)
    assert " error " not in site.log()


def without(*names):
    return {name: value for name, value in FULL.items() if name not in names}


def test_a_message_is_shown_with_all_its_members_and_again_as_a_duplicate(post):
    status, answer = post(FULL)
    assert status == 201 and list(answer.items()) == list(
        {name: SHOWN[name] for name in [*FULL, "credits_used"] if name in SHOWN}.items()), answer
    assert answer["tags"] == FULL["tags"] and list(answer["tags"]) == ["a", "b"]
    assert post(FULL) == (200, answer | {"status": "duplicate"})
    # What is absent of these agrees with anything; `null` is absent.
    for absent in (["timestamp"], ["message_id"], ["external_id"], ["message_id", "timestamp"], ["external_id", "timestamp"]):
        assert post(without(*absent)) == (200, answer | {"status": "duplicate"}), absent
        assert post(FULL | dict.fromkeys(absent)) == (200, answer | {"status": "duplicate"}), absent
    assert list(post([FULL])[1]["results"][0]) == ["index", "message_id", "external_id", "status", "credits_used"]


def test_a_conflict_names_the_members_that_differ(post):
    assert post(FULL)[0] == 201
    others = {"timestamp": "2024-01-02T00:00:00Z", "report_name": "s", "user_id": "v", "team_id": "U", "model": "n",
              "tags": {"a": "1"}, "input_tokens": 3, "output_tokens": 1, "cache_read_input_tokens": 0,
              "cache_creation_input_tokens": 0, "message_text": "Hi"}
    for name, value in others.items():
        status, answer = post(FULL | {name: value})
        faults = [(f["in"], f["name"], f["code"]) for f in answer["errors"]]
        assert (status, faults) == (409, [("body", name, "conflict")]), answer
        # An absent member says that there is no value.
        if name not in IDS:
            named = [name] if name != "input_tokens" else ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
            assert post.result(without(*named)) == [("conflict", *named)], name
    assert post.result(FULL | others) == [("conflict", *others)]
    assert post.result({"message_id": 1, "message_text": "hi"}) == [("conflict", *[
        n for n in FULL if n not in IDS and n != "message_text"])]
    # A record of a text alone has no tokens and no attribution.
    assert post({"message_id": 2, "message_text": "x"})[0] == 201
    assert post.result({"message_id": 2, "message_text": "x", "user_id": "u", "output_tokens": 0}) == [
        ("conflict", "user_id", "output_tokens")]
    assert post.result({"message_id": 2, "output_tokens": 0}) == [("conflict", "output_tokens", "message_text")]
    assert [f["message"] for f in post({"message_id": 2, "output_tokens": 0})[1]["errors"]] == [
        "output_tokens differs from that of the recorded message.",
        "message_text is absent, but the recorded message has it."]
    assert [f["message"] for f in post([{"external_id": "chatcmpl-1", "message_text": "Hi", "tags": {}} | {
        name: FULL[name] for name in FULL if name.endswith("tokens") or name == "report_name"}])[1]["results"][0]["errors"]] == [
        f"{name} is absent, but the recorded message has it." for name in ("user_id", "team_id", "model", "tags")] + [
        "message_text differs from that of the recorded message."]
    # Texts that only look the same differ.
    assert post({"message_id": 3, "user_id": "\u00e9", "message_text": "x"})[0] == 201
    assert post.result({"message_id": 3, "user_id": "e\u0301", "message_text": "x"}) == [("conflict", "user_id")]
    assert post({"message_id": 4, "user_id": "e\u0301", "message_text": "x"})[1]["user_id"] == "e\u0301"


def test_an_id_that_is_known_with_another_one_is_a_conflict(post):
    assert post(FULL)[0] == 201
    assert post({"message_id": 2, "message_text": "x"})[0] == 201
    assert post.result(FULL | {"message_id": 7}) == [("conflict", "message_id")]
    assert post.result(FULL | {"external_id": "other"}) == [("conflict", "external_id")]
    assert post.result({"message_id": 2, "external_id": "other", "message_text": "x"}) == [("conflict", "external_id")]
    assert post.result({"message_id": 2, "external_id": "chatcmpl-1", "message_text": "x"})[0][:2] == ("conflict", "external_id")
    assert post(FULL | {"message_id": 7})[1]["detail"] == "This external_id already belongs to another message."
    assert post(FULL | {"external_id": "x"})[1]["detail"] == "This message_id already belongs to another message."


def test_within_a_request_the_first_item_counts_by_either_id(post, site):
    text = {"timestamp": "2024-01-01T00:00:00Z", "message_text": "x"}
    assert post.result(
        text | {"external_id": "a"}, text | {"external_id": "a"}, text | {"external_id": "a", "message_text": "y"},
        text | {"message_id": 9, "external_id": "b"}, text | {"message_id": 8, "external_id": "b"},
        text | {"message_id": 9}, text | {"message_id": 9, "external_id": "c"}, text | {"message_id": 5, "external_id": "c"},
        text | {"external_id": "d", "timestamp": "1970-01-01T00:00:00Z"}, text | {"external_id": "d"},
    ) == [
        ("created",), ("duplicate",), ("conflict", "message_text"), ("created",), ("conflict", "message_id"),
        ("duplicate",), ("conflict", "external_id"), ("created",), ("invalid", "timestamp"), ("created",)]
    # An id that the database chose is never compared.
    assert site.psql("SELECT count(*) FROM usage_record").strip() == "4"
    assert post.result(text | {"external_id": "a"}, text | {"external_id": "d"}) == [("duplicate",), ("duplicate",)]


def test_the_first_item_with_an_id_counts_after_one_with_its_other_id_that_is_not_recorded(post):
    assert post({"message_id": 1, "message_text": "x"})[0] == 201
    late = {"message_id": 2, "message_text": "x", "timestamp": "9999-01-01T00:00:00Z"}
    for number, (first, status) in enumerate([(late, "invalid"), (FULL, "conflict")], 3):
        results = post.result(
            first | {"external_id": f"e-{number}"}, {"message_id": number, "external_id": f"e-{number}", "message_text": "y"},
            {"message_id": number, "message_text": "z"}, {"external_id": f"e-{number}", "message_text": "y"})
        assert [result[0] for result in results] == [status, "created", "conflict", "duplicate"], results


def test_a_text_that_is_not_stored_is_compared_by_its_digest(post, site):
    for number, text in enumerate(["abc", "é", "gone", "x"]):
        assert post({"message_id": number, "message_text": text})[0] == 201
    site.psql("""UPDATE usage_record SET message_text = NULL, text_digest = CASE WHEN message_id < 2
        THEN substr(sha256(convert_to(message_text, 'UTF8')), 1, 16) END WHERE message_id < 3""")
    assert post.result({"message_id": 0, "message_text": "abc"}, {"message_id": 1, "message_text": "é"}) == [("duplicate",)] * 2
    assert post.result({"message_id": 0, "message_text": "abd"}, {"message_id": 1, "input_tokens": 0}) == [
        ("conflict", "message_text"), ("conflict", "input_tokens", "message_text")]
    # Without a digest, any text agrees, as after an erasure.
    assert post.result({"message_id": 2, "message_text": "other"}) == [("duplicate",)]


def test_the_idempotency_key_is_the_external_id_of_a_single_message(post):
    text = {"message_text": "x"}
    key_id = post.key.split("_")[1]
    for field in ("k 1", ' \t"k 1" ', '"k 1"'):
        status, answer = post(text, **{"Idempotency-Key": field})
        assert (status, answer["external_id"]) == (201 if field == "k 1" else 200, f"{key_id}:k 1"), answer
    assert post({"message_text": "y"}, **{"Idempotency-Key": "k 1"})[0] == 409
    # It is ignored if the message has an external id, whatever it is.
    assert post(text | {"external_id": "own"}, **{"Idempotency-Key": "x" * 201})[1]["external_id"] == "own"
    assert post(text | {"external_id": None}, **{"Idempotency-Key": "k 1"})[0] == 200
    assert post(text, **{"Idempotency-Key": "x" * 200})[0] == 201
    for field, code in [("x" * 201, "too_long"), ('""', "malformed"), ("a\tb", "malformed"), (b"\xff", "malformed")]:
        status, answer = post(text, **{"Idempotency-Key": field})
        assert status == 400 and [(f["in"], f["name"], f["code"]) for f in answer["errors"]] == [
            ("header", "Idempotency-Key", code)], (field, answer)
    for body, type in [([text], "application/json"), ([], "application/json"), (b'{"message_text":"x"}', "application/x-ndjson")]:
        status, answer = post(body, type=type, **{"Idempotency-Key": "k 2"})
        assert (status, answer["errors"][0]["code"]) == (400, "unsupported"), answer
    # An estimate ignores it.
    assert post([text], "/usage/estimate", **{"Idempotency-Key": "k 1"})[0] == 200
    assert post(text, "/usage/estimate", **{"Idempotency-Key": ""})[0] == 200


def test_two_keys_with_the_same_idempotency_key_are_two_messages(post, site):
    answers = [one({"message_text": "x"}, **{"Idempotency-Key": "k"}) for one in (post, Poster(site))]
    assert [status for status, _ in answers] == [201, 201]
    assert len({answer["external_id"] for _, answer in answers}) == 2
