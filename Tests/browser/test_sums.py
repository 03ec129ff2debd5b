"""Cards, bars and reports: the numbers on the page are those in the database."""

import re

from dashboard import cards, expect, group, query

SUMS = """
    SELECT to_char(sum(credit_hundredths) / 100.0, 'FM999,999,990.00'), to_char(count(*), 'FM999,999'),
        to_char(round(avg(credit_hundredths)) / 100, 'FM990.00'), to_char(count(DISTINCT report_name), 'FM999,999')
    FROM usage_record WHERE {}"""


def test_cards_show_the_sums_of_all_records(site):
    with site.open() as page:
        assert cards(page) == site.sql(SUMS.format("true")).split("|")
        assert page.locator("#period").inner_text() == "20 Mar 2024 – 5 Jun 2024"


def test_cards_show_the_sums_of_the_range_and_the_report(site):
    with site.open("/?from=2024-03-31&to=2024-04-02&tz=Europe/London&report_name=Rent+Review") as page:
        where = """report_name = 'Rent Review' AND "timestamp" >= '2024-03-31T00:00Z'
            AND "timestamp" < '2024-04-01T23:00Z'"""
        assert cards(page) == site.sql(SUMS.format(where)).split("|")
        assert page.locator("#period").inner_text() == "31 Mar 2024 – 1 Apr 2024"


def test_the_card_of_reports_counts_reports_and_not_their_messages(site):
    reports, messages = site.sql(
        "SELECT count(DISTINCT report_name), to_char(count(report_name), 'FM9,999') FROM usage_record").split("|")
    with site.open() as page:
        card = page.locator(".cards div", has=page.locator("#values"))
        assert card.inner_text().split("\n") == ["Reports", reports, f"in {messages} messages"] and reports == "5"
        # A bucket does not count reports but messages with a report, and the page says so.
        page.locator("#chart").focus()
        page.keyboard.press("Home")
        first = site.sql("""SELECT count(*), count(report_name) FROM usage_record
            WHERE "timestamp" < '2024-03-21Z'""").split("|")
        text = f"{first[0]} messages, {first[1]} with a report"
        assert page.locator("#chart-tip .more").inner_text() == text
        assert f", {text}; Without a report: " in page.locator("#chart-readout").inner_text()
        page.locator("#twin summary").click()
        assert page.locator(".twin thead th").all_inner_texts()[:5] == [
            "When", "Credits", "Messages", "With a report", "Without a report"]


def test_the_twin_of_the_chart_has_every_day_of_the_zone_also_those_of_nothing(site):
    expected = site.sql("""
        SELECT to_char(day, 'Dy, FMDD Mon YYYY') || '|' || to_char(coalesce(sum(credit_hundredths), 0) / 100.0,
            'FM999,990.00') || '|' || to_char(count(message_id), 'FM999,990') || '|' || count(report_name)
        FROM generate_series('2024-03-19'::timestamp, '2024-06-05', '1 day') AS day
        LEFT JOIN usage_record ON ("timestamp" AT TIME ZONE 'America/New_York')::date = day::date
        GROUP BY day ORDER BY day""").replace(", ", " ").splitlines()
    with site.open("/?tz=America/New_York&group_by=none") as page:
        page.get_by_text("Show as table").click()
        expect(page.locator(".twin tbody tr")).to_have_count(len(expected))
        shown = page.locator(".twin tbody tr").evaluate_all(
            "rows => rows.map(row => [...row.cells].map(cell => cell.textContent).join('|'))")
        assert [line.replace(", ", " ") for line in shown] == expected
        assert sum("|0.00|0|0" in line for line in shown) > 30


def test_an_hour_that_comes_twice_has_its_offset(site):
    site.sql("INSERT INTO usage_record VALUES (0, '2024-10-27T05:00Z', NULL, 'x')")
    with site.open("/?from=2024-10-27&to=2024-10-28&tz=Europe/London") as page:
        page.get_by_text("Show as table").click()
        hours = page.locator(".twin tbody th").all_inner_texts()
        assert hours[:4] == [f"Sun, 27 Oct 2024, {hour}" for hour in [
            "00:00", "01:00 (UTC+01:00)", "01:00 (UTC+00:00)", "02:00"]]
        assert len(hours) == len(set(hours)) == 25
        page.locator("#chart").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#chart-tip")).to_contain_text("01:00 (UTC+01:00)")
        assert "01:00 (UTC+01:00): 0.00" in page.locator("#chart-readout").inner_text()
    site.sql("DELETE FROM usage_record WHERE message_id = 0")


def test_what_has_no_records_says_so_without_a_period_that_never_was(site):
    for address, period in [("/?report_name=Nothing", "No records"), ("/?from=2024-07-01", "1 Jul 2024, 00:00"),
                            ("/?from=2024-04-02&to=2024-04-02&tz=Asia/Tokyo", "2 Apr 2024, 00:00")]:
        with site.open(address) as page:
            assert page.locator("#period").inner_text() == period
            expect(page.locator("#records-empty")).to_contain_text("No messages match.")


def test_reports_are_bars_by_credits_and_filter(site):
    expected = site.sql("""
        SELECT coalesce(report_name, 'Without a report'), to_char(sum(credit_hundredths) / 100.0, 'FM999,990.00')
        FROM usage_record GROUP BY report_name ORDER BY sum(credit_hundredths) DESC""").splitlines()
    with site.open() as page:
        buttons = page.locator("#group-list .group")
        shown = [f"{one.locator('.name').inner_text()}|{one.locator('.sum').inner_text()}" for one in buttons.all()]
        assert shown == expected
        widths = [one.locator(".bar").bounding_box()["width"] for one in buttons.all()]
        assert widths == sorted(widths, reverse=True) and widths[0] > 2 * widths[1]

        group(page, "Rent Review").click()
        where = "report_name = 'Rent Review'"
        expect(page.locator("#messages")).to_have_text(site.sql(SUMS.format(where)).split("|")[1])
        expect(group(page, "Rent Review")).to_have_attribute("aria-pressed", "true")
        assert query(page) == {"report_name": "Rent Review"}
        group(page, "Rent Review").click()
        expect(buttons).to_have_count(6)

        group(page, "Without a report").click()
        expect(page.locator("#values")).to_have_text("0")
        assert query(page) == {"has_report": "false"}
        page.get_by_role("button", name="Remove the filter Without a report").click()
        expect(page.locator("#messages")).to_have_text("3,000")
        assert query(page) == {}
