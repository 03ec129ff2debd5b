"""The contract, asked of any installation from outside, on an empty database.

usage: contract.py URL KEY [--chunked refused] [--too-large any]
                   [--breaks visibly|unseen DATABASE_URL]

The service must ask readers for a key (ACCESS=keyed); KEY has usage:read and usage:write. The options
say what a web server in front does otherwise:
  --chunked refused    a body without a length is refused with a 411
  --too-large any      a body over 8 MiB is refused with a 413 in the server's own words
  --breaks … DATABASE  breaks the last answer off, which the client must see, or cannot see: then only
                       the missing end tells. Afterwards the database is of no use.
"""

import argparse
import http.client
import json
import re
import subprocess
import urllib.parse

RECORDS = (
    '{"message_id":1,"timestamp":"2024-01-15T14:30:00Z","report_name":"Contract Analysis","credits_used":15.60}',
    '{"message_id":2,"timestamp":"2024-01-15T15:45:00Z","credits_used":8.20}',
)
USAGE = '{"usage":[' + ",".join(RECORDS) + "]}"
NAME = "Übersicht – 報告 & Söhne"

# One row of the table cannot be read any more: an error amid the answer.
BREAK = """
INSERT INTO usage_record (message_id, "timestamp", message_text, credit_hundredths)
SELECT 1000000 + n, '2025-01-01Z'::timestamptz + n * interval '1 s', 'x', 100
FROM generate_series(1, 100000) AS n;
VACUUM (ANALYZE) usage_record;
ALTER TABLE usage_record RENAME TO usage_record_whole;
CREATE VIEW usage_record AS SELECT message_id, "timestamp", report_name, credit_hundredths
    + 0 / (message_id - 1090000) AS credit_hundredths
    FROM usage_record_whole;
"""


class Site:
    """The installation at a URL; every request has a connection of its own."""

    def __init__(self, url, key):
        self.host = urllib.parse.urlsplit(url).netloc
        self.key = key

    def ask(self, target, method="GET", body=None, key=True, **fields):
        connection = http.client.HTTPConnection(self.host, timeout=60)
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if key:
            headers["Authorization"] = f"Bearer {self.key}"
        # Bytes get a Content-Length, an iterator is sent in chunks.
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        answer.body = answer.read()
        connection.close()
        return answer

    def post(self, body, target="/usage", **fields):
        data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return self.ask(target, "POST", data, **{"Content_Type": "application/json", **fields})


def expect(answer, status, body=None, kind="application/json"):
    """Holds the answer against what it must be."""
    text = answer.body.decode()
    seen = f"{answer.status} {dict(answer.headers)} {text[:600]!r}"
    assert answer.status == status, f"{status} was expected, not {seen}"
    assert body is None or text == body, f"{body!r} was expected, not {seen}"
    if answer.body:
        assert answer.headers["Content-Type"].split(";")[0] == kind, f"{kind} was expected: {seen}"
    return answer


def problem(answer, status, *names):
    """Expects problem+json with a fault for each of `names`."""
    content = json.loads(expect(answer, status, kind="application/problem+json").body)
    assert content["status"] == status and content["title"] and content["request_id"], content
    assert sorted(fault["name"] for fault in content.get("errors", [])) == sorted(names), content
    return answer, content


def health(site):
    for path in ("/health", "/health/ready", "/health/live"):
        # Monitors add a parameter.
        answer = expect(site.ask(f"{path}?cachebuster=1", key=False), 200)
        assert json.loads(answer.body)["status"] in ("healthy", "ready", "live"), answer.body
        assert answer.headers["Cache-Control"] == "no-store"
    assert re.fullmatch(
        rb'\{"status":"healthy","timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"\}',
        site.ask("/health", key=False).body)


