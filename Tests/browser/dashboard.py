"""What the browser tests share: Chromium, the page, and what it must never do."""

import contextlib
import re
import time
import urllib.parse

from orbital import psql
from playwright.sync_api import expect, sync_playwright  # noqa: F401

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
# A document that loads nothing, for tests that only import one of the page's scripts; Chromium may request
# /favicon.ico, which does not exist.
SCRIPTS = "/favicon.svg"
# Nobody looks: a frame need not wait for a screen.
UNLIMITED = ["--disable-frame-rate-limit", "--disable-gpu-vsync"]
# The range of most tests: their records are years old.
WHOLE = "range=all"
# Not 5 seconds: a slow machine is no fault of the page.
expect.set_options(timeout=15_000)
DESKTOP = {"viewport": {"width": 1280, "height": 900}, "timezone_id": "America/New_York", "locale": "en-GB"}

# Sixty days with six weeks in between on which nothing happened, five reports and none.
RECORDS = """
    TRUNCATE usage_record RESTART IDENTITY;
    INSERT INTO usage_record ("timestamp", report_name, message_text)
    SELECT '2024-03-20T00:30:00Z'::timestamptz + n * interval '17 min'
            + CASE WHEN n > 1500 THEN interval '42 d' ELSE interval '0' END,
        CASE WHEN n % 3 > 0 THEN (ARRAY['Contract Analysis', 'Lease Abstract', 'Short Lease Report',
            'Rent Review', '<b>Ümläut & "quotes"</b>'])[n % 5 + 1] END,
        repeat('x', n * 7919 % 400)
    FROM generate_series(1, 3000) AS n;
    VACUUM (ANALYZE) usage_record;
"""

# Every 97 seconds one, a third of them with one of 50 report names.
MANY_RECORDS = """
    TRUNCATE usage_record RESTART IDENTITY;
    INSERT INTO usage_record (message_id, "timestamp", report_name, message_text, credit_rate_id, credit_hundredths)
    SELECT n, '2022-01-01Z'::timestamptz + n * interval '97 s', CASE WHEN n % 3 = 0 THEN 'Report ' || n % 50 END,
        text, 1, usage_credits(char_length(text), NULL, 'characters', 4000, 100)
    FROM generate_series(1, {}) AS n,
        LATERAL (SELECT repeat('x', (n::bigint * 7919 % 180)::int + 20) AS text) AS texts;
    VACUUM (ANALYZE) usage_record;"""


class Site:
    """The page of a service, in a browser."""

    def __init__(self, browser, service):
        self.browser, self.service = browser, service
        self.url = f"http://127.0.0.1:{service.port}"
        self.context = browser.new_context(**DESKTOP)

    def sql(self, script):
        """What psql prints; rows as lines, columns with | between them."""
        return psql(self.service.url, script).strip()

    @contextlib.contextmanager
    def open(self, path="/", may_fail=False, is_live=True, has_clock=False, is_whole=True, **options):
        """The page, once it shows something; whatever it complains of is a fault in the end.

        Chromium itself writes failed requests to the console; `may_fail` says that there are some.
        An address without a range shows all records, unless `is_whole` is false; `query` leaves this range out.
        With `has_clock`, `later` lets time pass. An empty path opens nothing yet. `options` are those
        of a browser context; without any, all share one, and with it the cached scripts and styles.
        """
        is_shared = not options and not has_clock
        if is_whole and (path == "/" or path.startswith("/?")) and not re.search("[?&](range|from|to)=", path):
            path += f"{'&' if '?' in path else '?'}{WHOLE}"
        context = self.context if is_shared else self.browser.new_context(**DESKTOP | options)
        page = context.new_page()
        complaints = []
        def hear(message):
            if not (may_fail and message.text.startswith("Failed to load resource")):
                complaints.append(f"{message.type}: {message.text}")
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.extend(
            [] if request.url.startswith((self.url, "data:", "blob:")) else [f"asks {request.url}"]))
        if has_clock:
            page.clock.install()
        if path:
            page.goto(self.url + path)
        if is_live:
            wait_until_live(page)
        yield page
        (page if is_shared else context).close()
        assert complaints == [], complaints


def wait_until_live(page):
    # It stays live while another view is loading. A locator polls more often than an expectation does.
    page.locator("body:has(#state[data-kind=live]) main[data-shows=this]").wait_for(timeout=15_000)


def later(page, seconds=3.1):
    """Time passes at once; by default as much as lies between two questions of the page."""
    page.clock.fast_forward(int(seconds * 1000))


def query(page):
    """The parameters of the page's address."""
    parameters = urllib.parse.parse_qsl(urllib.parse.urlsplit(page.url).query)
    return dict(each for each in parameters if "=".join(each) != WHOLE)


def cards(page):
    """The numbers of the cards that are there."""
    return page.locator(".cards dd:not(.change):visible").all_inner_texts()


def group(page, name):
    """The button of a group in the list beside the chart, which filters."""
    return page.locator("#group-list .group", has_text=name)


def choose_dates(page, first=None, last=None):
    """Custom dates, which are behind the presets."""
    if not page.locator("#dates").is_visible():
        page.locator("#preset").select_option("custom")
        expect(page.locator("#dates")).to_be_visible()
    for name, date in [("from", first), ("to", last)]:
        if date:
            page.locator(f"#{name}").fill(date)


def rows(page, number=None):
    """The texts of the first rows that are in the table."""
    texts = page.locator("#records tbody tr[data-index]").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))")
    return texts[:number]


def column(page, index, number):
    return [row[index] for row in rows(page, number)]


def eventually(page, condition, seconds=10):
    """Waits until `condition()` is true; its last value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        # The page's events are heard meanwhile.
        page.wait_for_timeout(20)
    assert value, "it did not come to be"
    return value
