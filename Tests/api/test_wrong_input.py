"""Sends GET /usage, its sums and attributions every kind of nonsense: each fault is named, none is a 500."""

import json
import random
import urllib.parse

import pytest
from orbital import Client
from service import FILL

ROWS, SUMS, PARTS = "/usage", "/usage/summary", "/usage/attributions"
INSTANT = "2024-01-01T00:00:00Z"
INJECTIONS = [
    "'", "' OR 1=1 --", "'; DROP TABLE usage_record; --", "1) OR (1=1", "$1", "%27", "\\", "\x00",
    "a\x00b", "NULL", "\U0001f600", "-1", "+1", "1e3", "0x10", "1.5.5", " 1", "1 ", "１", "∞", "NaN",
    "Infinity", "9" * 30, "-" * 50, "true false", "[]", "{}", "<script>", "../../etc/passwd",
]

# (path, query as it is sent, the parameters that must be named, a code that must be among them)
CASES = [
    # Unknown, repeated, badly encoded.
    (ROWS, "x", ["x"], "unknown"), (ROWS, "=", [""], "unknown"), (ROWS, "=1", [""], "unknown"),
    (ROWS, "Limit=1", ["Limit"], "unknown"), (ROWS, "limit[]=1", ["limit[]"], "unknown"),
    (ROWS, "granularity=day", ["granularity"], "unknown"), (SUMS, "limit=1", ["limit"], "unknown"),
    (SUMS, "fields=all", ["fields"], "unknown"), (PARTS, "of=model&totals=true", ["totals"], "unknown"), (SUMS, "sort=timestamp", ["sort"], "unknown"),
    (SUMS, "cursor=a", ["cursor"], "unknown"),
    *[(ROWS, f"{name}={value}&{name}={value}", [name], "repeated") for name, value in [
        ("limit", "5"), ("from", INSTANT), ("to", INSTANT), ("tz", "UTC"), ("has_report", "true"),
        ("min_credits", "1"), ("max_credits", "1"), ("sort", "timestamp"), ("cursor", "AAAA"),
        ("format", "csv"), ("totals", "true"), ("fields", "all"), ("external_id", "a"), ("recorded_from", INSTANT),
        ("recorded_to", INSTANT)]],
    (PARTS, "of=model&of=model", ["of"], "repeated"), (PARTS, "of=model&prefix=a&prefix=b", ["prefix"], "repeated"),
    (SUMS, "granularity=day&granularity=day", ["granularity"], "repeated"),
    (SUMS, "tz=UTC&tz=Europe/London", ["tz"], "repeated"),
    *[(path, f"report_name={bad}", ["report_name"], "malformed") for path in (ROWS, SUMS) for bad in [
        "%", "%2", "%zz", "%ff", "%c3", "%c0%80", "%ed%a0%80", "%f5%80%80%80", "%00", "a%00b", "", "x" * 501,
        "%F0%9F%98%80" * 501]],
    (ROWS, "%ff=1", ["%ff=1"], "malformed"), (ROWS, "limit=%ff", ["limit"], "malformed"),
    (ROWS, "&".join(f"report_name={n}" for n in range(101)), ["report_name"], "too_many"),
    # Also where they are all the same: what OpenAPI can say is how many there are.
    (SUMS, "&".join(["report_name=a"] * 101), ["report_name"], "too_many"),
    (SUMS, "&".join(["user_id="] * 101), ["user_id"], "too_many"), (ROWS, "&".join(["tag=a:b"] * 101), ["tag"], "too_many"),
    # Who and what; an empty value means "without".
    *[(path, f"{name}={bad}", [name], "malformed") for path in (ROWS, SUMS) for name in ("user_id", "team_id", "model")
      for bad in ["x" * 201, "%F0%9F%98%80" * 201, "%00", "%ff"]],
    *[(path, f"external_id={bad}", ["external_id"], "malformed") for path in (ROWS, SUMS) for bad in ["", "x" * 256, "%00"]],
    *[(path, f"tag={bad}", ["tag"], "malformed") for path in (ROWS, SUMS) for bad in [
        "", "env", ":", ":prod", "a+b:c", "%C3%A9:c", "x" * 65 + ":c", "env:" + "x" * 201, "env%00:a", "env:%00"]],
    *[(ROWS, f"fields={bad}", ["fields"], "unknown") for bad in [
        "", ",", "message_id,", "ALL", "all,message_id", "text", "message_text", "credit_hundredths", "receipt", "user_id%20"]],
    (PARTS, "", ["of"], "missing"), (PARTS, "of=model&limit=1001", ["limit"], "out_of_range"),
    *[(PARTS, f"of={bad}", ["of"], "malformed") for bad in ["", "report_name", "tag", "tag:", "tag:a+b", "user_id,model", "tag:" + "x" * 65]],
    (PARTS, "of=x&prefix=%00&limit=0&tag=x&user_id=" + "x" * 201, ["of", "prefix", "limit", "tag", "user_id"], None),
    # Every fault at once.
    (ROWS, "limit=0&sort=x&tz=Mars/Base&from=x&to=y&has_report=2&totals=on&format=xml&bom=x&cursor=!!&min_credits=1e3&max_credits=1.234&q&tag=x&fields=y&recorded_to=z",
     ["limit", "sort", "tz", "from", "to", "has_report", "totals", "format", "bom", "cursor", "min_credits", "max_credits", "q", "tag",
      "fields", "recorded_to"], None),
    (ROWS, "local_times=x", ["local_times"], "malformed"), (SUMS, "local_times=true", ["local_times"], "unknown"),
    (SUMS, "granularity=year&tz=utc&from=1&to=2&has_report=yes&report_name=",
     ["granularity", "tz", "from", "to", "has_report", "report_name"], None),
    # Huge numbers, and what is nearly a number.
    *[(ROWS, f"limit={bad}", ["limit"], "out_of_range") for bad in ["0", "1001", "00", "99999999999999999999999"]],
    *[(ROWS, f"limit={bad}", ["limit"], "malformed") for bad in ["", "-1", "1.0", "1e2", "+5", "%2B5", "%205", "5%0A"]],
    *[(path, f"{name}={bad}", [name], "malformed") for path in (ROWS, SUMS) for name in ("min_credits", "max_credits") for bad in [
        "", "-", "--1", "-1.", "1.", ".5", "1.001", "1,5", "1e2", "%2B1", "99999999999999999999", "92233720368547758.08",
        "1" * 400, "%E2%88%9E"]],
    (ROWS, "min_credits=2&max_credits=1.99", ["min_credits"], "reversed"),
    (SUMS, "min_credits=-1&max_credits=-1.01", ["min_credits"], "reversed"),
    (ROWS, "recorded_from=2024-01-02&recorded_to=2024-01-01", ["recorded_from"], "reversed"),
    *[(SUMS, f"{name}={bad}", [name], "malformed") for name in ("recorded_from", "recorded_to") for bad in ["", "now", "2024-13-01"]],
    # Times.
    *[(path, f"{name}={bad}", [name], "malformed") for path in (ROWS, SUMS) for name in ("from", "to") for bad in [
        "", "now", "0", "1704067200", "2024", "2024-1-1", "2024-13-01", "2024-02-30", "2023-02-29", "0000-01-01",
        "10000-01-01", "2024-01-01T00:00:00", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:00%2B25:00",
        "2024-01-01T00:00:00+01:00", "2024-01-01T00:00:00.Z", "2024-01-01%00", "infinity", "-infinity", "2024-01-01T00:00:00Europe/London"]],
    *[(path, query, ["from"], "reversed") for path in (ROWS, SUMS) for query in [
        "from=2024-01-02&to=2024-01-01", "from=2024-01-01T00:00:00.000001Z&to=2024-01-01",
        "from=2024-01-01T00:00:00Z&to=2024-01-01T00:30:00%2B01:00", "from=9999-12-31&to=0001-01-01",
        "from=2024-01-01&to=2024-01-01T04:59:59Z&tz=America/New_York"]],
    # Time zones: PostgreSQL would take many of these.
    *[(path, f"tz={bad}", ["tz"], "unknown_time_zone") for path in (ROWS, SUMS) for bad in [
        "", "Mars/Base", "europe/london", "EUROPE/LONDON", "PST", "CEST", "UTC%2B3", "Mars/Base%2B3", "FOO3BAR", "%2B01:00", "+1",
        "posix/Europe/London", "right/UTC", "posixrules", "localtime", "Factory", "..%2FEtc", "Europe", "utc", "Z", "z" * 3000]],
    # Sorts, formats, flags, granularities.
    *[(ROWS, f"sort={bad}", ["sort"], "malformed") for bad in [
        "", ",", "timestamp,", "timestamp:", "timestamp:up", "timestamp:DESC", "text", "message_text", "credit_hundredths",
        "timestamp,timestamp", "timestamp:asc,timestamp:desc", "timestamp%20desc", "1", "random()", "timestamp;--"]],
    *[(ROWS, f"format={bad}", ["format"], "malformed") for bad in ["", "JSON", "xml", "text/csv", "json,csv"]],
    *[(ROWS, f"{name}={bad}", [name], "malformed") for name in ("has_report", "totals", "bom") for bad in ["", "2", "10", "yes", "on", "null", "true%20", "t"]],
    *[(ROWS, query, ["bom"], "unsupported") for query in ["bom=true", "bom=1&format=json", "format=ndjson&bom=TRUE"]],
    (ROWS, "bom=true&format=xml", ["format"], "malformed"), (SUMS, "bom=true", ["bom"], "unsupported"),
    *[(SUMS, f"granularity={bad}", ["granularity"], "malformed") for bad in ["", "Day", "year", "minute", "1", "days"]],
    # Groups, and what requires other parameters.
    *[(SUMS, f"group_by={bad}", ["group_by"], code) for bad, code in [
        ("", "unknown"), (",", "unknown"), ("user_id,", "unknown"), ("user", "unknown"), ("User_id", "unknown"), ("tags", "unknown"),
        ("tag:", "unknown"), ("tag:a+b", "unknown"), ("tag:" + "x" * 65, "unknown"), ("user_id;model", "unknown"),
        ("user_id,+model", "unknown"), ("user_id,%CC%81model", "unknown"), ("user_id,user_id", "repeated"), ("tag:a,tag:a", "repeated"),
        ("user_id,model,team_id", "too_many"), ("a,a,a,a", "too_many"), ("user_id,user_id,x", "too_many")]],
    *[(SUMS, f"{name}={value}&{name}={value}&granularity={granularity}&from=2024-01-01&to=2024-01-02{more}", [name], "repeated")
      for name, value, granularity, more in [
          ("group_by", "model", "day", ""), ("top", "5", "day", "&group_by=model"), ("compare", "previous", "day", ""),
          ("month_start", "2", "month", ""), ("week_start", "sunday", "week", ""), ("format", "csv", "day", "")]],
    *[(SUMS, f"group_by=model&top={bad}", ["top"], "out_of_range") for bad in ["0", "1001", "99999999999999999999999"]],
    *[(SUMS, f"group_by=model&top={bad}", ["top"], "malformed") for bad in ["", "-1", "1.0", "all"]],
    *[(SUMS, f"granularity=month&month_start={bad}", ["month_start"], "out_of_range") for bad in ["0", "29", "31"]],
    *[(SUMS, f"granularity=month&month_start={bad}", ["month_start"], "malformed") for bad in ["", "-1", "first", "1.5"]],
    *[(SUMS, f"granularity=week&week_start={bad}", ["week_start"], "malformed") for bad in ["", "Sunday", "sun", "0", "saturday"]],
    *[(SUMS, f"from=2024-01-01&to=2024-01-02&compare={bad}", ["compare"], "malformed") for bad in ["", "Previous", "true", "year"]],
    *[(SUMS, f"format={bad}", ["format"], "malformed") for bad in ["", "CSV", "xml", "ndjson"]],
    *[(SUMS, query, names, "unsupported") for query, names in [
        ("top=5", ["top"]), ("month_start=5", ["month_start"]), ("month_start=1", ["month_start"]), ("week_start=monday", ["week_start"]),
        ("granularity=week&month_start=5", ["month_start"]), ("granularity=month&week_start=sunday", ["week_start"]),
        ("granularity=total&month_start=5&week_start=sunday", ["month_start", "week_start"]), ("compare=previous", ["compare"]),
        ("compare=previous&from=2024-01-01", ["compare"]), ("compare=previous&to=2024-01-01", ["compare"]),
        ("compare=previous&from=2024-01-01&to=2024-01-02&format=csv", ["compare"]), ("bom=1&format=json", ["bom"])]],
    # What is malformed is not also said to be missing.
    (SUMS, "granularity=x&month_start=5", ["granularity"], "malformed"), (SUMS, "group_by=x&top=5", ["group_by"], "unknown"),
    (SUMS, "compare=previous&from=x&to=y", ["from", "to"], "malformed"),
    (SUMS, "group_by=x,user_id,user_id&top=0&compare=x&month_start=0&week_start=x&format=xml&bom=x&granularity=week",
     ["group_by", "top", "compare", "month_start", "week_start", "format", "bom"], None),
    # Too many buckets, with the one that fits.
    *[(SUMS, query, ["granularity"], "too_many_buckets") for query in [
        "from=2024-01-01&to=2025-01-02&granularity=day", "from=2024-01-01&to=2024-02-01T00:00:00.000001Z&granularity=hour",
        "from=2020-01-01&to=2025-01-01&granularity=week", "from=2014-01-01&to=2024-01-02&granularity=month",
        "from=0001-01-01&to=9999-12-31&granularity=day", "from=2024-10-01&to=2024-11-01&tz=Europe/London&granularity=hour"]],
    # Cursors.
    *[(ROWS, f"cursor={bad}", ["cursor"], "malformed") for bad in [
        "", "x", "AAAA", "%00", "====", "a+b", "A" * 5000, ".."]],
]
FITTING = {
    "from=2024-01-01&to=2025-01-02&granularity=day": "granularity=day gives 367 buckets, more than 366; use granularity=week.",
    "from=0001-01-01&to=9999-12-31&granularity=day": "granularity=day gives 3652058 buckets, more than 366; use granularity=total.",
    "from=2024-10-01&to=2024-11-01&tz=Europe/London&granularity=hour":
        "granularity=hour gives 745 buckets, more than 744; use granularity=day.",
}


