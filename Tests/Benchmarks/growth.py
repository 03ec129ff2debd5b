"""growth.py URL [--only TEXT] [--rounds N]: what questions cost in a database that year.py has filled.

Each request follows the insertion of one record somewhere in the year, so nothing is cached. The figures are medians
through nginx, in milliseconds. `bench.py` compares them at several sizes.
"""

import argparse
import base64
import dataclasses
import os
import pathlib
import statistics
import struct
import subprocess
import tempfile
import urllib.parse

import load
from contestants import Orbital
from load import psql
from nginx import REPOSITORY
from year import fill_year

MONTHS, DAYS = "from=2025-01-01&to=2026-01-01", "from=2025-01-11&to=2025-12-20"
SORTS = ("timestamp", "timestamp:desc", "message_id", "message_id:desc", "report_name", "report_name:desc",
         "credits_used", "credits_used:desc")

# Somewhere in the year, by anybody.
CHANGE = """
    INSERT INTO usage_record ("timestamp", report_name, attribution_id, input_tokens, output_tokens)
    SELECT '2025-01-01Z'::timestamptz + random() * interval '365 days',
        CASE WHEN random() < 0.4 THEN 'Report ' || floor(1000 * random() ^ 3) END,
        1 + floor(20000 * random())::int, 700, 300"""

# Where deep pages begin: the columns of the cursor, and a record. By credits, in the middle of the tenth of all
# records that has the minimum price; and before them, so that the page ends among them.
MIDDLE = "message_id >= (SELECT (min(message_id) + max(message_id)) / 2 FROM usage_record)"
POSITIONS = {
    "timestamp": (("timestamp", "message_id"), f"{MIDDLE} ORDER BY message_id"),
    "message_id": (("message_id",), f"{MIDDLE} ORDER BY message_id"),
    "report_name": (("report_name", "message_id"), f"{MIDDLE} AND report_name IS NOT NULL ORDER BY message_id"),
    "credits_used": (("credits_used", "message_id"), f"{MIDDLE} AND credit_hundredths = 100 ORDER BY message_id"),
    "before equal credits": (
        ("credits_used", "message_id"), "credit_hundredths > 100 ORDER BY credit_hundredths, message_id DESC"),
}

# What must be read of the records for sums in a zone without levels.
BY_USER_FROM_RECORDS = """
    SELECT date_trunc('day', "timestamp", 'America/New_York'), user_id, count(*), count(report_name),
        sum(credit_hundredths), sum(input_tokens), sum(output_tokens), sum(cache_read_input_tokens),
        sum(cache_creation_input_tokens)
    FROM usage_record LEFT JOIN usage_attribution USING (attribution_id)
    WHERE "timestamp" >= '2025-06-01 00:00 America/New_York'
        AND "timestamp" < '2025-07-01 00:00 America/New_York'
    GROUP BY 1, 2"""


@dataclasses.dataclass(frozen=True)
class Question:
    """A request, its limit at 50 million records in milliseconds, the position after which its page begins, and the
    user to whom its key is bound."""

    name: str
    path: str
    limit: float
    after: str = ""
    bound: str = ""


def questions():
    """All questions."""
    summary, found = "/usage/summary", []
    found.append(Question("year by days, DST zone", f"{summary}?{MONTHS}&tz=Europe/London", 50))
    for what, period, limit in (("whole months", MONTHS, 100), ("other days", DAYS, 300)):
        for group in ("user_id", "model", "user_id,model"):
            path = f"{summary}?{period}&granularity=day&group_by={group}&top=10"
            found.append(Question(f"by {group}, {what}", path, limit))
    found += [
        Question("one report by days", f"{summary}?{MONTHS}&report_name=Report%207", 50),
        Question("totals of a time", f"/usage?{DAYS}&limit=1&totals=true", 20),
        Question("totals of a report", "/usage?report_name=Report%207&limit=1&totals=true", 20),
        Question("totals of a user", "/usage?user_id=user-7&limit=1&totals=true", 20),
        Question("totals of a model", "/usage?model=model-3&limit=1&totals=true", 20),
        Question("totals of a team", "/usage?team_id=team-3&limit=1&totals=true", 20),
        Question("totals of a tag", "/usage?tag=env:prod&limit=1&totals=true", 20),
        Question("totals of a user, other days", f"/usage?user_id=user-7&{DAYS}&limit=1&totals=true", 20),
        Question("totals of a report, other days", f"/usage?report_name=Report%207&{DAYS}&limit=1&totals=true", 20),
        Question("attributions of users", "/usage/attributions?of=user_id", 100),
    ]
    for sort in SORTS:
        path = f"/usage?sort={sort}&limit=100"
        found += [Question(f"sort={sort}, first page", path, 10),
                  Question(f"sort={sort}, deep page", path, 10, sort.split(":")[0])]
    found.append(Question(
        "sort=credits_used:desc, page that ends among equal credits", "/usage?sort=credits_used:desc&limit=100", 10,
        "before equal credits"))
    ten = "&".join(f"user_id=user-{number}" for number in range(10, 20))
    for what, query, limit in (("a user, 20 attributions", "user_id=user-7", 10), ("10 users, 200 attributions", ten, 10),
                               ("a team, 1,680 attributions", "team_id=team-3", 100), ("a tag, 18,000 attributions", "tag=env:prod", 100)):
        path = f"/usage?{query}&sort=timestamp:desc&limit=100"
        found += [Question(f"{what}, first page", path, limit),
                  Question(f"{what}, deep page", path, limit, "timestamp")]
    path = "/usage?sort=timestamp:desc&limit=100"
    found += [Question("a key bound to a user, first page", path, 10, bound="user-7"),
              Question("a key bound to a user, deep page", path, 10, "timestamp", "user-7")]
    return found


