"""A million records of 5,000 users, while ten records a second arrive: how long until another view is there."""

import itertools
import json
import random
import statistics
import threading
import urllib.request

import pytest
from dashboard import eventually, expect, query, wait_until_live
from test_speed import USEFUL

pytestmark = pytest.mark.speed
FLAGS = []

# A year of records that ends now; 20 models, 20,000 attributions, 500 report names. Fires triggers, but building
# takes less time than merging as many deltas.
RECORDS = """
    TRUNCATE usage_record RESTART IDENTITY;
    SELECT count(usage_attribution('user-' || n % 5000, 'team-' || n % 12, 'model-' || n / 5000 * 5 + n % 5,
        jsonb_build_object('env', CASE WHEN n % 10 > 0 THEN 'prod' ELSE 'test' END)))
    FROM generate_series(0, 19999) AS n;
    INSERT INTO usage_record (message_id, "timestamp", report_name, attribution_id, input_tokens, output_tokens,
        credit_rate_id, credit_hundredths)
    SELECT n, date_trunc('minute', now()) - (1000001 - n) * interval '31 s',
        CASE WHEN n % 3 = 0 THEN 'Report ' || n % 500 END,
        (SELECT min(attribution_id) FROM usage_attribution) + (n::bigint * n % 19997)::integer,
        500 + n % 2000, 200, 1, greatest(100, 40 * (700 + n % 2000))
    FROM generate_series(1, 1000000) AS n;
    DELETE FROM usage_delta;
    CALL build_usage_rollups(NULL);
    VACUUM (ANALYZE);"""

# What the page promises, in milliseconds, and what a busy machine is allowed in a test.
PAINT, CHANGE = 1000, 300
MARGIN = 2.5

# Does something, and takes the time until its view is there and has been painted.
CHANGED = """([selector, value]) => new Promise((done, fail) => {
    const main = document.querySelector('main');
    const begin = performance.now();
    let hasBegun = false;
    const look = () => {
        hasBegun ||= main.dataset.shows === 'other';
        if (performance.now() > begin + 10_000) return fail(new Error(`no other view: ${selector}`));
        if (!hasBegun || main.dataset.shows !== 'this') return requestAnimationFrame(look);
        requestAnimationFrame(() => done(performance.now() - begin));
    };
    const element = document.querySelector(selector);
    if (value === null) {
        element.click();
    } else {
        element.value = value;
        element.dispatchEvent(new Event('change', { bubbles: true }));
    }
    look();
})"""


def record_ten_a_second(site, has_ended, recorded):
    """Records messages of anybody until `has_ended`."""
    chosen, key = random.Random(7), site.service.key("usage:write")
    while not has_ended.wait(0.1):
        message = {"user_id": f"user-{chosen.randrange(5000)}", "model": f"model-{chosen.randrange(20)}",
                   "team_id": "team-1", "input_tokens": 500, "output_tokens": 200}
        request = urllib.request.Request(
            site.url + "/usage", json.dumps(message).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {key}"})
        with urllib.request.urlopen(request, timeout=20) as response:
            recorded.append(response.status)


def percentile(times, share):
    return sorted(times)[int(share * (len(times) - 1))]


def test_another_grouping_or_filter_is_there_at_once_while_records_arrive(site):
    recorded, has_ended = [], threading.Event()
    writer = threading.Thread(target=record_ten_a_second, args=(site, has_ended, recorded))
    writer.start()
    try:
        paints, times = [], {"grouping": [], "filter": []}
        for _ in range(5):
            # A context of its own has nothing in its cache.
            with site.open("", is_live=False, locale="en-GB") as page:
                page.add_init_script(USEFUL)
                page.goto(site.url)
                paints.append(eventually(page, lambda: page.evaluate("window.usefulAt")))
        with site.open("/?range=30d") as page:
            groupings = ["report_name", "team_id", "model", "tag:env", "user_id"]
            for grouping in groupings * 4:
                times["grouping"].append(page.evaluate(CHANGED, ["#group-by", grouping]))
                wait_until_live(page)
            for number in [1, 2, 3, 4, 5, 6, 7, 8] * 3:
                for place in [number, 1]:  # the second click shows all again
                    times["filter"].append(
                        page.evaluate(CHANGED, [f"#group-list li:nth-child({place}) .group", None]))
                    wait_until_live(page)
            assert query(page) == {"group_by": "user_id", "range": "30d"}
            expect(page.locator("#group-list li")).to_have_count(9)
    finally:
        has_ended.set()
        writer.join()
    assert set(recorded) == {201} and len(recorded) > 50
    print(f"  measured: first useful paint after {statistics.median(paints):.0f} ms (median of {len(paints)}); "
          f"promised {PAINT}")
    for name, found in times.items():
        print(f"  measured: another {name} after {statistics.median(found):.0f} ms (median of {len(found)}), 95% within "
              f"{percentile(found, 0.95):.0f}, longest {max(found):.0f}; promised {CHANGE}")
    assert statistics.median(paints) < PAINT * MARGIN, paints
    assert percentile(list(itertools.chain(*times.values())), 0.95) < CHANGE * MARGIN, times
