"""pages.py URL [ROUNDS]: what pages cost, and how many bytes a record takes, in the database at URL.

The database is migrated and has records, for example those of Tests/Benchmarks/year.py. Before each request a record is
inserted, so that no response is cached. Prints medians in ms through nginx, with this checkout's release build: pages of
100 and of 1,000 records, first and deep, under each single-term sort. `inside` begins among the records that are equal
in the most frequent value, `into` shortly before them. Then pages of some attributions, newest first."""

import base64
import http.client
import json
import pathlib
import statistics
import struct
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "Tests/Benchmarks"))
from capacity import SIZES  # noqa: E402
from contestants import Orbital  # noqa: E402
from load import change, psql  # noqa: E402

COLUMNS = {"timestamp": '"timestamp"', "credits_used": "credit_hundredths", "report_name": "report_name",
           "message_id": "message_id"}


def cursor_text(prefix, values):
    """A cursor as Sources/Usage/PageCursor.swift has it; `prefix` is its version and the fingerprint of its query."""
    for value in values:
        if value is None:
            prefix += b"\2"
        elif isinstance(value, str):
            prefix += b"\1" + struct.pack(">H", len(value.encode())) + value.encode()
        else:
            prefix += b"\0" + struct.pack(">q", value)
    return base64.urlsafe_b64encode(prefix).decode().rstrip("=")


class Pages:
    def __init__(self, url, address, rounds):
        self.url, self.rounds = url, rounds
        self.client = http.client.HTTPConnection(address.removeprefix("http://"), timeout=600)

    def get(self, target):
        begin = time.monotonic()
        self.client.request("GET", target)
        response = self.client.getresponse()
        body = response.read()
        assert response.status == 200, (target, body)
        return time.monotonic() - begin, json.loads(body)

    def record(self, column, condition, order):
        """The values of a record in a cursor of this column, then its id."""
        value = f"(extract(epoch FROM {column}) * 1000000)::bigint" if column == '"timestamp"' else column
        found = psql(self.url, f"""
            SELECT json_build_array({value}, message_id) FROM usage_record WHERE {condition} ORDER BY {order} LIMIT 1""")
        return json.loads(found) if found else None

    def cursors(self, name, down):
        """Positions in an order: the values of a record after which a page begins."""
        column = COLUMNS[name]
        middle = psql(self.url, "SELECT (min(message_id) + max(message_id)) / 2 FROM usage_record")
        if name == "message_id":
            return {"first": None, "deep": [int(middle)]}
        deep = self.record(column, f"message_id >= {middle} AND {column} IS NOT NULL", "message_id")
        found = {"first": None, "deep": deep}
        frequent = self.frequent(column.strip('"'))
        if frequent is None:
            return found
        value = f"'{frequent}'"
        equal, before = f"{column} = {value}", f"{column} {'>' if down else '<'} {value}"
        if not frequent:
            equal, before = f"{column} IS NULL", f"{column} IS NOT NULL"
        found["inside"] = self.record(column, f"message_id >= {middle} AND {equal}", "message_id")
        into = self.record(column, before, f"{column} {'' if down else 'DESC'}, message_id DESC")
        return {**found, "into": into} if into else found

    def frequent(self, column):
        """The most frequent value; empty for NULL, None if no value is frequent."""
        found = psql(self.url, f"""
            SELECT CASE WHEN null_frac > 0.2 THEN '' ELSE (most_common_vals::text::text[])[1] END
            FROM pg_stats WHERE tablename = 'usage_record' AND attname = '{column}'
                AND (null_frac > 0.2 OR most_common_freqs[1] > 0.01)""")
        return found.rstrip("\n") if found else None

    def measure(self, what, target):
        seconds = []
        for _ in range(self.rounds):
            change(self.url)
            seconds.append(self.get(target)[0])
        print(f"{what:60} {1000 * statistics.median(seconds):8.1f}", flush=True)

    def sorts(self, limit):
        for name in COLUMNS:
            for direction in ("asc", "desc"):
                target = f"/usage?sort={name}:{direction}&limit={limit}"
                prefix = base64.urlsafe_b64decode(self.get(target)[1]["next_cursor"] + "==")[:9]
                for where, values in self.cursors(name, direction == "desc").items():
                    cursor = "" if values is None else "&cursor=" + cursor_text(prefix, values)
                    self.measure(f"{name}:{direction} limit={limit} {where}", target + cursor)

    def attributions(self, limit):
        """Parts with about so many attributions, and records without a user."""
        for count in (1, 20, 200, 1000, 20_000):
            found = psql(self.url, f"""
                SELECT part || '=' || value FROM (
                    SELECT 'user_id' AS part, user_id AS value, count(*) FROM usage_attribution GROUP BY 2
                    UNION ALL SELECT 'team_id', team_id, count(*) FROM usage_attribution GROUP BY 2
                    UNION ALL SELECT 'model', model, count(*) FROM usage_attribution GROUP BY 2
                    UNION ALL SELECT 'tag', key || ':' || value, count(*)
                    FROM usage_attribution, jsonb_each_text(tags) AS tag (key, value) GROUP BY 2
                ) AS parts WHERE value <> '' ORDER BY abs(count - {count}), part, value LIMIT 1""")
            what = found.rstrip("\n")
            self.measure(f"{what} (about {count:,}) limit={limit}", f"/usage?{what}&sort=timestamp:desc&limit={limit}")
        self.measure(f"user_id= limit={limit}", f"/usage?user_id=&sort=timestamp:desc&limit={limit}")


def sizes(url):
    count = int(psql(url, "SELECT count(*) FROM usage_record"))
    found = [line.split("|") for line in psql(url, SIZES).splitlines()]
    for name, size in [*found, ("together", sum(int(size) for _, size in found))]:
        print(f"{name:60} {int(size) / count:8.1f}")


def main(url, rounds="15"):
    with tempfile.TemporaryDirectory(prefix="orbital-pages-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        service = Orbital()
        service.build(folder / "cache")
        try:
            service.start(url, folder / "service")
            pages = Pages(url, service.nginx.address, int(rounds))
            for limit in (100, 1000):
                pages.attributions(limit)
                pages.sorts(limit)
        finally:
            service.stop()
    sizes(url)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
