"""nginx limits how often somebody may ask: the page waits, and goes on."""

import contextlib
import subprocess
import threading

from dashboard import eventually, expect, later

START = {"nginx_files": ["orbital-limits-zone.conf", "orbital-limits.conf"]}


@contextlib.contextmanager
def too_many_requests(site):
    """Somebody at this address asks without pause, which nginx limits."""
    is_over = threading.Event()
    def ask():
        while not is_over.is_set():
            subprocess.run(["curl", "-s", "-o", "/dev/null", f"{site.url}/usage?limit=1&[1-1000]"])
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def test_too_many_requests(site):
    with site.open(may_fail=True, has_clock=True) as page:
        with too_many_requests(site):
            def is_limited():
                later(page)
                return page.locator("#state[data-kind=limited]").count() == 1
            eventually(page, is_limited)
            state = page.locator("#state")
            expect(state).to_contain_text("Too many requests; wait a moment. Retrying in")
            expect(state).to_contain_text("Showing data from")
            assert page.locator("#messages").inner_text() == "3,000"
        def is_live():
            later(page, 60)
            # Not as often as nginx would refuse.
            page.wait_for_timeout(500)
            return page.locator("#state[data-kind=live]").count() == 1
        eventually(page, is_live)
