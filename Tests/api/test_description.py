"""Compares openapi.json with the live service, in both directions."""

import json
import re
import time

import pytest
import requests
from openapi import DOCUMENT, ROOT, check, check_values, resolved, responses
from openapi_spec_validator import OpenAPIV31SpecValidator
from orbital import CONTRACT_RECORDS, psql

# What a response example is the answer to, as its summary says.
REQUEST = re.compile(r'([A-Z]+) (/\S*?)(?:, body "(\w+)")?(?:, ([A-Z][A-Za-z-]+): (.+))?')
# Of the connection, not of the answer.
COMMON_FIELDS = {"server", "date", "connection", "transfer-encoding", "content-length", "content-type", "content-encoding"}
# What takes a fault that this test cannot make; the texts are looked up where they come from.
UNASKED = {
    "GET /usage above the limit": "nginx/orbital.conf",
    "GET /usage while the service restarts": "nginx/orbital.conf",
    "GET /usage without a response for two minutes": "nginx/orbital.conf",
    "GET /usage with an unexpected error": "Sources/orbital-fcgi/Responder.swift",
    "GET /usage while PostgreSQL is unavailable": "Sources/orbital-fcgi/Responder.swift",
}
# A record with all that a message can have.
ATTRIBUTED = """INSERT INTO usage_record (message_id, external_id, "timestamp", recorded_at, attribution_id, input_tokens,
        output_tokens, cache_read_input_tokens, credit_hundredths)
    VALUES (8, 'chatcmpl-8', '2024-01-16T09:00:00Z', '2024-01-16T09:00:01Z',
        usage_attribution('u-17', 'legal', 'gpt-5', '{"env":"prod"}'), 1200, 305, 800, 375) ON CONFLICT DO NOTHING"""
# A budget whose life is over, so that its period does not change.
BUDGET = """INSERT INTO budget (name, user_id, credit_hundredths, every, zone_id, begins_at, ends_at, thresholds)
    SELECT 'research', 'u-17', 500, 'month', zone_id, '2024-01-01Z', '2024-02-01Z', '{50,80,100}' FROM usage_zone"""
# What must have happened before.
BEFORE = {
    "GET /budgets?ended=true": ATTRIBUTED,
    "GET /budgets/research?ended=true": ATTRIBUTED,
    "GET /usage?user_id=u-17&tag=env:prod&fields=all": ATTRIBUTED,
    "GET /usage?format=csv&external_id=chatcmpl-8&fields=credits_used,user_id,tags": ATTRIBUTED,
    "GET /usage/summary?from=2024-01-16&to=2024-01-17&external_id=chatcmpl-8&group_by=user_id,tag:env&compare=previous": ATTRIBUTED,
    "GET /usage/attributions?of=user_id&external_id=chatcmpl-8": ATTRIBUTED,
    "GET /usage/attributions?of=tag:env&external_id=chatcmpl-8&format=csv": ATTRIBUTED,
    "GET /usage/attributions?of=model&external_id=chatcmpl-8&format=ndjson": ATTRIBUTED,
    "GET /usage/7": """INSERT INTO usage_record (message_id, "timestamp", message_text, credit_hundredths)
        VALUES (7, '2024-01-14T09:00:00Z', 'Migrated', 500)""",
    "GET /health while the schema is old":
        "DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)",
}


def masked(text):
    """An answer without what differs from one to the next."""
    text = re.sub(r'"(request|key)_id":"[^"]*"', r'"\1_id":""', text)
    text = re.sub(r'"revision":[0-9]+', '"revision":0', text)
    return re.sub(r'("status":"(?:un)?healthy","timestamp":)"[^"]*"', r'\1""', text)


def request_of(summary, operation, keys):
    """The request that a summary names: (method, target, body, header fields)."""
    special = {
        "POST /usage with a body of one brace": ("POST", "/usage", "{", {}),
        "POST /usage with 10,001 messages": ("POST", "/usage", json.dumps([{}] * 10_001), {}),
        "GET /usage with an address of 40 KB": ("GET", "/usage?" + "x" * 40_000, None, {}),
        "GET /health while the schema is old": ("GET", "/health", None, {}),
    }
    if summary in special:
        return special[summary]
    method, target, key, name, value = REQUEST.fullmatch(summary).groups()
    body, fields = None, {}
    if key:
        path = re.sub(r"(?<=/)[0-9]+(?=/)", "{message_id}", target.partition("?")[0])
        for media_type, media in DOCUMENT["paths"][path]["post"]["requestBody"]["content"].items():
            if key in media["examples"]:
                example = media["examples"][key]["value"]
                body = example if isinstance(example, str) else json.dumps(example)
                fields["Content-Type"] = media_type
    if name:
        fields[name] = re.sub("orb_<(.+)>", lambda words: keys[words[1]], value)
    return method, target, body, fields


# The header fields of each response that were seen, by the response's identity.
SEEN = {}