@pytest.fixture
def client(site):
    """A client of a site with five records, whose responder must report no error."""
    site.psql(FILL.format(5))
    yield Client(site.site)
    assert " error " not in site.log()


def problem(answer, query):
    """The faults of a 400, by name."""
    assert answer.status == 400, (query[:200], answer.status, answer.body[:500])
    assert answer.getheader("Content-Type") == "application/problem+json", query
    body = json.loads(answer.body)
    assert body["status"] == 400 and body["errors"], body
    for fault in body["errors"]:
        assert fault["in"] == "query" and fault["message"] and fault["code"], fault
        for secret in ("SELECT", "usage_record ", "pg_", "syntax", "timestamptz"):
            assert secret not in fault["message"], fault
    return body["errors"]


def test_each_fault_of_a_query_is_named(client):
    for path, query, names, code in CASES:
        faults = problem(client.get(f"{path}?{query}"), query)
        assert sorted({f["name"] for f in faults}) == sorted(names), (query[:200], faults)
        assert code is None or code in {f["code"] for f in faults}, (query[:200], faults)
        if query in FITTING:
            assert faults[0]["message"] == FITTING[query], faults


def test_each_malformed_tag_is_named(client):
    faults = problem(client.get("/usage?tag=x&tag=env:prod&tag=a+b:c"), "tags")
    assert [fault["message"].split(" must")[0] for fault in faults] == ["tag=a b:c", "tag=x"], faults


