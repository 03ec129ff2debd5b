"""budgets.py URL [--rounds N]: what budgets cost in a database that year.py has filled with a year that ends now.

Adds 1,000 budgets of users, teams and everybody, of months, weeks and days, and asks for all, for the first 100 and for
one, each time after a change, and then again with the ETag. Prints the medians beside the limits of the issue."""

import argparse
import pathlib
import statistics
import subprocess
import tempfile
import time

import load
from growth import Growth
from orbital import psql

BUDGETS = """
    TRUNCATE budget RESTART IDENTITY CASCADE;
    INSERT INTO budget (name, user_id, team_id, credit_hundredths, every, month_start, zone_id, thresholds)
    SELECT 'budget ' || n, CASE WHEN n % 10 > 1 THEN 'user-' || n ELSE '' END, CASE WHEN n % 10 = 1 THEN 'team-' || n % 12 ELSE '' END,
        100000000, (ARRAY['month', 'month', 'week', 'day'])[1 + n % 4], CASE WHEN n % 8 = 5 THEN 15 ELSE 1 END, zone_id, '{{50,80,100}}'
    FROM generate_series(1, {}) AS n, usage_zone WHERE usage_zone.name = 'UTC'"""
RECORD = """INSERT INTO usage_record ("timestamp", attribution_id, input_tokens, output_tokens) VALUES (now(), 5, 700, 300)"""


def cold_ms(growth, path, rounds):
    seconds = []
    for _ in range(rounds):
        psql(growth.url, RECORD)
        seconds.append(load.read_seconds(growth.address + path))
    return 1000 * statistics.median(seconds)


def unchanged_ms(growth, path, rounds):
    """The median of requests with the current ETag; the last full minute may have changed it."""
    seconds = []
    while len(seconds) < rounds:
        head = subprocess.run(["curl", "-sS", "-D", "-", "-o", "/dev/null", growth.address + path], check=True, capture_output=True, text=True)
        tag = next(line.split(": ")[1].strip() for line in head.stdout.splitlines() if line.lower().startswith("etag"))
        done = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{time_total}", "-H", f"If-None-Match: {tag}", growth.address + path],
                              check=True, capture_output=True, text=True).stdout.split()
        if done[0] == "304":
            seconds.append(float(done[1]))
    return 1000 * statistics.median(seconds)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="orbital-budgets-") as folder:
        growth = Growth(arguments.url, pathlib.Path(folder))
        try:
            for count, limit in ((1000, 300), (100, 20)):
                psql(growth.url, BUDGETS.format(count) + ";ANALYZE budget")
                time.sleep(2)
                print(f"{cold_ms(growth, '/budgets', arguments.rounds):8.1f} ms  {count} budgets (≤ {limit})", flush=True)
                print(f"{cold_ms(growth, '/budgets/budget%2017', arguments.rounds):8.1f} ms  one of them (≤ 5)", flush=True)
                print(f"{unchanged_ms(growth, '/budgets', arguments.rounds):8.1f} ms  unchanged (≤ 2)", flush=True)
        finally:
            growth.stop()


if __name__ == "__main__":
    main()
