"""Sends POST /usage and /usage/estimate every kind of wrong body, and looks at what is stored."""

import json

import pytest
from orbital import Client, psql

GOOD = {"message_id": 1, "timestamp": "2024-01-01T00:00:00Z", "report_name": "r", "message_text": "What is the rent?"}
FUTURE = "2999-01-01T00:00:00Z"


def with_member(name, value):
    return json.dumps({**GOOD, name: value})


# One message: (body, status, member that is named, code).
SINGLE = [
    # Not JSON: 400.
    *[(body, 400, "", "malformed") for body in [
        b"", b" ", b"{", b"}", b"nul", b"{'a':1}", b'{"message_text":"x",}', b'{"message_text":"x"} x', b"\xff",
        b'{"message_text":"\xff"}', b'{"message_text":"\xc0\x80"}', b'{"message_text":"\xed\xa0\x80"}',
        rb'{"message_text":"\x"}', rb'{"message_text":"\ud8"}', b'{"message_text":"\n"}', b"\xef\xbb\xbf", b"{}\xef\xbb\xbf",
        b'{"message_text":"x"', b'{"message_text"}', b'{message_text:"x"}', b'{"message_text":"x"}{}',
        b'{"a":' * 3000 + b"1" + b"}" * 2999, b'{"a":' * 3000 + b"1" + b"}" * 2998 + b"]}", b'{"message_id":1e999',
        b'{"message_id":1e999,"message_text":"x]}', b'{"message_id":01,"message_text":"x"}',
        b'{"message_id":NaN,"message_text":"x"}', b'{"\x00":1}', *[b'{"message_text":"%s%c"}' % (b"x" * 40, c) for c in range(0x20)]]],
    # JSON, but not a message: 422.
    *[(body, 422, "", "not_an_object") for body in [b"null", b"1", b'"x"', b"true", b"1.5"]],
    (b'{"message_text":"a","message_text":"b"}', 422, "message_text", "duplicate_member"),
    (b'{"message_text":"a","message_text":"a"}', 422, "message_text", "duplicate_member"),
    (b'{"message_text":"a","message_\\u0074ext":"b"}', 422, "message_text", "duplicate_member"),
    (b'{"message_text":"a","x":{"y":1,"y":2}}', 422, "x", "unknown_member"),
    (rb'{"message_text":"a","a\u0000b":1}', 422, "a\0b", "unknown_member"),
    (b'{"message_id":9223372036854775808,"message_text":"x"}', 422, "message_id", "out_of_range"),
    (b'{"message_id":-9223372036854775809,"message_text":"x"}', 422, "message_id", "out_of_range"),
    *[(body, 422, "message_text", "missing") for body in [b"{}", b"\xef\xbb\xbf{}", b'{"message_text":null}']],
    # Half of a surrogate pair, a number that is too large, and too many levels are faults of one member.
    *[(rb'{"message_text":"a%b"}' % half, 422, "message_text", "malformed") for half in [rb"\ud83d", rb"\uDFFFx", rb"\ud83d\ud83d\ude00"]],
    *[(b'{"message_text":"x","message_id":%b}' % number, 422, "message_id", "out_of_range") for number in [
        b"1e400", b"-1e400", b"1e19", b"9" * 400, b'1e400,"timestamp":["]"]']],
    *[(b'{"message_text":%b%b}' % (b"[" * depth, b"]" * depth), 422, "message_text", "wrong_type") for depth in (2046, 2049, 50_000)],
    (rb'{"message_text":"a","x":["\ud83d",1e400]}', 422, "x", "unknown_member"),
    *[(with_member("message_text", value).encode(), 422, "message_text", "wrong_type") for value in [1, 1.5, True, [], {}, ["x"]]],
    *[(with_member("message_id", value).encode(), 422, "message_id", "wrong_type") for value in ["1", 1.5, True, [], {}, 1e-300]],
    *[(with_member("report_name", value).encode(), 422, "report_name", "wrong_type") for value in [1, True, [], {}]],
    *[(with_member("report_name", value).encode(), 422, "report_name", "malformed") for value in ["", "a\0b"]],
    *[(with_member("report_name", value).encode(), 422, "report_name", "too_long") for value in ["x" * 501, "\U0001f600" * 501]],
    *[(with_member("message_text", value).encode(), 422, "message_text", "malformed") for value in ["\0", "a\0", "\0" * 9]],
    *[(with_member("timestamp", value).encode(), 422, "timestamp", "wrong_type") for value in [1704067200, 1.7e9, True, [], {}]],
    *[(with_member("timestamp", value).encode(), 422, "timestamp", "malformed") for value in [
        "", "now", "2024-01-01", "2024-01-01T00:00:00", "2024-01-01T00:00:00+25:00", "2024-02-30T00:00:00Z", "1704067200",
        "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2024-01-01T00:00:00Z\0", "infinity", "2024-01-01T00:00Z"]],
    (with_member("timestamp", FUTURE).encode(), 422, "timestamp", "in_the_future"),
    *[(with_member("timestamp", value).encode(), 422, "timestamp", "out_of_range") for value in [
        "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1999-12-31T23:59:59.999999Z"]],
    # Of a long name, no more is named than its beginning.
    (with_member("é" * 50, 1).encode(), 422, "é" * 50, "unknown_member"), (with_member("xé" * 40, 1).encode(), 422, "xé" * 33 + "x…", "unknown_member"),
    *[(with_member(name, 1).encode(), 422, name, "unknown_member") for name in ["credits_used", "text", "Message_text", "", "credit_hundredths", "id", "\u00e9"]],
]
FORMS = [
    ("application/json; charset=iso-8859-1", None, 415, "Content-Type"),
    ('application/x-ndjson;Charset="UTF-16"', None, 415, "Content-Type"),
    ("text/plain", None, 415, "Content-Type"), ("application/x-www-form-urlencoded", None, 415, "Content-Type"),
    ("application/json+x", None, 415, "Content-Type"), ("application/json", "gzip", 415, "Content-Encoding"),
]


