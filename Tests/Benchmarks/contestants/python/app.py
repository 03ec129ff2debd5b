"""The usage API in Python, tuned: RSGI on Granian, asyncpg, msgspec; PostgreSQL writes the records' JSON."""

import datetime
import os
import sys
from typing import Annotated
from urllib.parse import parse_qs

import asyncpg
import msgspec

JSON = [("content-type", "application/json")]
TEXT = [("content-type", "text/plain")]

# Two decimals from integers, and the fraction of a second only where there is one.
RECORDS = """
    SELECT '{"message_id":' || message_id || ',"timestamp":"'
        || replace(to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', '')
        || 'Z"' || coalesce(',"report_name":' || to_json(report_name)::text, '')
        || ',"credits_used":' || credit_hundredths / 100 || '.'
        || right((100 + credit_hundredths % 100)::text, 2) || '}' AS record
    FROM usage_record ORDER BY "timestamp", message_id
"""
PAGE = f"SELECT string_agg(record, ',') FROM ({RECORDS} LIMIT $1) AS page"
NEXT_IDS = "SELECT nextval('usage_record_message_id_seq') FROM generate_series(1, $1::int)"
# In the order of ids, so that retries of one batch cannot wait for each other.
INSERT = """
    INSERT INTO usage_record
        (message_id, "timestamp", report_name, message_text, credit_hundredths, credit_rate_id)
    SELECT *, 1
    FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::bigint[])
    ORDER BY 1
    ON CONFLICT (message_id) DO NOTHING
    RETURNING message_id
"""


class Message(msgspec.Struct, gc=False):
    message_text: str
    message_id: int | None = None
    timestamp: Annotated[datetime.datetime, msgspec.Meta(tz=True)] | None = None
    report_name: str | None = None


decode_messages = msgspec.json.Decoder(list[Message]).decode


class App:
    pool = None

    def __rsgi_init__(self, loop):
        self.pool = loop.run_until_complete(self.connect())

    def __rsgi_del__(self, loop):
        self.pool.terminate()

    async def connect(self):
        size = int(os.environ.get("POOL_SIZE", "4"))
        return await asyncpg.create_pool(
            os.environ["DATABASE_URL"], min_size=size, max_size=size, server_settings={"jit": "off"},
            # A connection is left clean by every request here, and need not be reset after each.
            reset=leave)

    async def __rsgi__(self, scope, protocol):
        try:
            match scope.method, scope.path:
                case "GET", "/usage":
                    await self.read(scope.query_string, protocol)
                case "POST", "/usage":
                    await self.record(await protocol(), protocol)
                case "GET", "/health":
                    await self.pool.fetchval("SELECT 1")
                    protocol.response_str(200, JSON, healthy())
                case "GET", "/health/live":
                    protocol.response_str(200, JSON, healthy())
                case _, "/usage":
                    protocol.response_str(405, TEXT + [("allow", "GET, POST")], "GET and POST only")
                case _:
                    protocol.response_str(404, TEXT, "nothing is here")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            print(error, file=sys.stderr)
            protocol.response_str(503, TEXT, "the database does not answer")

    async def read(self, query, protocol):
        limit = parse_qs(query, keep_blank_values=True).get("limit")
        if limit is None:
            await self.read_all(protocol)
        elif limit[0].isdecimal() and 0 < int(limit[0]) < 2**63:
            page = await self.pool.fetchval(PAGE, int(limit[0]))
            protocol.response_str(200, JSON, f'{{"usage":[{page or ""}]}}')
        else:
            protocol.response_str(400, TEXT, "limit must be a positive number")

    async def read_all(self, protocol):
        """Streams COPY's lines; JSON text never has the line breaks, quotes and delimiters of this CSV."""
        async with self.pool.acquire() as connection:
            stream = protocol.response_stream(200, JSON)
            start = b'{"usage":['

            async def send(lines):
                nonlocal start
                await stream.send_bytes(start + lines[:-1].replace(b"\n", b","))
                start = b","

            await connection.copy_from_query(RECORDS, output=send, format="csv", quote="\x01", delimiter="\x02")
            await stream.send_bytes(start + b"]}" if start != b"," else b"]}")

    async def record(self, body, protocol):
        try:
            messages = decode_messages(body)
        except msgspec.MsgspecError as error:
            protocol.response_str(422, TEXT, str(error))
            return
        now = datetime.datetime.now(datetime.timezone.utc)
        async with self.pool.acquire() as connection:
            missing = sum(m.message_id is None for m in messages)
            chosen = iter(await connection.fetch(NEXT_IDS, missing) if missing else ())
            ids = [next(chosen)[0] if m.message_id is None else m.message_id for m in messages]
            credits = [price(m.message_text) for m in messages]
            rows = await connection.fetch(
                INSERT, ids, [m.timestamp or now for m in messages], [m.report_name for m in messages],
                [m.message_text for m in messages], credits)
        protocol.response_str(200, JSON, answer(ids, credits, {row[0] for row in rows}))


async def leave(connection):
    pass


def healthy():
    return f'{{"status":"healthy","timestamp":"{datetime.datetime.utcnow():%Y-%m-%dT%H:%M:%SZ}"}}'


def price(text):
    """40 credits for 100 tokens of 4 characters, in hundredths, and 1.00 at least."""
    return max(100, (len(text) * 4000 + 200) // 400)


def answer(ids, credits, created):
    results = []
    count = len(created)
    for index, (message_id, hundredths) in enumerate(zip(ids, credits)):
        if message_id in created:
            created.remove(message_id)  # The same id again is a duplicate.
            status = "created"
        else:
            status = "duplicate"
        results.append(f'{{"index":{index},"message_id":{message_id},"status":"{status}",'
                       f'"credits_used":{hundredths // 100}.{hundredths % 100:02}}}')
    return f'{{"created":{count},"results":[{",".join(results)}]}}'


app = App()
