"""The columns of the table: chosen from the fields of the API, in the address, and two lines on a phone."""

import json

from barriers import barriers
from dashboard import eventually, expect, query, rows, wait_until_live
from service import REPOSITORY
from test_filters import PHONE
from test_groups import RECORDS  # noqa: F401

FIELDS = ["message_id", "external_id", "timestamp", "recorded_at", "report_name", "user_id", "team_id", "model", "tags",
          "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "corrects", "reason", "credits_used"]
USUAL = ["message_id", "timestamp", "report_name", "user_id", "model", "credits_used"]
# An id of 20 characters, a user of 36, and the longest credits that a double holds.
LONG = """
    INSERT INTO usage_record (message_id, external_id, "timestamp", attribution_id, message_text, credit_hundredths)
    VALUES (-9223372036854775807, 'chatcmpl-9', '2024-06-01T10:00Z', usage_attribution(
        '3f9c2b1e-77aa-4c21-9f2e-0123456789ab', 'legal', 'claude-sonnet-4-5', NULL), 'x', 9007199254740993)"""
# The cells whose id or number is not seen whole, and rows of another height than all others.
CUT = """() => [...document.querySelectorAll('#records td:is(.id, .number)')].filter(cell => {
    const range = new Range();
    range.selectNodeContents(cell);
    const [text, box] = [range.getBoundingClientRect(), cell.getBoundingClientRect()];
    return text.left < box.left - 1 || text.right > box.right + 1 || text.bottom > box.bottom || box.right > innerWidth;
}).map(cell => cell.textContent)"""


def heads(page):
    return [head.get_attribute("data-column") for head in page.locator("#records th").all()]


def test_columns_are_chosen_by_keyboard_and_are_in_the_address(site):
    with site.open() as page:
        assert heads(page) == USUAL and query(page) == {}
        expect(page.locator("#records th[data-column='user_id']")).to_have_text("User")
        expect(page.locator("#records th[data-column='user_id']")).not_to_have_attribute("aria-sort", "none")
        page.get_by_role("button", name="Columns", exact=True).focus()
        page.keyboard.press("Enter")
        for name in ["Team", "Tags", "Input tokens"]:
            page.get_by_role("checkbox", name=name).focus()
            page.keyboard.press("Space")
        page.get_by_role("checkbox", name="Model").focus()
        page.keyboard.press("Space")
        wanted = ["message_id", "timestamp", "report_name", "user_id", "team_id", "tags", "input_tokens", "credits_used"]
        eventually(page, lambda: heads(page) == wanted)
        expect(page.get_by_role("checkbox", name="Model")).to_be_focused()
        assert query(page) == {"fields": ",".join(wanted)}
        record = site.sql("""
            SELECT message_id, to_char("timestamp", 'FMDD Mon YYYY, HH24:MI:SS'), report_name, user_id, team_id,
                'env: ' || (tags->>'env'), to_char(input_tokens, 'FM9,999'), to_char(credit_hundredths / 100.0, 'FM999,990.00')
            FROM usage_record JOIN usage_attribution USING (attribution_id)
            WHERE input_tokens > 0 AND report_name IS NOT NULL ORDER BY "timestamp" DESC, message_id LIMIT 1""").split("|")
        eventually(page, lambda: record in rows(page))
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Columns", exact=True)).to_be_focused()
        page.reload()
        wait_until_live(page)
        assert heads(page) == wanted and record in rows(page)
        page.get_by_role("button", name="Columns", exact=True).click()
        page.get_by_role("button", name="Usual columns").click()
        eventually(page, lambda: heads(page) == USUAL and query(page) == {})
        page.go_back()
        eventually(page, lambda: heads(page) == wanted)


def test_the_choice_has_every_field_of_the_api_and_keeps_the_place(site):
    schema = json.loads((REPOSITORY / "nginx/html/openapi.json").read_text())["components"]["schemas"]["Fields"]
    # Which is a mark, not a column.
    assert schema["items"]["enum"] == [*FIELDS, "corrected", "all"]
    with site.open("/?fields=all") as page:
        assert heads(page) == FIELDS
        page.locator("#scroller").evaluate("it => { it.scrollTop = 300 * 37; }")
        expect(page.locator("#position")).to_contain_text("301–")
        page.locator("#records tbody tr[data-index='305'] button").focus()
        focused = page.locator("#records tbody button:focus").inner_text()
        page.evaluate("document.querySelector('#column-list [value=tags]').click()")
        eventually(page, lambda: heads(page) == [field for field in FIELDS if field != "tags"])
        wait_until_live(page)
        expect(page.locator("#position")).to_contain_text("301–")
        expect(page.locator("#records tbody button:focus")).to_have_text(focused)


def test_long_ids_and_credits_are_seen_whole_with_the_usual_columns(site):
    site.sql(LONG)
    with site.open() as page:
        for width in [320, 390, 768, 1280, 2560]:
            page.set_viewport_size({"width": width, "height": 800})
            height = 56 if width <= 760 else 37
            eventually(page, lambda: set(page.locator("#records tbody tr[data-index]").evaluate_all(
                "rows => rows.map(row => row.offsetHeight)")) == {height})
            eventually(page, lambda: page.evaluate(CUT) == [])
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            # Each row has two lines: id, user and credits; the rest.
            for row in [0, 1] if width <= 760 else []:
                tops = page.locator(f"#records tbody tr[data-index='{row}'] td").evaluate_all(
                    "cells => cells.map(cell => Math.round(cell.getBoundingClientRect().top / 10))")
                assert len({tops[0], tops[3], tops[5]}) == 1 and len({tops[1], tops[2], tops[4]}) == 1 and tops[0] < tops[1]
            if width >= 1280:
                shown = page.locator("#records tbody tr[data-index='0'] [data-field='user_id'] span")
                assert shown.evaluate("it => it.scrollHeight <= it.clientHeight && it.scrollWidth <= it.clientWidth")
    site.sql("DELETE FROM usage_record WHERE message_id < 0")


def test_a_finger_chooses_columns_sorts_and_downloads_and_axe_finds_nothing(site):
    with site.open("/?from=2024-03-01", reduced_motion="reduce", **PHONE) as page:
        page.get_by_role("button", name="Columns", exact=True).tap()
        page.get_by_role("checkbox", name="Team").tap()
        eventually(page, lambda: "team_id" in heads(page))
        for scheme in ["light", "dark"]:
            page.emulate_media(color_scheme=scheme)
            found = barriers(page)
            assert found == [], (scheme, found)
        page.locator("#columns").evaluate("it => it.hidePopover()")
        page.locator("#records").get_by_role("button", name="Credits", exact=True).tap()
        eventually(page, lambda: query(page)["sort"] == "credits_used:desc")
        # What is shown as lines is still a table.
        assert page.locator("#records").get_by_role("row").count() > 5
        assert page.locator("#records").get_by_role("columnheader").count() == 7
        page.get_by_role("button", name="Download").tap()
        found = barriers(page)
        assert found == [], found
        with page.expect_download() as waiting:
            page.get_by_role("link", name="Records as CSV", exact=True).tap()
        assert waiting.value.path().read_text().startswith("message_id,timestamp,report_name,user_id,team_id,model,")