class Poster:
    def __init__(self, socket, key):
        self.client = Client(socket)
        self.key = key

    def post(self, path, body, type="application/json", **fields):
        body = body if isinstance(body, bytes) else body.encode()
        headers = {"Content-Type": type, "Authorization": f"Bearer {self.key}"}
        headers |= {name.replace("_", "-"): value for name, value in fields.items()}
        self.client.request("POST", path, body=body, headers=headers)
        response = self.client.getresponse()
        return response.status, json.loads(response.read()), response


@pytest.fixture(scope="module")
def key(shared_site):
    return shared_site.key()


@pytest.fixture
def url(site):
    """The address of an empty database."""
    return site.url


@pytest.fixture
def poster(site, key):
    """A client with a key, of a responder that must report no error."""
    yield Poster(site.site, key)
    assert " error " not in site.log()


def count_records(url):
    return psql(url, "SELECT count(*) FROM usage_record").strip()


@pytest.mark.parametrize("path", ["/usage", "/usage/estimate"])
def test_a_wrong_message_is_refused_with_its_faults_and_not_stored(poster, url, path):
    for body, status, name, code in SINGLE:
        got, answer, response = poster.post(path, body)
        assert got == status, (body[:100], got, answer)
        assert response.getheader("Content-Type") == "application/problem+json"
        faults = [(f["in"], f["name"], f["code"]) for f in answer["errors"]]
        assert faults == [("body", name, code)], (body[:100], answer)
        assert "SELECT" not in answer["detail"] and len(json.dumps(answer)) < 2000
    for type, encoding, status, name in FORMS:
        fields = {"Content_Encoding": encoding} if encoding else {}
        got, answer, _ = poster.post(path, json.dumps(GOOD), type, **fields)
        assert got == status and answer["errors"][0]["name"] == name, (type, got, answer)
    everything = {"message_id": "x", "timestamp": 5, "report_name": "", "message_text": None, "b": 1, "a": 2}
    got, answer, _ = poster.post(path, json.dumps(everything))
    assert got == 422 and [f["name"] for f in answer["errors"]] == [
        "a", "b", "message_id", "timestamp", "report_name", "message_text"], answer
    assert count_records(url) == "0"