def test_a_cursor_of_another_query_is_refused_and_another_limit_is_another_page(client):
    body = json.loads(client.get("/usage?limit=1&sort=report_name:asc&tz=UTC").body)
    cursor = body["next_cursor"]
    good = f"/usage?sort=report_name&tz=UTC&cursor={cursor}"
    assert client.get(good).status == 200
    assert client.get(good + "&limit=7&format=csv&totals=true&fields=user_id").status == 200
    others = [
        f"cursor={cursor}", f"sort=report_name:desc&cursor={cursor}", f"sort=report_name&from=2024-01-01&cursor={cursor}",
        f"sort=report_name&tz=Europe/London&cursor={cursor}", f"sort=report_name&has_report=true&cursor={cursor}",
        f"sort=report_name&report_name=a&cursor={cursor}", f"sort=report_name&min_credits=1&cursor={cursor}",
        f"sort=report_name&user_id=&cursor={cursor}", f"sort=report_name&tag=a:&cursor={cursor}",
        f"sort=report_name&external_id=a&cursor={cursor}", f"sort=report_name&recorded_to=2030-01-01&cursor={cursor}",
        f"sort=report_name,timestamp&cursor={cursor}", f"sort=report_name&cursor={cursor[:-1]}",
        f"sort=report_name&cursor={cursor}A", f"sort=report_name&cursor={cursor[:8]}AAAA{cursor[12:]}",
    ]
    for query in others:
        faults = problem(client.get(f"/usage?{query}"), query)
        assert [f["name"] for f in faults] == ["cursor"], (query, faults)


