"""What the API tests share: a client over nginx's socket, psql, and a model of the records."""

import csv
import datetime
import http.client
import io
import json
import socket
import subprocess
import zoneinfo

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
# Those of the interface's example, in 156 and 82 characters.
CONTRACT_RECORDS = """
    INSERT INTO usage_record (message_id, "timestamp", report_name, message_text) VALUES
    (1, '2024-01-15T14:30:00Z', 'Contract Analysis', repeat('x', 156)),
    (2, '2024-01-15T15:45:00Z', NULL, repeat('x', 82))"""


class Client(http.client.HTTPConnection):
    """Keeps one connection to nginx open."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)

    def get(self, target, method="GET", **fields):
        names = {name.replace("_", "-"): value for name, value in fields.items()}
        return self.exchange(method, target, None, names)

    def exchange(self, method, target, body, fields):
        """The response, with its body; on a new connection if nginx has closed the idle one."""
        try:
            self.request(method, target, body, fields)
            response = self.getresponse()
        except (BrokenPipeError, ConnectionResetError):
            self.close()
            self.request(method, target, body, fields)
            response = self.getresponse()
        response.body = response.read().decode()
        return response


def psql(url, script):
    """Runs a script; what it prints."""
    done = subprocess.run(
        ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", url, "-f", "-"],
        input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Psql:
    """A psql that stays connected. Unless it `stops` at an error, errors are lines of its output, with SQLSTATEs."""

    def __init__(self, url, stops=True):
        ends = ["-v", "ON_ERROR_STOP=1"] if stops else ["-v", "VERBOSITY=sqlstate"]
        self.process = subprocess.Popen(
            ["psql", "-XqAt", *ends, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=None if stops else subprocess.STDOUT, text=True)

    def run(self, script):
        """The lines that it prints."""
        self.process.stdin.write(script + ";\n\\echo done\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline()) != "done\n":
            assert line, "psql ended"
            lines.append(line.rstrip("\n"))
        return lines

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0


# Of records in responses, in their order.
FIELDS = ["message_id", "external_id", "timestamp", "recorded_at", "report_name", "user_id", "team_id", "model", "tags",
          "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "corrects", "reason",
          "credits_used"]
# `corrected` is derived from other records, so `fields=all` does not have it.
SELECTABLE = FIELDS + ["corrected"]
STANDARD_FIELDS = ["message_id", "timestamp", "report_name", "credits_used"]
TEXTS = ("external_id", "report_name", "user_id", "team_id", "model", "reason")


class Record:
    """One usage record of the model; `more` has the fields that a plain record lacks, `recorded_at` in microseconds."""

    def __init__(self, message_id, microseconds, name, hundredths, **more):
        self.message_id = message_id
        self.microseconds = microseconds
        self.name = name
        self.hundredths = hundredths
        self.more = more
        self.corrected = None

    @property
    def time(self):
        return instant_text(self.microseconds)

    @property
    def credits(self):
        return credits_text(self.hundredths)

    def value(self, field):
        """The value as CSV has it; None if there is none."""
        plain = {"message_id": Number(self.message_id), "timestamp": self.time, "report_name": self.name,
                 "credits_used": self.credits, "corrected": self.corrected}
        value = plain[field] if field in plain else self.more.get(field)
        if value is not None and field == "recorded_at":
            return instant_text(value)
        if value is not None and field == "tags":
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return value if value is None else value if field in TEXTS else Number(value)

    def members(self, fields):
        """The record as JSON, with these fields."""
        def quoted(field, value):
            is_text = field in TEXTS or field in ("timestamp", "recorded_at")
            return json.dumps(value, ensure_ascii=False) if is_text else value
        pairs = [(field, self.value(field)) for field in SELECTABLE if field in fields]
        return "{" + ",".join(f'"{field}":{quoted(field, value)}' for field, value in pairs if value is not None) + "}"

    @property
    def json(self):
        return self.members(STANDARD_FIELDS)

    def __repr__(self):
        return self.json


def insert(records):
    """The SQL that inserts records with any timestamp, as replication from another server does."""
    more = [field for field in FIELDS if field not in STANDARD_FIELDS]
    lines = []
    for record in records:
        measure = None if record.more.get("corrects") else "x"
        cells = [str(record.message_id), record.time, record.name, measure, str(record.hundredths)]
        lines.append("\t".join(map(copied, cells + [record.value(field) for field in more])) + "\n")
    own = [field for field in more if field not in ("user_id", "team_id", "model", "tags")]
    columns = 'message_id, "timestamp", report_name, message_text, credit_hundredths'
    return f"""
        CREATE TEMP TABLE staged AS SELECT {columns}, {", ".join(own)}, '' AS user_id, '' AS team_id, '' AS model,
            NULL::jsonb AS tags FROM usage_record WHERE false;
        COPY staged ({columns}, {", ".join(more)}) FROM STDIN;\n{"".join(lines)}\\.
        SET session_replication_role = replica;
        INSERT INTO usage_record ({columns}, {", ".join(own)}, attribution_id)
            SELECT {columns}, {", ".join(own)}, usage_attribution(user_id, team_id, model, tags) FROM staged;
        RESET session_replication_role;
        DROP TABLE staged;
        """


def copied(text):
    """A value as COPY reads it."""
    return "\\N" if text is None else "".join(f"\\x{ord(c):02x}" if c < " " or c == "\\" else c for c in text)


class Number(str):
    """The text of a number, which spreadsheets may take for one."""


def credits_text(hundredths):
    whole, rest = divmod(abs(hundredths), 100)
    return Number(f"{'-' * (hundredths < 0)}{whole}.{rest:02d}")


def moment(microseconds):
    return EPOCH + datetime.timedelta(microseconds=microseconds)


def microseconds(moment):
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


def instant_text(value):
    text = moment(value).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    return text + (f".{value % 1_000_000:06d}" if value % 1_000_000 else "") + "Z"


def csv_text(records, fields=STANDARD_FIELDS):
    shown = [field for field in SELECTABLE if field in fields]
    return csv_rows([shown] + [[record.value(field) or "" for field in shown] for record in records])


def csv_rows(rows):
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\r\n")
    for row in rows:
        writer.writerow(["'" + cell if cell[:1] in tuple("=+-@\t\r") and not isinstance(cell, Number) else cell
                         for cell in row])
    return output.getvalue()


def local_date(second, zone):
    return datetime.datetime.fromtimestamp(second, zone).date()


def day_start(date, zone):
    """The first second at which a clock in `zone` shows `date` or a later one, by looking."""
    midnight = int(datetime.datetime(date.year, date.month, date.day, tzinfo=UTC).timestamp())
    minute = midnight - 27 * 3600
    assert local_date(minute, zone) < date
    while local_date(minute, zone) < date:
        minute += 60
    second = minute - 59
    while local_date(second, zone) < date:
        second += 1
    return second


def zone(name):
    return zoneinfo.ZoneInfo(name)
