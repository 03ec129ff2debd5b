"""Measures answers of a million records beside what they are to be compared with, in one run."""

import json
import pathlib
import statistics
import subprocess
import sys
import time
import urllib.request


def timed(url, expected=200):
    begin = time.perf_counter()
    with urllib.request.urlopen(url) as answer:
        body = answer.read()
    assert answer.status == expected
    return time.perf_counter() - begin, body


def requests_per_second(url):
    done = subprocess.run(
        ["wrk", "-t1", "-c32", "-d1s", url], capture_output=True, text=True, check=True)
    assert "Non-2xx" not in done.stdout, done.stdout
    return float(done.stdout.split("Requests/sec:")[1].split()[0])


def check_page(base, root):
    """A warm page of a thousand beside a file of the same bytes."""
    page = f"{base}/usage?limit=1000"
    (pathlib.Path(root) / "page.json").write_bytes(timed(page)[1])
    ratios = []
    for _ in range(7):
        file = requests_per_second(f"{base}/page.json")
        ratios.append(requests_per_second(page) / file)
    ratio = statistics.median(ratios)
    print(f"measured: warm page / static file = {ratio:.2f} requests per second (goal 0.40)")
    # Below the goal by what a busy machine may take.
    assert ratio > 0.34, ratios


def check_walk(uncached):
    """Page 1 and page 1,000, without the memory for answers."""
    first = f"{uncached}/usage?limit=1000"
    url = first
    for _ in range(999):
        cursor = json.loads(timed(url)[1])["next_cursor"]
        last, url = url, f"{first}&cursor={cursor}"
    pairs = [(timed(first)[0], timed(url)[0]) for _ in range(41)]
    ratio = statistics.median(later for _, later in pairs) / statistics.median(one for one, _ in pairs)
    print(f"measured: page 1,000 / page 1 = {ratio:.2f}")
    assert ratio < 1.3, pairs


def psql_milliseconds(url, statement):
    """What psql's own clock says of the statement, after one run to warm it up."""
    script = f"SET jit = off; {statement[0]}; \\timing on\n\\o /dev/null\n" + f"{statement[1]};\n" * 2
    done = subprocess.run(["psql", "-XqAt", url, "-f", "-"], input=script, capture_output=True, text=True, check=True)
    return float(done.stdout.split("Time: ")[-1].split()[0])


def check_summary(base, url, statement):
    """A day summary after a change and without one, beside the same SQL in psql."""
    path = f"{base}/usage/summary?from=2024-01-01&to=2025-01-01&tz=Europe/London"
    ratios, warm = [], []
    for _ in range(21):
        subprocess.run(["psql", "-Xqc", "DELETE FROM usage_record WHERE false", url], check=True)
        cold = timed(path)[0] * 1000
        ratios.append(cold / psql_milliseconds(url, statement))
        warm += [timed(path)[0] * 1000 for _ in range(5)]
    print(
        f"measured: cold day summary / psql = {statistics.median(ratios):.2f} (limit 1.2), "
        f"unchanged {statistics.median(warm):.1f} ms (limit 5)")
    assert statistics.median(ratios) < 1.2, ratios
    assert statistics.median(warm) < 5, warm


def main(base, uncached, root, url, prepare, execute):
    check_page(base, root)
    check_walk(uncached)
    check_summary(base, url, (prepare, execute))


main(*sys.argv[1:])