def check_fields(answer, response, what):
    """Every header field is described, and every field that is said to be there is."""
    site = re.findall(r"^add_header (\S+)", (ROOT / "nginx/snippets/orbital-headers.conf").read_text(), re.M)
    described = {name.lower(): resolved(header) for name, header in response.get("headers", {}).items()}
    received = {name.lower(): value for name, value in answer.headers.items()}
    more = set(received) - set(described) - COMMON_FIELDS - {name.lower() for name in site}
    assert not more, (what, "not described", more)
    SEEN.setdefault(id(response), (what, set(described), set()))[2].update(received)
    for name, header in described.items():
        assert name in received or not header.get("required"), (what, "missing", name)
        if name in received:
            is_number = header["schema"]["type"] == "integer"
            check(header["schema"], int(received[name]) if is_number else received[name], (what, name))


def asked(url, key, keys, example, media_type, status, response, operation):
    method, target, body, fields = request_of(example["summary"], operation, keys)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Accept": "*/*"} | fields
    answer = requests.request(method, url + target, data=body, headers=headers, timeout=60)
    what = (example["summary"], answer.text[:500])
    assert answer.status_code == status, (status, answer.status_code, what)
    assert answer.headers["Content-Type"].split(";")[0] == media_type, what
    expected = example["value"]
    if isinstance(expected, str):
        assert answer.content.decode() == expected, what
    else:
        text = masked(json.dumps(expected, separators=(",", ":"), ensure_ascii=False))
        # The order of members is part of the contract; `15.60` is what Python writes as 15.6.
        got = json.dumps(json.loads(masked(answer.text)), separators=(",", ":"), ensure_ascii=False)
        assert got == text, (got, text)
    check_fields(answer, response, what[0])


def check_answers(url, key, keys, database):
    """Every example of a response is what the service answers to the request in its summary."""
    examples, unasked = {}, set()
    for path, operation, status, response in responses():
        for media_type, media in response.get("content", {}).items():
            for example in media.get("examples", {}).values():
                if example["summary"] in UNASKED:
                    unasked.add(example["summary"])
                    place = UNASKED[example["summary"]]
                    assert example["value"]["detail"] in (ROOT / place).read_text(), (place, example)
                else:
                    examples[example["summary"], status] = (example, media_type, status, response, operation)
    assert unasked == set(UNASKED), unasked
    # Reading comes first; recording comes before recording again, and before correcting; what needs SQL comes last.
    order = lambda one: (one[0]["summary"] in BEFORE, one[0]["summary"].startswith("POST"),
                         "/correction" in one[0]["summary"], one[2] != 201)
    for one in sorted(examples.values(), key=order):
        if one[0]["summary"] in BEFORE:
            psql(database, BEFORE[one[0]["summary"]])
        if "/health while" in one[0]["summary"]:
            # PostgreSQL is asked for its health twice a second at the most; a second is promised.
            deadline = time.monotonic() + 1
            while requests.get(f"{url}/health", timeout=60).ok and time.monotonic() < deadline:
                pass
        asked(url, key, keys, *one)
    return len(examples)


def filled(path):
    """A path with what it requires."""
    return (path.replace("{message_id}", "1").replace("/attributions", "/attributions?of=user_id")
            .replace("/{name}", "/research?ended=true"))


def check_revalidation(url, key):
    """An answer that the client has is a 304, with the fields that are described and no body."""
    for path in ("/usage", "/usage/summary", "/usage/attributions", "/usage/{message_id}", "/budgets", "/budgets/{name}"):
        target, headers = url + filled(path), {"Authorization": f"Bearer {key}"}
        tag = requests.get(target, headers=headers, timeout=60).headers["ETag"]
        answer = requests.get(target, headers=headers | {"If-None-Match": tag}, timeout=60)
        assert answer.status_code == 304 and not answer.content, path
        check_fields(answer, resolved(DOCUMENT["paths"][path]["get"]["responses"]["304"]), (path, 304))


def check_closed(url, key, database):
    """Lists have one more field once books are closed."""
    psql(database, "INSERT INTO usage_closing (closed_before, directory) VALUES ('2024-01-01Z', '/archive')")
    headers = {"Authorization": f"Bearer {key}"}
    for target in ("/usage", "/usage?limit=1", "/usage?format=csv"):
        answer = requests.get(url + target, headers=headers, timeout=60)
        described = resolved(DOCUMENT["paths"]["/usage"]["get"]["responses"]["200"])
        assert answer.headers["X-Usage-Closed-Before"] == "2024-01-01T00:00:00Z", target
        check_fields(answer, described, target)


def check_seen():
    """No field is described that never comes."""
    for what, described, received in SEEN.values():
        assert described <= received, (what, "never came", described - received)


def check_parameters(url, key):
    """The service knows the parameters that are described, and says so itself; it knows no other."""
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            described = [p["name"] for p in map(resolved, operation.get("parameters", [])) if p["in"] == "query"]
            if path.startswith("/health"):
                # Monitors add parameters of their own.
                assert not described and requests.request(method, url + path + "?x&y=%ff", timeout=60).ok, path
                continue
            answer = requests.request(
                method, url + path.replace("{message_id}", "1").replace("{name}", "research") + "?x", timeout=60,
                headers={"Authorization": f"Bearer {key}"}, data="{}" if method == "post" else None)
            message = next(fault["message"] for fault in answer.json()["errors"] if fault["name"] == "x")
            known = re.search(r" accepts (?!none)(.+)\.$", message)
            assert sorted(known[1].split(", ") if known else []) == sorted(described), (path, message)


# Another value than the one without the parameter.
OTHER = {"from": "2024-01-02", "to": "2024-01-02", "tz": "Asia/Tokyo", "report_name": "x", "has_report": "true", "is_correction": "true",
         "min_credits": "1", "max_credits": "9", "sort": "credits_used", "limit": "1", "format": "csv",
         "totals": "true", "granularity": "month", "bom": "true", "fields": "all", "user_id": "x", "team_id": "x", "model": "x",
         "tag": "env:x", "external_id": "x", "recorded_from": "2024-01-02", "recorded_to": "2024-01-02", "of": "model",
         "prefix": "x", "local_times": "true", "group_by": "model", "top": "5", "compare": "previous", "month_start": "15", "week_start": "sunday",
         "ended": "true"}
# Other parameters that a parameter requires.
NEEDED = {"bom": {"format": "csv"}, "top": {"group_by": "model"}, "compare": {"from": "2024-01-01", "to": "2024-01-02"},
          "month_start": {"granularity": "month"}, "week_start": {"granularity": "week"}}


def check_names(url, key):
    """Every parameter is part of the ETag, and so of the cache key."""
    def get(path, parameters):
        answer = requests.get(
            url + path, params=parameters, headers={"Authorization": f"Bearer {key}"}, timeout=60)
        assert answer.status_code == 200, (path, parameters, answer.text)
        return answer
    for path in ("/usage", "/usage/summary", "/usage/attributions", "/budgets"):
        required = {"of": "user_id"} if path == "/usage/attributions" else {}
        names = [p["name"] for p in map(resolved, DOCUMENT["paths"][path]["get"]["parameters"]) if p["in"] == "query"]
        for name in names:
            if name == "cursor":
                first = get(path, {"limit": "1"})
                changed = get(path, {"limit": "1", "cursor": first.json()["next_cursor"]})
            else:
                needed = required | NEEDED.get(name, {})
                first, changed = get(path, needed), get(path, needed | {name: OTHER[name]})
            assert first.headers["ETag"] != changed.headers["ETag"], (path, name)


def check_methods(url, key):
    """Each path supports the described methods, HEAD and OPTIONS, and refuses others with a 405 that lists them."""
    headers = {"Authorization": f"Bearer {key}"}
    for path, operations in DOCUMENT["paths"].items():
        target = url + filled(path)
        methods = [method for get in operations if get == "get" for method in ("GET", "HEAD")]
        allowed = ", ".join(methods + ["POST"] * ("post" in operations) + ["OPTIONS"])
        options = requests.options(target, timeout=60)
        assert (options.status_code, options.headers["Allow"]) == (204, allowed), (path, options.headers)
        for method in ("PUT", "DELETE", "PATCH", "TRACE", "QUERY"):
            answer = requests.request(method, target, timeout=60)
            problem = answer.json()
            assert (answer.status_code, answer.headers["Allow"]) == (405, allowed), (method, path, answer.headers)
            assert problem["detail"] == f"Allowed methods: {allowed}.", (method, path, problem)
            check(DOCUMENT["components"]["schemas"]["Problem"], problem, (method, path))
        if "get" in operations:
            get, head = (requests.request(method, target, headers=headers, timeout=60) for method in ("GET", "HEAD"))
            assert head.status_code == get.status_code == 200 and not head.content, path
            names = [{name.lower() for name in answer.headers} - COMMON_FIELDS for answer in (get, head)]
            assert names[0] == names[1], (path, names)


def check_statuses():
    """Every status of the service and of nginx is described, and no other."""
    ours = {int(code) for code in re.findall(r"Status\(code: (\d+)", (ROOT / "Sources/HTTP/Status.swift").read_text())}
    described = {status for _, _, status, _ in responses()}
    # OPTIONS is described in prose.
    assert described - ours == {414, 429, 502, 504}, described - ours
    assert ours - described == {204}, ours - described


def test_every_example_of_the_description_fits_its_schema():
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    assert check_values() > 0


def test_every_status_is_described():
    check_statuses()


@pytest.mark.parametrize("access", ["open", "keyed"])
def test_the_service_does_what_the_description_says(start_site, access):
    site = start_site(ACCESS=access)
    psql(site.url, CONTRACT_RECORDS + ";" + BUDGET)
    url, key = f"http://127.0.0.1:{site.port}", site.key("usage:read", "usage:write", "usage:correct")
    SEEN.clear()
    check_methods(url, key)
    check_parameters(url, key)
    check_names(url, key)
    check_revalidation(url, key)
    keys = {"a key for reading": site.key("usage:read"),
            "a bound key": site.key("usage:read", bounds=("--user", "u-17", "--tag", "env:prod"))}
    check_answers(url, key, keys, site.url)
    check_closed(url, key, site.url)
    check_seen()