OTHER_ZONE = "by user_id, a month in a zone without levels"
RECORDS = "the same over the records in psql"


class Growth:
    """The service beside a filled database."""

    def __init__(self, url, folder):
        self.url, self.service = url, Orbital()
        self.service.build(REPOSITORY / ".run/bench")
        self.address = self.service.start(url, folder)
        self.options = {"": []}

    def stop(self):
        self.service.stop()

    def bound(self, user):
        """The options of curl for a key that is bound to a user."""
        if user not in self.options:
            key = subprocess.run(
                [self.service.programs / "orbitalctl", "keys", "create", "bound", "--scope", "usage:read", "--user", user],
                env={**os.environ, "DATABASE_URL": self.url}, check=True, capture_output=True, text=True).stdout
            self.options[user] = ["-H", f"Authorization: Bearer {key.strip()}"]
        return self.options[user]

    def cold_ms(self, address, rounds, options=()):
        """The median of requests that each follow a change."""
        seconds = []
        for _ in range(rounds):
            psql(self.url, CHANGE)
            seconds.append(load.read_seconds(address, *options))
        return 1000 * statistics.median(seconds)

    def position(self, name):
        """The encoded values of the record after which a page begins."""
        columns, chosen = POSITIONS[name]
        row = psql(self.url, f"""
            SELECT message_id, (extract(epoch FROM "timestamp") * 1000000)::bigint, report_name, credit_hundredths
            FROM usage_record WHERE {chosen} LIMIT 1""").strip().split("|")
        values = dict(zip(("message_id", "timestamp", "report_name", "credits_used"), row))
        return b"".join(
            b"\x01" + struct.pack(">H", len(values[column])) + values[column].encode() if column == "report_name"
            else b"\x00" + struct.pack(">q", int(values[column]))
            for column in columns)

    def cursor(self, path, name, options=()):
        """The cursor of a page at this position: its first nine bytes are those of any cursor of the same query."""
        done = subprocess.run(
            ["curl", "-sS", "-f", "-D", "-", "-o", "/dev/null", *options, self.address + path], check=True, capture_output=True, text=True)
        link = next(line for line in done.stdout.splitlines() if line.lower().startswith("link:"))
        query = urllib.parse.urlsplit(link.split("<")[1].split(">")[0]).query
        text = urllib.parse.parse_qs(query)["cursor"][0]
        first = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[:9]
        return base64.urlsafe_b64encode(first + self.position(name)).decode().rstrip("=")

    def measure(self, only="", rounds=7):
        """The name and the milliseconds of each question whose name contains `only`."""
        for question in questions():
            if only in question.name:
                path, options = question.path, self.bound(question.bound)
                if question.after:
                    path += f"&cursor={self.cursor(path, question.after, options)}"
                yield question.name, self.cold_ms(self.address + path, rounds, options)
        if only in OTHER_ZONE:
            path = "/usage/summary?from=2025-06-01&to=2025-07-01&tz=America/New_York&group_by=user_id"
            yield OTHER_ZONE, self.cold_ms(self.address + path, 3)
            yield RECORDS, 1000 * statistics.median(load.query_seconds(self.url, BY_USER_FROM_RECORDS) for _ in range(3))


def fill(url, count):
    """A year of records with its rollups."""
    fill_year(url, count)
    psql(url, "CALL build_usage_rollups(NULL)")
    psql(url, "VACUUM (ANALYZE); CHECKPOINT;")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--only", default="", help="questions whose names contain this")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    limits = {question.name: question.limit for question in questions()}
    with tempfile.TemporaryDirectory(prefix="orbital-growth-") as folder:
        growth = Growth(arguments.url, pathlib.Path(folder))
        try:
            for name, found in growth.measure(arguments.only, arguments.rounds):
                print(f"{found:10.1f} ms  {name}" + (f"  (≤ {limits[name]:g})" if name in limits else ""), flush=True)
        finally:
            growth.stop()


if __name__ == "__main__":
    main()
