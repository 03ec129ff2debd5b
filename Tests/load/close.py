#!/usr/bin/env python3
"""close.py [RECORDS]: closes a year of RECORDS messages (5 million) while readers, writers and senders of retries send
requests at a steady rate, and compares the sums of the year in every second with those before. Then imports the
archive into an empty database. Prints one JSON object: seconds of each step, times of requests, and what was found.
A request that is refused with a 503 is sent again; the number of refusals is printed by reason, and after which step."""
import asyncio
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from service import BUILT, REPOSITORY, Service

sys.path.insert(0, str(REPOSITORY / "Tests/Benchmarks"))
from year import RESTORE, SAVE  # noqa: E402

RATE = 20  # requests of each kind in a second
LINE = "2025-01-01"
# Without indexes and triggers, so with the prices that the first rate yields.
FILL = """
    INSERT INTO usage_record (message_id, external_id, "timestamp", report_name, input_tokens, output_tokens,
        attribution_id, credit_rate_id, credit_hundredths)
    SELECT n, CASE WHEN n % 4 = 0 THEN 'sent-' || n END,
        '2024-01-01Z'::timestamptz + (n - 1) * (interval '366 days' / {records}),
        CASE WHEN n % 5 < 2 THEN 'Report ' || n % 1000 END, n % 3000, n % 700,
        (SELECT numbers[1 + (n::bigint * 7919) % cardinality(numbers)]), 1, greatest(100, 40 * (n % 3000 + n % 700))
    FROM (SELECT array_agg(attribution_id) AS numbers FROM usage_attribution) AS known,
        generate_series(1, {count}) AS n;"""
ATTRIBUTIONS = """
    SELECT count(usage_attribution('u-' || n % 1000, 'team-' || n % 10, 'model-' || n / 1000, NULL))
    FROM generate_series(1, {}) AS n"""
SUMS = """
    SELECT sum(messages), sum(reports), sum(credit_hundredths), sum(input_tokens), sum(output_tokens) FROM (
        SELECT messages, reports, credit_hundredths, input_tokens, output_tokens, quarter FROM usage_quarter_sums
        UNION ALL
        SELECT messages, CASE WHEN report_name IS NULL THEN 0 ELSE messages END, credit_hundredths, input_tokens,
            output_tokens, quarter FROM usage_delta
    ) AS part WHERE quarter < '2025-01-01Z'"""
GROUPS = """
    SELECT md5(string_agg(part::text, ' ' ORDER BY part)) FROM (
        SELECT digest, unit, starts_at, sum(messages), sum(reports), sum(credit_hundredths), sum(input_tokens)
        FROM usage_attribution_sums JOIN usage_bucket USING (bucket_id) JOIN usage_attribution USING (attribution_id)
        WHERE starts_at < '2025-01-01Z' GROUP BY 1, 2, 3) AS part"""


