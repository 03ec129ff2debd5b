"""What schemathesis must be told of this API: its formats, and what no schema can say."""

import datetime
import json
import urllib.parse

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData

ZONES = ["UTC", "Europe/London", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Etc/GMT+12"]


def rfc3339(moment, offset="Z"):
    return moment.isoformat() + offset


# Nothing after today: a message of the future is refused, which a schema cannot say.
schemathesis.openapi.format("date-time", st.tuples(
    st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(2026, 1, 1)),
    st.sampled_from(["Z", "z", "+01:00", "-05:30", "+14:00"])).map(lambda parts: rfc3339(*parts)))
schemathesis.openapi.format("iana-time-zone", st.sampled_from(ZONES))
# Any text of this alphabet; `before_call` puts a real one in its place.
schemathesis.openapi.format("page-cursor", st.text("abcXYZ019-_", min_size=1, max_size=40))


@schemathesis.serializer("application/x-ndjson")
def lines_of(context, value):
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@schemathesis.deserializer("application/x-ndjson", "text/csv")
def text_of(context, response):
    return response.text


def plain(message):
    """The message with `7` for `7.0`: to JSON Schema that is an integer, to this API it is none. And with two decimals of
    the credits of a correction: a schema cannot say how many a number may have."""
    credits = message.get("credits_used") if isinstance(message, dict) else None
    if isinstance(credits, float) and 0.01 <= credits < 1e14:
        message = message | {"credits_used": round(credits, 2)}
    number = message.get("message_id") if isinstance(message, dict) else None
    return message | {"message_id": int(number)} if isinstance(number, float) and number.is_integer() else message


@schemathesis.hook
def map_body(context, body):
    return [plain(item) for item in body] if isinstance(body, list) else plain(body)


def instant(bound):
    """Roughly when a bound is, which is enough to tell what comes first."""
    return datetime.datetime.fromisoformat(bound[:10] + "T" + (bound[11:19] or "00:00:00"))


def settle(query):
    """Puts right what contradicts each other: nothing that OpenAPI could forbid."""
    for low, high, value in (("from", "to", instant), ("recorded_from", "recorded_to", instant), ("min_credits", "max_credits", float)):
        if query.get(low) and query.get(high) and value(query[low]) > value(query[high]):
            query[low], query[high] = query[high], query[low]
    if str(query.get("bom")).lower() == "true":
        query["format"] = "csv"


def settle_sums(query):
    """The same for what one parameter of sums requires of another."""
    if "group_by" not in query:
        query.pop("top", None)
    if "month_start" in query:
        query["granularity"] = "month"
        query.pop("week_start", None)
    if "week_start" in query:
        query["granularity"] = "week"
    if "compare" in query:
        query |= {"from": query.get("from", "2024-01-15"), "to": query.get("to", "2024-01-16"), "format": "json", "bom": False}


def is_lenient(value):
    """Whether this API accepts it as a boolean although JSON Schema does not: `1`, or Python's `True`."""
    is_plain = isinstance(value, bool) or value in ("true", "false")
    return not is_plain and str(value).lower() in ("true", "false", "0", "1")


def shorten(query):
    """A month, which may be divided into any buckets."""
    begin = min(instant(query.get("from", "2024-01-15")), datetime.datetime(9999, 12, 1))
    query["from"] = rfc3339(begin)
    query["to"] = rfc3339(begin + datetime.timedelta(days=30))


def cursor_of(case):
    """A cursor is worth something with its own query only: the service is asked for one."""
    page = {name: value for name, value in case.query.items() if name not in ("cursor", "format", "totals", "bom")}
    for name in ("sort", "fields"):
        if isinstance(page.get(name), list):
            page[name] = ",".join(page[name])
    texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in page.items()}
    headers = {name: value for name, value in (case.headers or {}).items() if name == "Authorization"}
    answer = requests.get(
        f"{case.operation.base_url}/usage?{urllib.parse.urlencode(texts | {'limit': 1}, doseq=True)}",
        headers=headers, timeout=60)
    return answer.json().get("next_cursor") if answer.ok else None


@schemathesis.hook
def before_call(context, case, kwargs):
    if not case.meta or not case.meta.generation.mode.is_positive:
        return
    if case.path.endswith("/correction") and isinstance(case.body, dict):
        # Few ids are those of records, and few amounts are less than what is left.
        case.path_parameters["message_id"] = 1 + len(str(case.body)) % 2
        if isinstance(case.body.get("credits_used"), (int, float)):
            case.body["credits_used"] = 0.01
            case.body["external_id"] = case.body.get("external_id") or "correction"
    if case.path == "/budgets/{name}":
        # Few names are those of budgets.
        case.path_parameters["name"] = ["all", "research"][len(case.path_parameters["name"]) % 2]
    if case.query is None:
        return
    if case.path == "/usage/summary":
        settle_sums(case.query)
    if case.path in ("/usage", "/usage/summary", "/usage/attributions"):
        settle(case.query)
    if case.path == "/usage/summary" and case.query.get("granularity", "total") != "total":
        shorten(case.query)
    if case.path == "/usage" and "cursor" in case.query:
        cursor = cursor_of(case)
        if cursor:
            case.query["cursor"] = cursor
        else:
            del case.query["cursor"]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Drops what is no failure, though it looks like one to whoever knows the schema only."""
    if isinstance(failure, RejectedPositiveData) and response.status_code in (400, 422):
        # The remaining contradictions, such as bounds that a time zone reverses; and timestamps that the schema
        # cannot exclude: before 2000, or in the future; more cached tokens than input; Idempotency-Key with a list, or
        # with quotes around nothing; a correction of a part without an id in body or header.
        known = {("timestamp", "out_of_range"), ("input_tokens", "out_of_range"), ("external_id", "missing")} | {
            ("Idempotency-Key", code) for code in ("malformed", "too_long", "unsupported")}
        codes = {fault["code"] for fault in json.loads(response.content)["errors"]
                 if (fault["name"], fault["code"]) not in known}
        return not codes <= {"reversed", "too_many_buckets", "in_the_future"}
    if isinstance(failure, RejectedPositiveData) and response.status_code == 414:
        # A hundred long report names are good each, but together longer than an address may be.
        return len(response.request.url) < 32_000
    if isinstance(failure, AcceptedNegativeData) and case.media_type == "application/x-ndjson":
        # Any text has lines; each that is no message is named in the answer.
        return response.status_code != 200
    if isinstance(failure, AcceptedNegativeData):
        return not any(is_lenient((case.query or {}).get(name)) for name in ("has_report", "is_correction", "totals", "bom", "ended"))
    return True
