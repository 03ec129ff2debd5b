"""Corrections on the page: sums, chart, table and receipts."""

from barriers import barriers
from dashboard import cards, expect, rows
from test_receipts import receipt

RECORDS = """
    TRUNCATE usage_record;
    INSERT INTO usage_record (message_id, "timestamp", attribution_id, input_tokens)
    SELECT n, '2024-03-01Z'::timestamptz + n * interval '1 day', usage_attribution('u-' || n % 2, NULL, NULL, NULL), 100
    FROM generate_series(1, 4) AS n;
    INSERT INTO usage_record (message_id, "timestamp", corrects, reason, credit_hundredths) VALUES
    (11, '2024-03-05T10:00Z', 1, 'Wrong model', -1550), (12, '2024-03-07T09:00Z', 1, 'The rest', -2450);"""


def test_corrections_are_marked_in_sums_table_and_receipts(site):
    with site.open("/?tz=UTC") as page:
        assert cards(page)[:2] == ["120.00", "4"]
        expect(page.locator("#corrections")).to_have_text("and 2 corrections")
        assert len(rows(page)) == 6
        expect(page.locator("#records tr.correction")).to_have_count(2)
        # Wherever its corrections are; the others are not marked.
        expect(page.get_by_role("row", name="Message 1, corrected by -40.00, receipt")).to_contain_text("40.00now 0.00")
        expect(page.locator("#records small")).to_have_count(1)
        page.locator("#twin summary").click()
        expect(page.locator(".twin tbody tr", has_text="7 Mar")).to_contain_text("-24.50")
        page.get_by_role("button", name="Correction 12, receipt").click()
        assert receipt(page) == "Correction 12"
        lines = page.get_by_role("dialog").locator("dl div")
        assert [line for line in lines.all_inner_texts() if line.split("\n")[0] in ("Corrects", "Reason", "Credits", "User")] == [
            "User\nu-1", "Corrects\n1", "Reason\nThe rest", "Credits\n-24.50"]
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Message 1, corrected by -40.00, receipt").click()
        assert receipt(page) == "Message 1"
        assert lines.all_inner_texts()[-4:] == [
            "Correction\n-15.50 on 5 Mar 2024, 10:00:00 UTC+00:00 (11): Wrong model",
            "Correction\n-24.50 on 7 Mar 2024, 09:00:00 UTC+00:00 (12): The rest",
            "Left after corrections\n0.00", "Credits\n40.00"]
        for width in (320, 1280):
            page.set_viewport_size({"width": width, "height": 700})
            assert not barriers(page)


def test_a_record_is_marked_where_its_corrections_are_not_in_the_view(site):
    with site.open("/?tz=UTC&from=2024-03-02&to=2024-03-03&fields=credits_used") as page:
        assert cards(page)[:2] == ["40.00", "1"]
        expect(page.get_by_text("now 0.00")).to_be_visible()
        site.sql("DELETE FROM usage_record WHERE message_id = 11")
        expect(page.get_by_text("now 15.50")).to_be_visible()


def test_a_view_of_corrections_alone_is_not_empty(site):
    with site.open("/?tz=UTC&from=2024-03-07&to=2024-03-08") as page:
        assert cards(page)[:2] == ["-24.50", "0"]
        assert len(rows(page)) == 1
        expect(page.locator("#chart canvas")).to_be_visible()
