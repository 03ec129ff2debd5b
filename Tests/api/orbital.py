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
        self.request(method, target, headers=names)
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
    """A psql that stays connected."""

    def __init__(self, url):
        self.process = subprocess.Popen(
            ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, script):
        self.process.stdin.write(script + ";\n\\echo done\n")
        self.process.stdin.flush()
        while (line := self.process.stdout.readline()) != "done\n":
            assert line, "psql ended"

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0


class Record:
    """One usage record of the model."""

    def __init__(self, message_id, microseconds, name, hundredths):
        self.message_id = message_id
        self.microseconds = microseconds
        self.name = name
        self.hundredths = hundredths

    @property
    def time(self):
        return instant_text(self.microseconds)

    @property
    def credits(self):
        return credits_text(self.hundredths)

    @property
    def json(self):
        name = "" if self.name is None else f',"report_name":{json.dumps(self.name, ensure_ascii=False)}'
        return f'{{"message_id":{self.message_id},"timestamp":"{self.time}"{name},"credits_used":{self.credits}}}'

    def __repr__(self):
        return self.json


def insert(records):
    """The SQL that inserts records with any timestamp, as replication from another server does."""
    lines = []
    for record in records:
        name = "\\N" if record.name is None else "".join(
            f"\\x{ord(c):02x}" if c < " " or c == "\\" else c for c in record.name)
        lines.append(f"{record.message_id}\t{record.time}\t{name}\tx\t{record.hundredths}\n")
    columns = 'message_id, "timestamp", report_name, message_text, credit_hundredths'
    return (f"SET session_replication_role = replica;\nCOPY usage_record ({columns}) FROM STDIN;\n"
            f"{''.join(lines)}\\.\nRESET session_replication_role;\n")


def credits_text(hundredths):
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def moment(microseconds):
    return EPOCH + datetime.timedelta(microseconds=microseconds)


def microseconds(moment):
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


def instant_text(value):
    text = moment(value).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    return text + (f".{value % 1_000_000:06d}" if value % 1_000_000 else "") + "Z"


def csv_text(records):
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\r\n")
    writer.writerow(["message_id", "timestamp", "report_name", "credits_used"])
    for record in records:
        cells = [str(record.message_id), record.time, record.name or "", record.credits]
        writer.writerow(["'" + cell if cell[:1] in tuple("=+-@\t\r") else cell for cell in cells])
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
