"""The receipt of a message: found by its id, in the address, with the records before and after it."""

import itertools
import time
import urllib.parse

from barriers import barriers
from dashboard import eventually, expect, later, query, wait_until_live
from test_groups import RECORDS as GROUPS

# Its external id looks like the message_id of no message.
RECORDS = GROUPS + """
    INSERT INTO usage_record (message_id, external_id, "timestamp", report_name, attribution_id, input_tokens, output_tokens)
    VALUES (9007199254740993, '4711', '2024-03-20T10:00:00.25Z', NULL,
        usage_attribution('u-17', 'legal', 'gpt-5', '{"env":"prod","feature":"search"}'), 2000, 305),
    (-5, 'span/ä 1', '2024-03-21Z', NULL, NULL, 10, 10);"""


def receipt(page):
    """The title of the open receipt."""
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("#receipt-body[aria-busy=false]")).to_be_visible()
    return dialog.locator("h2").inner_text()


def test_a_message_is_found_by_either_id_and_its_receipt_is_a_link(site):
    # The browser itself logs that no message has the message_id 4711.
    with site.open(may_fail=True) as page:
        field, dialog = page.get_by_role("searchbox", name="Find a message by its id"), page.get_by_role("dialog")
        for text, title in [("9007199254740993", "Message 9007199254740993"), ("4711", "Message 9007199254740993"),
                            (" span/ä 1 ", "Message -5"), ("-5", "Message -5")]:
            field.fill(text)
            page.keyboard.press("Enter")
            expect(dialog).to_be_visible()
            assert receipt(page) == title
            assert query(page) == {"message": text.strip()}
            # What is found is a link, and back closes it.
            with site.open(urllib.parse.urlsplit(page.url)._replace(scheme="", netloc="").geturl(), may_fail=True) as other:
                assert receipt(other) == title
                assert other.title() == f"Message {text.strip()} – Orbital Usage"
            page.keyboard.press("Escape")
            expect(dialog).to_be_hidden()
            expect(field).to_be_focused()
            assert query(page) == {}
        assert page.locator("#period").inner_text() == "1 Feb 2024 – 31 Mar 2024"


def test_an_id_that_no_message_has_is_said(site):
    with site.open(may_fail=True) as page:
        for text, reason in [("12345678", "No message has this message_id."), ("nobody", "No message has the external id “nobody”."),
                             ("99999999999999999999", "")]:
            page.locator("#find-text").fill(text)
            page.get_by_role("button", name="Find").click()
            dialog = page.get_by_role("dialog", name=f"Message {text}")
            expect(dialog.locator("#receipt-body[aria-busy=false]")).to_contain_text(reason)
            assert dialog.locator("#receipt-body p").inner_text() != ""
            expect(dialog.locator("dl")).to_have_count(0)
            expect(dialog.get_by_role("button", name="Next")).to_be_disabled()
            expect(page.locator("#permalink")).to_be_hidden()
            page.get_by_role("button", name="Close").click()


def test_a_receipt_shows_the_attribution_and_a_permalink(site):
    with site.open("/?message=4711&tz=Europe/London", may_fail=True, reduced_motion="reduce") as page:
        assert receipt(page) == "Message 9007199254740993"
        assert page.get_by_role("dialog").locator("dl div").all_inner_texts() == [
            "Time\n20 Mar 2024, 10:00:00.250000 UTC+00:00", "Report\nNone", "External id\n4711", "User\nu-17", "Team\nlegal",
            "Model\ngpt-5", "Tag env\nprod", "Tag feature\nsearch",
            "Input tokens\n2,000 × 400,000.00 ÷ 1 million = 800.00", "Output tokens\n305 × 400,000.00 ÷ 1 million = 122.00",
            "Rate for\nall models", "Rate since\ninitial rate", "Calculated\n922.00", "Minimum\n1.00", "Credits\n922.00"]
        for scheme in ["light", "dark"]:
            page.emulate_media(color_scheme=scheme)
            for width in [320, 1280]:
                page.set_viewport_size({"width": width, "height": 640})
                found = barriers(page)
                assert found == [], (scheme, width, found)
                # However long it is, its buttons are in sight.
                expect(page.get_by_role("button", name="Close")).to_be_in_viewport(ratio=1)
        page.get_by_role("link", name="Permalink").click()
        page.wait_for_url(site.url + "/?message=9007199254740993")
        wait_until_live(page)
        assert receipt(page) == "Message 9007199254740993"


def test_previous_and_next_walk_through_the_table_in_its_order(site):
    order = site.sql("SELECT message_id FROM usage_record ORDER BY credit_hundredths DESC, message_id").splitlines()
    with site.open("/?sort=credits_used:desc", has_clock=True) as page:
        steps = page.evaluate("history.length")
        page.locator("#records tbody button").first.click()
        assert receipt(page) == f"Message {order[0]}"
        previous, following = (page.get_by_role("button", name=name, exact=True) for name in ["Previous", "Next"])
        place = page.locator("#receipt-place")
        expect(place).to_have_text("1 of 722 in the table")
        expect(previous).to_be_disabled()
        following.focus()
        # What takes longer than the page waits is an entry of its own.
        times = [time.monotonic()]
        for index in range(1, 30):
            page.keyboard.press("Enter")
            times.append(time.monotonic())
            expect(place).to_have_text(f"{index + 1} of 722 in the table")
            expect(page.locator("#receipt-title")).to_have_text(f"Message {order[index]}")
        assert query(page) == {"sort": "credits_used:desc", "message": order[29]}
        # A record that comes in before it moves it.
        site.sql("""INSERT INTO usage_record (message_id, "timestamp", input_tokens) VALUES (-7, '2024-03-01Z', 9000000)""")
        later(page)
        expect(place).to_have_text("31 of 723 in the table")
        site.sql("DELETE FROM usage_record WHERE message_id = -7")
        later(page)
        expect(place).to_have_text("30 of 722 in the table")
        for index in [28, 27]:
            previous.click()
            times.append(time.monotonic())
            expect(page.locator("#receipt-title")).to_have_text(f"Message {order[index]}")
        page.keyboard.press("Escape")
        expect(page.locator("#records tbody button:focus")).to_have_text(order[27])
        expect(page.locator("#records tr:focus-within")).to_be_in_viewport()
        # Opening, all the steps and closing are at most three entries of the history.
        slow = sum(after > before + 0.9 for before, after in itertools.pairwise(times))
        assert page.evaluate("history.length") <= steps + 3 + slow
        page.go_back()
        eventually(page, lambda: "message" in query(page) or page.get_by_role("dialog").count() == 0)
        # The last one has none after it, and the focus does not get lost.
        page.goto(site.url + f"/?range=all&sort=credits_used:desc&message={order[-2]}")
        expect(place).to_have_text("721 of 722 in the table")
        following.focus()
        page.keyboard.press("Enter")
        expect(following).to_be_disabled()
        expect(previous).to_be_focused()