def request(kind, number, records, key):
    head = f"Host: localhost\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n"
    if kind == "read":
        return f"GET /usage?limit=100&from=2025-01-01&fields=all&min_credits=0.{number % 100:02} HTTP/1.1\r\n{head}\r\n".encode()
    if kind == "write":
        body = {"external_id": f"new-{number}", "input_tokens": 1000, "user_id": f"u-{number % 1000}"}
    else:
        old = 4 * (1 + number * 7919 % (records // 4))  # has both ids
        body = {"message_id": old} if number % 2 else {"external_id": f"sent-{old}"}
        body |= {"input_tokens": 1}
        if number % 4 < 2:
            body |= {"timestamp": "2025-06-01T00:00:00Z"}
    text = json.dumps(body)
    return (f"POST /usage HTTP/1.1\r\n{head}Content-Type: application/json\r\n"
            f"Content-Length: {len(text)}\r\n\r\n{text}").encode()


async def ask(site, kind, number, records, key, found):
    """Sends a request, again after each 503, when its Retry-After says so."""
    start, status = time.monotonic(), "503"
    while status == "503":
        reader, writer = await asyncio.open_unix_connection(site)
        writer.write(request(kind, number, records, key))
        response = (await asyncio.wait_for(reader.read(), 60)).decode()
        writer.close()
        status = response.split(" ", 2)[1]
        if status == "503":
            steps = found["refusals"].setdefault(json.loads(response[response.index("{"):])["detail"], {})
            steps[found["step"]] = steps.get(found["step"], 0) + 1
            await asyncio.sleep(int(re.search(r"\r\nRetry-After: (\d+)\r\n", response)[1]))
    found["times"][kind].append(time.monotonic() - start)
    found["statuses"].setdefault(kind, {}).setdefault(status, 0)
    found["statuses"][kind][status] += 1


async def load(service, key, records, found, is_over):
    start, tasks, number, end = time.monotonic(), [], 0, None
    # A second more, in which all retries are refused.
    while end is None or number < end:
        if end is None and is_over():
            end = number + RATE
        await asyncio.sleep(max(0, start + number / RATE - time.monotonic()))
        tasks += [asyncio.create_task(ask(service.site, kind, number, records, key, found))
                  for kind in ("read", "write", "retry")]
        if number % RATE == 0:
            found["sums"].add(await asyncio.to_thread(service.psql, SUMS))
        number += 1
    await asyncio.gather(*tasks)


def quantiles(times):
    return [round(1000 * sorted(times)[int(len(times) * share)], 1) for share in (0.5, 0.99)]


def fill(service, records):
    """A year of records, and a tenth of them after it."""
    service.psql(ATTRIBUTIONS.format(min(20_000, max(100, records // 250))))
    count = records + records // 10
    service.psql(SAVE + FILL.format(records=records, count=count) + RESTORE.format(count=count))
    subprocess.run([BUILT / "orbitalctl", "rollup", "rebuild"], env=service.environment, check=True, capture_output=True)
    service.psql("VACUUM ANALYZE")


async def run(folder, records):
    service = Service(folder, records=0, environment={"ACCESS": "keyed"})
    copy = None
    try:
        fill(service, records)
        key, before, groups = service.key(), service.psql(SUMS), service.psql(GROUPS)
        found = {"times": {"read": [], "write": [], "retry": []}, "statuses": {}, "refusals": {}, "sums": {before},
                 "step": "start"}
        start = service.psql("SELECT clock_timestamp()")
        steps, began = {}, time.monotonic()
        closing = subprocess.Popen(
            [BUILT / "orbitalctl", "close", "--before", LINE, "--archive", folder], env=service.environment,
            stdout=subprocess.PIPE, text=True)

        def watch():
            for line in closing.stdout:
                found["step"] = line.split()[0].rstrip(":")
                steps[found["step"]] = round(time.monotonic() - began, 1)
            return closing.wait()

        watching = asyncio.create_task(asyncio.to_thread(watch))
        await load(service, key, records, found, watching.done)
        result = {"records": records, "status": await watching, "seconds after which a step was done": steps}
        result |= {f"{kind} p50, p99 ms": quantiles(times) for kind, times in found["times"].items()}
        result["statuses"], result["503"] = found["statuses"], found["refusals"]
        result["sums that readers saw"] = len(found["sums"] | {service.psql(SUMS)})
        result["groups are equal"] = service.psql(GROUPS) == groups
        result["written, recorded"] = [found["statuses"]["write"].get("201", 0), int(service.psql(
            f"SELECT count(*) FROM usage_record WHERE recorded_at > '{start}'"))]
        result["closed records left"] = int(service.psql(
            f"""SELECT count(*) FROM usage_record WHERE "timestamp" < '{LINE}Z'"""))
        copy = Service(f"{folder}/copy", records=0)
        archive = f"{folder}/usage-before-{LINE}.ndjson.gz"
        began = time.monotonic()
        imported = subprocess.run(
            [BUILT / "orbitalctl", "import", archive], env=copy.environment, capture_output=True, text=True)
        result["import"] = [imported.stdout.strip(), round(time.monotonic() - began, 1)]
        while int(copy.psql("SELECT coalesce(merge_usage_deltas(1000000), 1)")):
            pass
        result["the copy has the same sums"] = copy.psql(SUMS) == before and copy.psql(GROUPS) == groups
        result["archive MiB"] = os.path.getsize(archive) >> 20
        print(json.dumps(result))
    finally:
        service.stop()
        if copy:
            copy.stop()


def main(records=5_000_000):
    with tempfile.TemporaryDirectory(prefix="orbital-close-") as folder:
        pathlib.Path(folder).chmod(0o755)
        asyncio.run(run(folder, records))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