def test_in_a_batch_the_good_messages_are_stored_and_each_bad_one_is_named_by_index(poster, url):
    bad = [(body, name, code) for body, status, name, code in SINGLE if status == 422 and not body.startswith(b"\xef")]
    items, expected = [], []
    for index, (body, name, code) in enumerate(bad):
        items += [json.dumps({"message_id": 1000 + index, "message_text": "good"}).encode(), body]
        expected.append((2 * index + 1, name, code))
    for form in ("array", "lines"):
        psql(url, "TRUNCATE usage_record")
        if form == "array":
            status, answer, _ = poster.post("/usage", b"[" + b",".join(items) + b"]")
        else:
            status, answer, _ = poster.post("/usage", b"\n\n".join(items) + b"\n", "application/x-ndjson")
        assert status == 200 and answer["created"] == len(bad) and answer["invalid"] == len(bad), answer
        found = [(r["index"], r["errors"][0]["name"], r["errors"][0]["code"]) for r in answer["results"] if r["status"] == "invalid"]
        assert found == expected
        assert psql(url, "SELECT count(*), count(*) FILTER (WHERE message_text = 'good') FROM usage_record").strip() == f"{len(bad)}|{len(bad)}"
    # In NDJSON, a line that is not JSON is the only invalid one.
    lines = [b'{"message_id":1,"message_text":"a"}', b"{", rb'{"message_text":"\ud800"}', b'{"message_id":2,"message_text":"b"} x', b'{"message_id":3,"message_text":"c"}']
    psql(url, "TRUNCATE usage_record")
    status, answer, _ = poster.post("/usage", b"\r\n".join(lines), "application/x-ndjson")
    assert [r["status"] for r in answer["results"]] == ["created", "invalid", "invalid", "invalid", "created"], answer


def test_an_array_that_cannot_be_parsed_is_a_400_that_names_the_index(poster, url):
    good = '{"message_id":1,"message_text":"a"}'
    for body, name in [
        (f"[{good},{{]", "[1]"), (f"[{good},]", "[1]"), (f"[{good}", "[0]"), (f"[{good}]]", ""), (f"[{good} {good}]", "[0]"),
        ("[" * 5000, "[0]"), (f'[{good},{good},{{"message_text":"\\x"}}]', "[2]"), (f'[{good},{{"message_id":1e400],{good}]', "[1]"), ("[,]", "[0]"), ("[", "[0]"),
    ]:
        status, answer, _ = poster.post("/usage", body)
        assert status == 400 and answer["errors"][0]["name"] == name, (body[:80], status, answer)
    assert count_records(url) == "0"


def test_a_body_has_at_most_10_000_messages_and_8_mib(poster, url):
    items = [{"message_id": n, "message_text": "x"} for n in range(10_001)]
    status, answer, _ = poster.post("/usage", json.dumps(items))
    assert status == 413, answer
    status, answer, _ = poster.post("/usage", "\n".join(map(json.dumps, items)), "application/x-ndjson")
    assert status == 413, answer
    status, answer, _ = poster.post("/usage", json.dumps(items[:10_000]))
    assert status == 200 and answer["created"] == 10_000
    assert poster.post("/usage", "[]")[1] == {"created": 0, "duplicates": 0, "conflicts": 0, "invalid": 0, "results": []}
    psql(url, "TRUNCATE usage_record")
    # Up to 8 MiB with all that is around the text.
    text = "\u00e9" * (4 * 2**20 - 50)
    body = json.dumps({"message_id": 1, "message_text": text}, ensure_ascii=False).encode()
    status, answer, _ = poster.post("/usage", body)
    assert status == 201 and answer["credits_used"] == len(text) / 10, answer
    status, answer, _ = poster.post("/usage", body + b" " * 2**20)
    assert status == 413 and answer["status"] == 413


