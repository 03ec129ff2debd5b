"""A million records: scrolled through to the end, and back, in bounded memory."""

import pytest
from dashboard import MANY_RECORDS, UNLIMITED, expect

pytestmark = pytest.mark.speed
RECORDS = MANY_RECORDS.format(1_000_000)

LIMIT_MEGABYTES = 60

# The heap is told to the byte, not roughly.
FLAGS = [*UNLIMITED, "--enable-precise-memory-info"]

# Five pages at a step: one of them is read, of the others the cursors.
SCROLL = """async () => {
    const scroller = document.querySelector('#scroller');
    const position = () => document.querySelector('#position').textContent;
    const frame = () => new Promise(requestAnimationFrame);
    let most = 0;
    for (let steps = 0; !position().includes('–1,000,000 of'); steps += 1) {
        scroller.scrollTop += 5000 * 37;
        const begin = performance.now();
        do {
            if (performance.now() > begin + 10_000) throw new Error(`no rows: ${position()}`);
            await frame();
        } while (document.querySelector('#records .pending'));
        most = Math.max(most, performance.memory.usedJSHeapSize);
        if (steps > 3000) throw new Error(`no end: ${position()}`);
    }
    return most;
}"""


def heap_megabytes(session):
    session.send("HeapProfiler.collectGarbage")
    return session.send("Runtime.getHeapUsage")["usedSize"] / 1e6


def test_scrolling_to_the_end_takes_little_memory(site):
    with site.open("/?sort=timestamp:asc") as page:
        session = page.context.new_cdp_session(page)
        at_start = heap_megabytes(session)
        read = set()
        page.on("request", lambda request: "/usage?" in request.url and read.add((request.method, request.url)))
        most = page.evaluate(SCROLL) / 1e6
        at_end = heap_megabytes(session)
        bodies = sum(method == "GET" for method, _ in read)
        assert bodies >= 199 and len({address for _, address in read}) >= 999, (bodies, len(read))
        last = site.sql('SELECT message_id FROM usage_record ORDER BY "timestamp" DESC LIMIT 1')
        expect(page.locator("#records tbody tr[data-index]").last).to_contain_text(last)
        print(f"  measured: heap of {at_start:.1f} MB at the start, {at_end:.1f} MB at the end after {bodies} pages "
              f"of 1,000, {most:.1f} MB at most with garbage; promised {LIMIT_MEGABYTES} MB")
        assert at_end < LIMIT_MEGABYTES and most < LIMIT_MEGABYTES
        assert at_end < at_start + 5, "what was read is kept"
        page.locator("#records tbody button[tabindex='0']").focus()
        page.keyboard.press("Home")
        expect(page.locator("#position")).to_contain_text("1–")
        expect(page.locator("#records tbody tr[data-index]").first).to_contain_text("1 Jan 2022, 00:01:37")
        assert heap_megabytes(session) < LIMIT_MEGABYTES
