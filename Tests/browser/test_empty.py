"""Where there are no messages: how to record the first one, and how to see others."""

import os
import subprocess

from barriers import barriers
from dashboard import cards, expect, later, query, wait_until_live

START = {}
RECORDS = "TRUNCATE usage_record RESTART IDENTITY"
WIDTHS = [320, 390, 768, 1280, 2560]


def test_an_empty_database_says_how_to_record_the_first_message_and_shows_it_by_itself(site):
    key = site.service.key("usage:write")
    # Whatever the range: the first record may be years old.
    with site.open("/?range=7d", has_clock=True) as page:
        first = page.get_by_role("region", name="No messages recorded yet")
        expect(first).to_be_visible()
        for part in ["#controls", ".cards", "#charts", ".records"]:
            expect(page.locator(part)).to_be_hidden()
        for scheme in ["light", "dark"]:
            page.emulate_media(color_scheme=scheme)
            assert barriers(page) == [], scheme
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.emulate_media(color_scheme="light")
        button = first.locator(".copied button").last
        button.press("Enter")
        expect(button).to_have_text("Copied")
        line = page.evaluate("navigator.clipboard.readText()")
        done = subprocess.run(["bash", "-c", line], env={**os.environ, "KEY": key}, capture_output=True, text=True)
        assert '"user_id":"u-1"' in done.stdout, (line, done)
        later(page)
        expect(first).to_be_hidden()
        expect(page.locator("#messages")).to_have_text("1")
        expect(page.locator("#chart-title")).to_have_text("Credits per day")
        expect(page.locator("#position")).to_have_text("1–1 of 1")


def test_a_view_without_messages_offers_to_show_more(site):
    site.sql("""TRUNCATE usage_record;
        INSERT INTO usage_record ("timestamp", report_name, message_text) VALUES ('2024-03-01Z', 'Lease', 'x')""")
    with site.open("/?from=2025-01-01&to=2025-02-01&report_name=Rent") as page:
        expect(page.locator("#chart-empty")).to_have_text("No messages match. Try a wider range or fewer filters.")
        expect(page.locator("#records-empty")).to_be_visible()
        assert cards(page) == ["0.00", "0", "–", "0"]
        # No list of nothing, and no average of nothing.
        expect(page.locator(".groups")).to_be_hidden()
        expect(page.locator("#average-change")).to_have_text("")
        page.get_by_role("button", name="Show all time").press("Enter")
        expect(page.locator("#chart-empty")).to_have_text("No messages match. Try fewer filters.")
        assert query(page) == {"report_name": "Rent"}
        # The button that has gone hands the focus on.
        expect(page.locator("#preset")).to_be_focused()
        page.get_by_role("button", name="Remove all filters").press("Enter")
        wait_until_live(page)
        expect(page.locator("#chart-empty")).to_be_hidden()
        expect(page.locator("#messages")).to_have_text("1")