def test_any_value_of_any_parameter_is_accepted_or_refused_by_name(client):
    rows = ["from", "to", "tz", "report_name", "has_report", "min_credits", "max_credits", "sort", "limit",
            "cursor", "format", "totals", "bom", "x", "fields", "user_id", "model", "tag", "external_id", "recorded_from"]
    sums = ["from", "to", "tz", "report_name", "has_report", "granularity", "x", "team_id", "tag", "min_credits", "group_by", "top",
            "compare", "month_start", "week_start", "format", "bom"]
    rng = random.Random(20261124)
    for _ in range(4000):
        path, names = rng.choice([(ROWS, rows), (SUMS, sums)])
        name = rng.choice(names)
        value = rng.choice([
            rng.choice(INJECTIONS), "".join(rng.choices("0123456789-:TZ.+ ,adesc'\"%\\\0é\U0001f600", k=rng.randrange(30))),
            rng.randbytes(rng.randrange(20))])
        query = urllib.parse.urlencode([(name, value)])
        answer = client.get(f"{path}?{query}")
        if answer.status == 400:
            found = {f["name"] for f in problem(answer, query)}
            assert found in ({name}, {query}), (query, found)
        else:
            # Only some texts can be anything; the rest of these values mean nothing.
            assert answer.status == 200, (query, answer.status, answer.body[:300])
            assert name in ("report_name", "user_id", "team_id", "model", "external_id") or is_sound(name, value), (query, answer.body[:300])


def is_sound(name, value):
    """Whether random text happened to be a value."""
    text = value if isinstance(value, str) else value.decode("latin-1")
    if name in ("has_report", "totals", "bom"):
        return text.lower() in ("true", "false", "1", "0")
    if name == "tag":
        return ":" in text
    return name in ("limit", "min_credits", "max_credits") and text.strip("-.0123456789") == ""


def test_only_an_accept_field_that_no_format_fulfils_is_refused(client):
    for path, bad in [(PARTS + "?of=model", "image/png"), (ROWS, "image/png"), (ROWS, "application/json;q=0"), (SUMS, "application/x-ndjson")]:
        answer = client.get(path + "?limit=1" * (path == ROWS), Accept=bad)
        assert answer.status == 406, (path, bad, answer.status)
        assert json.loads(answer.body)["errors"][0]["name"] == "Accept"
    for odd in ["", ",", "\xff", "a/b/c", "*/*;q=x", "q=1", "text/csv;q=9, */*", "," * 5000]:
        assert client.get("/usage?limit=1", Accept=odd).status == 200, odd
        assert client.get("/usage?limit=1", If_None_Match=odd).status == 200, odd
