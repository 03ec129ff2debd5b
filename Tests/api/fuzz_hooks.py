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


def rfc3339(parts):
    moment, offset = parts
    return moment.isoformat().rjust(19, "0") + offset


# Nothing after today: a message of the future is refused, which a schema cannot say.
schemathesis.openapi.format("date-time", st.tuples(
    st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(2026, 1, 1)),
    st.sampled_from(["Z", "z", "+01:00", "-05:30", "+14:00"])).map(rfc3339))
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
    """The message with `7` for `7.0`: to JSON Schema that is an integer, to this API it is none."""
    number = message.get("message_id") if isinstance(message, dict) else None
    return message | {"message_id": int(number)} if isinstance(number, float) and number.is_integer() else message


@schemathesis.hook
def map_body(context, body):
    return [plain(item) for item in body] if isinstance(body, list) else plain(body)


@schemathesis.hook
def before_call(context, case, kwargs):
    """A cursor is worth something with its own query only: it is asked for with that."""
    if case.path != "/usage" or "cursor" not in (case.query or {}) or not case.meta.generation.mode.is_positive:
        return
    page = {name: value for name, value in case.query.items() if name not in ("cursor", "format", "totals")}
    page["sort"] = ",".join(page["sort"]) if isinstance(page.get("sort"), list) else page.get("sort")
    query = urllib.parse.urlencode(
        {name: str(value).lower() if isinstance(value, bool) else value
         for name, value in (page | {"limit": 1}).items() if value is not None}, doseq=True)
    headers = {"Authorization": case.headers["Authorization"]} if "Authorization" in (case.headers or {}) else {}
    answer = requests.get(f"{case.operation.base_url}/usage?{query}", headers=headers, timeout=60)
    cursor = answer.json().get("next_cursor")
    if cursor:
        case.query["cursor"] = cursor
    else:
        del case.query["cursor"]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Drops what is no failure, though it looks like one to whoever knows the schema only."""
    if isinstance(failure, RejectedPositiveData) and response.status_code == 400:
        # That two parameters contradict each other is nothing that OpenAPI could say.
        codes = {fault["code"] for fault in json.loads(response.content)["errors"]}
        return not codes <= {"reversed", "too_many_buckets"}
    if isinstance(failure, RejectedPositiveData) and response.status_code == 414:
        # A hundred long report names are good each, but together longer than an address may be.
        return len(response.request.url) < 32_000
    if isinstance(failure, AcceptedNegativeData) and case.media_type == "application/x-ndjson":
        # Any text has lines; each that is no message is named in the answer.
        return response.status_code != 200
    return True