def test_all_that_is_allowed_is_recorded_or_recognised(poster, url):
    post = lambda value, path="/usage", **fields: poster.post(path, json.dumps(value), **fields)
    status, answer, response = post(GOOD)
    record = {"message_id": 1, "timestamp": "2024-01-01T00:00:00Z", "report_name": "r", "credits_used": 1.7}
    assert (status, answer) == (201, record) and response.getheader("Location") == "/usage/1"
    assert post(GOOD)[:2] == (200, {**record, "status": "duplicate"})
    # The same instant, written otherwise; and a retry that leaves the time to us.
    assert post({**GOOD, "timestamp": "2024-01-01T01:00:00.000+01:00"})[0] == 200
    assert post({k: v for k, v in GOOD.items() if k != "timestamp"})[:2] == (200, {**record, "status": "duplicate"})
    for other in [{"message_text": "other"}, {"report_name": "other"}, {"timestamp": "2024-01-01T00:00:01Z"}]:
        status, answer, _ = post({**GOOD, **other})
        assert status == 409 and [f["name"] for f in answer["errors"]] == list(other), answer
    unnamed = {k: v for k, v in GOOD.items() if k != "report_name"}
    assert post(unnamed)[0] == 409
    # `null` is the same as an absent member; and a byte order mark is not part of a body.
    nulls = {"message_id": None, "timestamp": None, "report_name": None}
    assert post({**nulls, "message_text": "x"})[0] == 201
    psql(url, "DELETE FROM usage_record WHERE message_id <> 1")
    assert post({**GOOD, "timestamp": None})[:2] == (200, {**record, "status": "duplicate"})
    for mark in (b"", b"\xef\xbb\xbf"):
        assert poster.post("/usage", mark + json.dumps(GOOD).encode())[:2] == (200, {**record, "status": "duplicate"})
        lines = mark + b"\n".join([json.dumps(GOOD).encode()] * 2)
        assert poster.post("/usage", lines, "application/x-ndjson")[1]["duplicates"] == 2
    for number in ("1.0", "10e-1", "0.1e1"):
        assert poster.post("/usage", json.dumps(GOOD).replace('"message_id": 1', f'"message_id":{number}'))[0] == 200
    for type in ["application/json; charset=utf-8", 'application/json;charset="UTF-8"', "Application/JSON", "application/json ;x=y"]:
        assert poster.post("/usage", json.dumps(GOOD), type)[0] == 200
    # Ids that the database chooses go around those that clients chose.
    for n in range(2, 40):
        assert post({"message_id": n, "message_text": "x"})[0] == 201
    chosen = [post({"message_text": "x"})[1]["message_id"] for _ in range(3)]
    status, answer, _ = post([{"message_text": "a"}, {"message_id": max(chosen) + 2, "message_text": "b"}, {"message_text": "c"}, {"message_text": "d"}])
    chosen += [r["message_id"] for r in answer["results"]]
    assert answer["created"] == 4 and len(set(chosen)) == len(chosen) and min(chosen) >= 40, answer
    # Several of one id in one batch: the first counts.
    status, answer, _ = post([{"message_id": 900, "message_text": t} for t in ("a", "b", "a")])
    assert [r["status"] for r in answer["results"]] == ["created", "conflict", "duplicate"], answer
    assert answer["results"][2] == {"index": 2, "message_id": 900, "status": "duplicate", "credits_used": 1.0}
    # An estimate stores nothing and needs no id.
    count = psql(url, "SELECT count(*) FROM usage_record")
    status, answer, _ = post([{"message_text": "x" * 50}, {"message_text": 5}], "/usage/estimate")
    assert answer["results"][0] == {
        "index": 0, "status": "estimated", "credits_used": 5.0, "receipt": {
            "characters": 50, "tokens": 12.5, "tokenizer": "characters", "credits_per_100_tokens": 40.0, "calculated": 5.0,
            "minimum": 1.0, "minimum_applied": False, "rate_effective_from": None}}, answer
    assert answer["results"][1]["status"] == "invalid"
    assert psql(url, "SELECT count(*) FROM usage_record") == count
