"""Whatever fails, the page says so, keeps what it shows, and goes on by itself or by a button."""

import json
import os
import signal
import subprocess

from dashboard import DATABASE, eventually, expect, later, run, wait_until_live

PROBLEMS = {
    429: ("Too Many Requests", "Too many requests; wait a moment.", "1"),
    503: ("Service Unavailable", "The database cannot be asked.", "7"),
}


def answer_with(page, status):
    """Every question is answered as nginx or the responder would."""
    title, detail, seconds = PROBLEMS[status]
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail,
            "instance": "/usage/summary", "request_id": "0"}
    page.route("**/usage/summary*", lambda route: route.fulfill(
        status=status, body=json.dumps(body), content_type="application/problem+json",
        headers={"Retry-After": seconds}))


def state(page):
    return page.locator("#state")


def is_still_shown(page):
    """What was read before stays, and is said to be old."""
    expect(state(page)).to_contain_text("What is shown is of")
    assert page.locator("#messages").inner_text() == "3,000"
    assert page.locator("#records tbody tr[data-index]").count() > 10


def test_offline(site):
    with site.open(may_fail=True, has_clock=True) as page:
        page.context.set_offline(True)
        later(page)
        expect(state(page)).to_contain_text("The service cannot be reached. Asking again in 3 s.")
        is_still_shown(page)
        for seconds in [3, 6, 12, 24, 48, 60, 60]:
            expect(state(page)).to_contain_text(f"Asking again in {seconds} s.")
            later(page, seconds)
        # The network's return is enough.
        page.context.set_offline(False)
        wait_until_live(page)
        expect(page.get_by_role("button", name="Try again")).to_be_hidden()


def test_too_many_requests(site):
    with site.open(may_fail=True, has_clock=True) as page:
        answer_with(page, 429)
        later(page)
        expect(state(page)).to_have_attribute("data-kind", "limited")
        expect(state(page)).to_contain_text("Too many requests; wait a moment. Asking again in 3 s.")
        is_still_shown(page)
        page.unroute("**/usage/summary*")
        later(page)
        wait_until_live(page)


def test_service_unavailable_waits_as_long_as_it_is_told(site):
    with site.open(may_fail=True, has_clock=True) as page:
        answer_with(page, 503)
        later(page)
        expect(state(page)).to_contain_text("The database cannot be asked. Asking again in 7 s.")
        is_still_shown(page)
        page.unroute("**/usage/summary*")
        page.get_by_role("button", name="Try again").click()
        wait_until_live(page)


def test_a_view_that_has_not_come_is_not_taken_for_the_one_before(site):
    with site.open(may_fail=True, has_clock=True) as page:
        main = page.locator("main")
        expect(main).to_have_attribute("data-shows", "this")
        answer_with(page, 503)
        page.locator("#report").select_option(label="Rent Review")
        expect(main).to_have_attribute("data-shows", "other")
        expect(state(page)).to_contain_text("What is shown is the view before.")
        eventually(page, lambda: page.locator(".cards").evaluate("it => getComputedStyle(it).opacity < 0.6"))
        page.go_back()
        expect(state(page)).to_contain_text("What is shown is the view before.")
        page.unroute("**/usage/summary*")
        page.get_by_role("button", name="Try again").click()
        wait_until_live(page)
        expect(main).to_have_attribute("data-shows", "this")
        # Without a failure, too, as long as nothing has come.
        page.route("**/usage/summary*", lambda route: None)
        page.locator("#report").select_option(label="Rent Review")
        expect(main).to_have_attribute("data-shows", "other")
        later(page, 2)
        expect(state(page)).to_contain_text("still waiting. What is shown is the view before.")


def test_an_answer_of_somebody_else(site):
    """Such as the page where a hotel's network wants a sign-in."""
    with site.open(has_clock=True) as page:
        page.route("**/usage/summary*", lambda route: route.fulfill(content_type="text/html", body="<html>Hello</html>"))
        later(page)
        expect(state(page)).to_contain_text("The answer is not the service's. Asking again in 3 s.")
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
        for top in range(1500, 2500, 100):
            page.locator("#scroller").evaluate("(it, top) => { it.scrollTop = top * 37; }", top)
            expect(page.locator("#position")).to_contain_text(f"{top + 1:,}–")
        assert len(asked) == 1, "scrolling does not hurry it"
        for number, seconds in enumerate([3, 6, 12], start=1):
            expect(state(page)).to_contain_text(f"Asking again in {seconds} s.")
            assert len(asked) == number
            later(page, seconds)
        page.unroute("**/usage?*")
        later(page, 24)
        wait_until_live(page)
        expect(page.locator(".pending")).to_have_count(0)


def test_a_page_that_starts_while_nothing_answers(site):
    """The responder is gone and comes back; nothing is faked."""
    os.kill(int(os.environ["RESPONDER_PID"]), signal.SIGKILL)
    with site.open(may_fail=True, is_live=False, has_clock=True) as page:
        expect(state(page)).to_contain_text("The service does not answer; it may be restarting. Asking again in 3 s.")
        assert page.locator("#messages").inner_text() == "–"
        responder = subprocess.Popen(
            [os.environ["RESPONDER"], "--socket", os.environ["RESPONDER_SOCKET"]], stderr=subprocess.DEVNULL,
            env=os.environ | {"CONFIG_ENV": "test", "DATABASE_URL": DATABASE})
        try:
            def asked_again():
                later(page, 60)
                return page.locator("#state[data-kind=live]").count() == 1
            eventually(page, asked_again)
            expect(page.locator("#messages")).to_have_text("3,000")

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
            responder.terminate()
            responder.wait()


def test_a_receipt_that_cannot_be_read_says_so(site):
    with site.open(may_fail=True, is_live=False, has_clock=True) as page:
        page.route("**/usage/summary*", lambda route: route.fulfill(
            status=200, content_type="application/json", body=json.dumps({
                "from": "2024-01-01T00:00:00Z", "to": "2024-01-02T00:00:00Z", "tz": "UTC", "granularity": "hour",
                "revision": 1, "totals": {"messages": 1, "reports": 0, "credits_used": 1}, "buckets": [],
                "by_report": []})))
        page.route("**/usage?*", lambda route: route.fulfill(
            status=200, content_type="application/json", body=json.dumps({"usage": [
                {"message_id": 7, "timestamp": "2024-01-01T00:00:00Z", "credits_used": 1}]})))
        page.route("**/usage/7", lambda route: route.fulfill(
            status=404, content_type="application/problem+json",
            body=json.dumps({"detail": "There is no record with this message_id."})))
        page.get_by_role("button", name="Try again").click()
        page.get_by_role("button", name="Message 7, receipt").click()
        expect(page.get_by_role("dialog")).to_contain_text("There is no record with this message_id.")


run(globals())
