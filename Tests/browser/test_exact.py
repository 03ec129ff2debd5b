"""Ids and sums with more digits than a double holds: the page shows every digit."""

import urllib.parse

from dashboard import SCRIPTS, column, expect, rows

# Four ids of 16 to 20 characters, and credits whose sum a double cannot represent.
RECORDS = """
    TRUNCATE usage_record RESTART IDENTITY;
    INSERT INTO usage_record (message_id, "timestamp", report_name, message_text, credit_hundredths)
    VALUES (-9223372036854775807, '2024-03-20T01:00Z', 'Large', 'x', 9007199254740993),
        (-9007199254740993, '2024-03-20T02:00Z', 'Large', 'x', 9007199254740992),
        (9007199254740993, '2024-03-20T03:00Z', NULL, 'x', 4503599627370497),
        (9223372036854775807, '2024-03-21T04:00Z', 'Small', 'x', 12345678)"""

WIDTHS = [320, 390, 768, 1280]


def money(hundredths):
    return f"{hundredths // 100:,}.{hundredths % 100:02}"


def test_ids_beyond_two_to_the_53_have_every_digit_whatever_their_sign(site):
    expected = site.sql('SELECT message_id FROM usage_record ORDER BY "timestamp"').splitlines()
    with site.open("/?sort=timestamp:asc") as page:
        assert column(page, 0, 4) == expected
        dialog = page.get_by_role("dialog")
        for number in expected:
            page.get_by_role("button", name=f"Message {number}, receipt", exact=True).click()
            expect(dialog.locator("h2")).to_have_text(f"Message {number}")
            expect(dialog.locator("dl")).to_be_visible()
            page.keyboard.press("Escape")


def test_sums_beyond_two_to_the_53_hundredths_are_right_to_the_cent(site):
    total, average, large, first_day = (int(number) for number in site.sql("""
        SELECT sum(credit_hundredths), round(avg(credit_hundredths)),
            sum(credit_hundredths) FILTER (WHERE report_name = 'Large'),
            sum(credit_hundredths) FILTER (WHERE "timestamp" < '2024-03-21Z') FROM usage_record""").split("|"))
    with site.open("/?granularity=day&sort=timestamp:asc") as page:
        assert page.locator("#credits").inner_text() == money(total)
        assert page.locator("#average").inner_text() == money(average)
        assert page.locator("#group-list .sum").first.inner_text() == money(large)
        assert [row[3] for row in rows(page)] == [
            money(amount) for amount in [9007199254740993, 9007199254740992, 4503599627370497, 12345678]]
        page.locator("#chart").focus()
        page.keyboard.press("Home")
        assert f"{money(first_day)} credits" in page.locator("#chart-tip").inner_text()
        assert f"{money(first_day)} credits" in page.locator("#chart-readout").inner_text()
        page.locator("#twin summary").click()
        assert page.locator(".twin tbody td").first.inner_text() == money(first_day)
        page.locator("#records tbody button").first.click()
        expect(page.locator("#receipt-body dd").last).to_have_text(money(9007199254740993))


def test_the_average_is_rounded_as_the_database_rounds(site):
    cases = [(5, 2), (-5, 2), (15, 10), (14, 10), (-15, 10), (10_000_000_000_000_001, 2), (0, 3)]
    expected = site.sql("SELECT " + ", ".join(
        f"to_char(round({sum}::numeric / {count}) / 100, 'FM999,999,999,999,999,990.00')" for sum, count in cases))
    with site.open(SCRIPTS, is_live=False, may_fail=True) as page:
        shown = page.evaluate("""async cases => {
            const { average } = await import('/js/shared/format.js');
            return cases.map(([credits_used, messages]) => average({ credits_used, messages }));
        }""", [[f"{'-' if sum < 0 else ''}{abs(sum) // 100}.{abs(sum) % 100:02}", count] for sum, count in cases])
        assert "|".join(shown) == expected


def test_a_text_that_looks_like_a_long_number_stays_as_it_is(site):
    name = '"message_id":12345678901234567890,x":-1234567890.1234567890'
    site.sql(f"UPDATE usage_record SET report_name = '{name}' WHERE message_id = 9223372036854775807")
    with site.open("/?report_name=" + urllib.parse.quote(name)) as page:
        assert column(page, 2, 1) == [name]
        assert page.locator("#group-list .name").all_inner_texts().count(name) == 1


def test_long_ids_and_credits_are_seen_whole_from_a_phone_to_a_wide_screen(site):
    cut = """() => [...document.querySelectorAll('#records td:is(.id, .number)')].filter(cell => {
        const range = new Range();
        range.selectNodeContents(cell);
        const [text, box] = [range.getBoundingClientRect(), cell.getBoundingClientRect()];
        return text.left < box.left || text.right > box.right || text.top < box.top || text.bottom > box.bottom
            || cell.scrollWidth > cell.clientWidth;
    }).map(cell => cell.textContent)"""
    with site.open() as page:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(cut) == [], width
            heights = page.locator("#records tbody tr[data-index]").evaluate_all(
                "rows => rows.map(row => row.offsetHeight)")
            assert set(heights) == {56 if width <= 760 else 37}, (width, heights)
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dates_and_numbers_are_written_as_the_browser_writes_them(site):
    period, credits = "#period", ".cards #credits"
    for locale, dates, number in [("de-DE", "20. März 2024 – 21. März 2024", "225.179.981.491.981,"),
                                  ("en-US", "Mar 20, 2024 – Mar 21, 2024", "225,179,981,491,981."),
                                  # Its calendar is another one, but not that of its date fields.
                                  ("fa-IR", "۲۰ مارس ۲۰۲۴ – ۲۱ مارس ۲۰۲۴", "۲۲۵٬۱۷۹٬۹۸۱٬۴۹۱٬۹۸۱")]:
        with site.open("/?from=2024-03-20&to=2024-03-22", locale=locale) as page:
            assert page.locator(period).inner_text() == dates
            assert page.locator(credits).inner_text().startswith(number)