def access(site):
    for fields in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic YTpi"},
                   {"Remote_User": "ann"}):
        answer, _ = problem(site.ask("/usage", key=False, **fields), 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer"), dict(answer.headers)
        answer, _ = problem(site.ask("/me", key=False, **fields), 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer"), dict(answer.headers)
    me = expect(site.ask("/me"), 200)
    assert re.fullmatch(rb'\{"key_id":"%s","name":".+","scopes":\["usage:read","usage:write"\]\}'
                        % site.key.split("_")[1].encode(), me.body), me.body
    assert me.headers["Cache-Control"] == "no-store", dict(me.headers)
    message = {"message_id": 1, "message_text": "x"}
    problem(site.ask("/usage", "POST", json.dumps(message), key=False,
                     Content_Type="application/json"), 401)


def recording(site):
    expect(site.ask("/usage"), 200, '{"usage":[]}')
    first = {"message_id": 1, "timestamp": "2024-01-15T14:30:00Z",
             "report_name": "Contract Analysis", "message_text": "x" * 156}
    created = expect(site.post(first), 201, RECORDS[0])
    receipt = json.loads(expect(site.ask(created.headers["Location"]), 200).body)
    assert receipt["receipt"]["characters"] == 156, receipt
    assert created.headers["Location"] == "/usage/1", created.headers["Location"]
    expect(site.post(first), 200, RECORDS[0][:-1] + ',"status":"duplicate"}')
    problem(site.post({**first, "message_text": "y"}), 409, "message_text")
    problem(site.post({"message_id": "1"}), 422, "message_id", "message_text")
    problem(site.post(b"{"), 400, "")
    problem(site.post(first, Content_Type="text/plain"), 415, "Content-Type")
    second = {"message_id": 2, "timestamp": "2024-01-15T15:45:00Z", "message_text": "x" * 82}
    counts = json.loads(expect(site.post([second, first, {}]), 200).body)
    assert [item["status"] for item in counts["results"]] == ["created", "duplicate", "invalid"]
    estimate = expect(site.post({"message_text": "What is the rent?"}, "/usage/estimate"), 200)
    assert estimate.body.startswith(b'{"credits_used":1.70,'), estimate.body


def reading(site):
    answer = expect(site.ask("/usage"), 200, USAGE)
    for name in ("ETag", "X-Usage-Revision", "Cache-Control"):
        assert answer.headers[name], f"{name} is missing: {dict(answer.headers)}"
    head = expect(site.ask("/usage", "HEAD"), 200, "")
    assert head.headers["ETag"] == answer.headers["ETag"]
    marked = answer.headers["ETag"][:-1] + '-gzip"'
    for tag in (answer.headers["ETag"], marked):
        same = expect(site.ask("/usage", If_None_Match=tag), 304, "")
        assert same.headers["ETag"] == answer.headers["ETag"], dict(same.headers)
    for one in (answer, head, same):
        names = sorted(name.strip() for name in one.headers["Vary"].split(","))
        assert names == ["Accept", "Accept-Encoding", "Authorization"], dict(one.headers)
    expect(site.ask("/usage", If_None_Match='"other"'), 200, USAGE)
    totals = expect(site.ask("/usage?has_report=True&totals=1", "HEAD"), 200, "")
    assert totals.headers["X-Total-Credits"] == "15.60", dict(totals.headers)
    page = expect(site.ask("/usage?limit=1&sort=credits_used:asc"), 200)
    link = re.fullmatch('<(.+)>; rel="next"', page.headers["Link"])[1]
    assert link.startswith("/usage?"), link
    expect(site.ask(link), 200, '{"usage":[' + RECORDS[0] + "]}")
    summary = expect(site.ask("/usage/summary?granularity=total&tz=Europe/London"), 200)
    assert json.loads(summary.body)["totals"] == {"messages": 2, "reports": 1, "credits_used": 23.8}


def formats(site):
    lines = "".join(record + "\n" for record in RECORDS)
    ndjson = "application/x-ndjson"
    expect(site.ask("/usage", Accept=ndjson), 200, lines, ndjson)
    expect(site.ask("/usage?format=ndjson"), 200, lines, ndjson)
    csv = expect(site.ask("/usage?format=csv"), 200, kind="text/csv",
                 body="message_id,timestamp,report_name,credits_used\r\n"
                      "1,2024-01-15T14:30:00Z,Contract Analysis,15.60\r\n"
                      "2,2024-01-15T15:45:00Z,,8.20\r\n")
    assert csv.headers["Content-Disposition"].startswith("attachment;"), dict(csv.headers)
    problem(site.ask("/usage", Accept="image/png"), 406, "Accept")


def refusals(site):
    problem(site.ask("/usage?limit=0&tz=Mars/Base&colour=red"), 400, "limit", "tz", "colour")
    _, content = problem(site.ask("/usage/nothing"), 404)
    assert content["instance"] == "/usage/nothing", content
    for path in ("/usage", "/health", "/me"):
        _, content = problem(site.ask(f"{path}/"), 404)
        assert content["detail"] == f"Path {path}/ not found. Did you mean {path}?", content
    answer, _ = problem(site.ask("/usage", "DELETE"), 405)
    assert answer.headers["Allow"] == "GET, HEAD, POST, OPTIONS", dict(answer.headers)
    options = expect(site.ask("/usage", "OPTIONS", key=False), 204, "")
    assert options.headers["Allow"] == "GET, HEAD, POST, OPTIONS", dict(options.headers)


def names(site):
    message = {"message_id": 3, "timestamp": "2024-01-16T00:00:00Z", "report_name": NAME}
    expect(site.post({**message, "message_text": "x"}), 201)
    plus = re.sub("%..", lambda code: code[0].lower(), urllib.parse.quote_plus(NAME))
    for encoded in (urllib.parse.quote(NAME, safe=""), plus):
        found = json.loads(expect(site.ask(f"/usage?report_name={encoded}"), 200).body)["usage"]
        assert found == [{**message, "credits_used": 1.0}], found
    assert site.ask("/usage?report_name=%FF").status == 400


def bodies(site, options):
    large = expect(site.post({"message_id": 4, "message_text": "x" * 1_000_000}), 201)
    assert json.loads(large.body)["credits_used"] == 100000, large.body
    # 8 MiB to the byte, and one more.
    start, end = b'{"message_id":5,"message_text":"', b'"}'
    text = b"x" * ((8 << 20) - len(start) - len(end))
    expect(site.post(start + text + end), 201)
    over = site.post(start + text + b"x" + end)
    if options.too_large == "any":
        assert over.status == 413, (over.status, over.body[:300])
    else:
        problem(over, 413)
    parts = [b'{"message_id":6,"message_', b'text":"What is the rent?"}']
    chunked = site.ask("/usage", "POST", iter(parts), Content_Type="application/json")
    if options.chunked == "refused":
        assert chunked.status == 411, chunked.status
        return
    assert json.loads(expect(chunked, 201).body)["credits_used"] == 1.7, chunked.body


def page(site):
    answer = expect(site.ask("/", key=False), 200, kind="text/html")
    assert b"<html" in answer.body
    # Beside the service's own paths, not among them.
    expect(site.ask("/css/theme.css", key=False), 200, kind="text/css")
    expect(site.ask("/docs", key=False), 200, kind="text/html")
    description = expect(site.ask("/openapi.json", key=False), 200)
    assert "/usage" in json.loads(description.body)["paths"]


def breaking(site, how, database):
    """An aborted response is visible as such, where the server can show that."""
    subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", database, "-f", "-"],
                   input=BREAK, text=True, check=True)
    try:
        answer = site.ask("/usage")
        seen = f"{answer.status}, {len(answer.body)} bytes, ending {answer.body[-40:]!r}"
        assert not answer.body.endswith(b"]}"), f"the answer does not break off: {seen}"
        visible = answer.status >= 500
    except (http.client.IncompleteRead, ConnectionResetError, http.client.RemoteDisconnected) as error:
        seen, visible = repr(error)[:200], True
    assert visible == (how == "visibly"), f"the broken answer: {seen}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("key")
    parser.add_argument("--chunked", choices=["refused"])
    parser.add_argument("--too-large", choices=["any"])
    parser.add_argument("--breaks", nargs=2, metavar=("HOW", "DATABASE_URL"))
    options = parser.parse_args()
    site = Site(options.url, options.key)
    parts = [health, access, recording, reading, formats, refusals, names]
    for part in parts:
        part(site)
    bodies(site, options)
    page(site)
    if options.breaks:
        breaking(site, *options.breaks)
    print(f"contract: holds at {options.url}")


main()
