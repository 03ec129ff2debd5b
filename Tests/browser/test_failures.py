"""Whatever fails, the page says so, keeps what it shows, and goes on by itself or by a button."""

import contextlib
import json
import re
import signal
import urllib.parse

from barriers import barriers
from dashboard import eventually, expect, group, later, wait_until_live
from orbital import psql
from service import BUILT

# One of its tests kills the responder.
START = {}


@contextlib.contextmanager
def no_database(site):
    """PostgreSQL lets nobody into this database, and sends away who is in it."""
    address = urllib.parse.urlsplit(site.service.url)
    name, elsewhere = address.path[1:], address._replace(path="/postgres").geturl()
    psql(elsewhere, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false; "
         f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}';")
    try:
        yield
    finally:
        psql(elsewhere, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true;")


def ask_to_wait(page, seconds):
    """Whoever stands between may want a longer pause than our own answers do; this is played."""
    body = {"type": "about:blank", "title": "Service Unavailable", "status": 503,
            "detail": "Maintenance.", "instance": "/usage/summary", "request_id": "0"}
    page.route("**/usage/summary*", lambda route: route.fulfill(
        status=503, body=json.dumps(body), content_type="application/problem+json",
        headers={"Retry-After": str(seconds)}))


def state(page):
    return page.locator("#state")


def is_still_shown(page):
    """What was read before stays, and is said to be old."""
    expect(state(page)).to_contain_text("Showing data from")
    assert page.locator("#messages").inner_text() == "3,000"
    assert page.locator("#records tbody tr[data-index]").count() > 10


def test_offline(site):
    with site.open(may_fail=True, has_clock=True) as page:
        page.context.set_offline(True)
        later(page)
        expect(state(page)).to_contain_text("This device is offline. Retrying in 3 s.")
        is_still_shown(page)
        for seconds in [3, 6, 12, 24, 48, 60, 60]:
            expect(state(page)).to_contain_text(f"Retrying in {seconds} s.")
            later(page, seconds)
        # The network's return is enough.
        page.context.set_offline(False)
        wait_until_live(page)
        expect(page.get_by_role("button", name="Try again")).to_be_hidden()


def test_no_database(site):
    with site.open(may_fail=True, has_clock=True) as page:
        with no_database(site):
            later(page)
            expect(state(page)).to_contain_text("The database is unavailable. Retrying in 3 s.")
            is_still_shown(page)
            page.get_by_role("button", name="Try again").click()
            expect(state(page)).to_contain_text("The database is unavailable. Retrying in 6 s.")
        page.get_by_role("button", name="Try again").click()
        wait_until_live(page)
        expect(page.get_by_role("button", name="Try again")).to_be_hidden()


def test_it_waits_as_long_as_it_is_told(site):
    with site.open(may_fail=True, has_clock=True) as page:
        ask_to_wait(page, 60)
        later(page)
        expect(state(page)).to_contain_text("Maintenance. Retrying in 60 s.")
        is_still_shown(page)
        page.unroute("**/usage/summary*")
        later(page, 40)
        expect(state(page)).to_contain_text("Maintenance.")
        later(page, 20)
        wait_until_live(page)


def test_a_view_that_has_not_come_is_not_taken_for_the_one_before(site):
    with site.open(may_fail=True, has_clock=True) as page:
        main = page.locator("main")
        expect(main).to_have_attribute("data-shows", "this")
        ask_to_wait(page, 7)
        group(page, "Rent Review").click()
        expect(main).to_have_attribute("data-shows", "other")
        expect(state(page)).to_contain_text("Still showing the previous view.")
        eventually(page, lambda: page.locator(".cards").evaluate("it => getComputedStyle(it).opacity < 0.6"))
        page.go_back()
        expect(state(page)).to_contain_text("Still showing the previous view.")
        page.unroute("**/usage/summary*")
        page.get_by_role("button", name="Try again").click()
        wait_until_live(page)
        expect(main).to_have_attribute("data-shows", "this")
        # Without a failure, too, as long as nothing has come.
        page.route("**/usage/summary*", lambda route: None)
        group(page, "Rent Review").click()
        expect(main).to_have_attribute("data-shows", "other")
        later(page, 2)
        expect(state(page)).to_contain_text("still waiting. Still showing the previous view.")


def test_an_answer_of_somebody_else(site):
    """Such as the page where a hotel's network wants a sign-in."""
    with site.open(has_clock=True) as page:
        page.route("**/usage/summary*", lambda route: route.fulfill(content_type="text/html", body="<html>Hello</html>"))
        later(page)
        expect(state(page)).to_contain_text("The response is not JSON: a proxy or a sign-in page may have replaced it. Retrying in 3 s.")
        is_still_shown(page)
        page.unroute("**/usage/summary*")
        later(page)
        wait_until_live(page)


def test_rows_that_cannot_be_read_are_asked_for_when_it_is_time(site):
    with site.open(may_fail=True, has_clock=True) as page:
        asked = []
        def refuse(route):
            asked.append(route.request.url)
            route.fulfill(status=429, headers={"Retry-After": "1"})
        page.route("**/usage?*", refuse)
        # All in one go: in three seconds the page may ask again.
        page.evaluate("""async () => {
            const [scroller, position] = ["scroller", "position"].map((id) => document.getElementById(id));
            for (let top = 1500; top < 2500; top += 100) {
                scroller.scrollTop = top * 37;
                const shown = `${(top + 1).toLocaleString("en")}–`;
                for (let frames = 0; frames < 600 && !position.textContent.includes(shown); frames++) {
                    await new Promise(requestAnimationFrame);
                }
            }
        }""")
        expect(page.locator("#position")).to_contain_text("2,401–")
        assert len(asked) == 1, "scrolling does not hurry it"
        for number, seconds in enumerate([3, 6, 12], start=1):
            expect(state(page)).to_contain_text(f"Retrying in {seconds} s.")
            assert len(asked) == number
            later(page, seconds)
        page.unroute("**/usage?*")
        later(page, 24)
        wait_until_live(page)
        expect(page.locator(".pending")).to_have_count(0)


def test_a_receipt_of_a_record_that_has_gone_says_so(site):
    site.sql("""INSERT INTO usage_record (message_id, "timestamp", message_text)
        VALUES (900001, '2024-03-20T00:00:00Z', 'x')""")
    with site.open("/?sort=timestamp:asc", may_fail=True, has_clock=True) as page:
        receipt = page.get_by_role("button", name="Message 900001, receipt")
        expect(receipt).to_be_visible()
        site.sql("DELETE FROM usage_record WHERE message_id = 900001")
        receipt.click()
        expect(page.get_by_role("dialog")).to_contain_text("No message")


def test_a_page_that_starts_while_nothing_answers(site):
    """The responder is gone and comes back; nothing is faked."""
    site.service.responder.kill()
    site.service.responder.wait()
    with site.open(may_fail=True, is_live=False, has_clock=True) as page:
        panel = page.get_by_role("region", name="The service is unavailable")
        expect(panel.get_by_role("alert")).to_contain_text("it may be restarting.")
        expect(page.locator("#controls")).to_be_hidden()
        # An attempt by hand is possible; it counts down to the next one.
        panel.get_by_role("button", name="Try again").press("Enter")
        expect(panel.locator("#countdown")).to_have_text(re.compile("^Retrying in [56] s$"))
        panel.get_by_role("button", name="Try again").press("Enter")
        expect(panel.locator("#countdown")).to_have_text(re.compile("^Retrying in (7|8|9|10|11) s$"))
        for scheme in ["light", "dark"]:
            page.emulate_media(color_scheme=scheme)
            assert barriers(page) == [], scheme
        site.service.launch(BUILT / "orbital-fcgi")
        responder = site.service.responder
        try:
            def asked_again():
                later(page, 60)
                return page.locator("#state[data-kind=live]").count() == 1
            eventually(page, asked_again)
            expect(page.locator("#messages")).to_have_text("3,000")
            expect(panel).to_be_hidden()

            # Now it takes its time: it says so, and a new question can be asked.
            for go_on in [lambda: None, lambda: page.get_by_role("button", name="Try again").click()]:
                responder.send_signal(signal.SIGSTOP)
                later(page)
                later(page)
                expect(state(page)).to_contain_text("The service is slow; still waiting.")
                is_still_shown(page)
                go_on()
                responder.send_signal(signal.SIGCONT)
                wait_until_live(page)
        finally:
            responder.send_signal(signal.SIGCONT)
