"""Downloads of exactly what is shown: its records, with their columns and order, and its sums; links, titles, paper."""

import csv
import datetime
import json
import re

from dashboard import expect, group, query, rows, wait_until_live
from test_groups import MARCH, RECORDS as GROUPS

# A name that a spreadsheet would calculate, and one beyond ASCII.
RECORDS = GROUPS + """
    UPDATE usage_record SET report_name = '=1+1, "ä"' WHERE message_id = 650;
    UPDATE usage_record SET credit_hundredths = 9007199254740993 WHERE message_id = 651;"""
VIEW = f"/?{MARCH}&tz=Europe/London&team_id=team+1&team_id=team+2"
WHERE = """WHERE team_id IN ('team 1', 'team 2') AND "timestamp" >= '2024-03-01T00:00Z' AND "timestamp" < '2024-03-31T23:00Z'"""
JOINED = "usage_record LEFT JOIN usage_attribution USING (attribution_id)"


def download(page, name):
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name=name, exact=True).click()
    expect(page.locator("#save")).to_be_hidden()
    return waiting.value.suggested_filename, waiting.value.path().read_bytes().decode()


def table(text):
    return list(csv.DictReader(text.removeprefix("\ufeff").split("\r\n")))


def test_records_are_those_of_the_table_with_its_columns_in_its_order(site):
    expected = site.sql(f"""
        SELECT message_id || '|' || to_char("timestamp", 'YYYY-MM-DD"T"HH24:MI:SS"Z"') || '|'
            || coalesce(regexp_replace(report_name, '^=', '''='), '') || '|' || coalesce(user_id, '') || '|'
            || coalesce(input_tokens::text, '') || '|' || to_char(credit_hundredths / 100.0, 'FM999999999999990.00')
        FROM {JOINED} {WHERE} ORDER BY credit_hundredths DESC, message_id""").splitlines()
    fields = ["message_id", "timestamp", "report_name", "user_id", "input_tokens", "credits_used"]
    with site.open(f"{VIEW}&sort=credits_used:desc&fields={','.join(fields)}") as page:
        name, text_in_utc = name, text = download(page, "Records as CSV")
        assert name == "usage_2024-03-01_2024-04-01_Europe-London.csv"
        assert not text.startswith("\ufeff") and text.endswith("\r\n")
        assert ["|".join(line[field] for field in fields) for line in table(text)] == expected
        assert text.split("\r\n")[0] == ",".join(fields)
        assert [line["message_id"] for line in table(text)][:10] == [row[0] for row in rows(page, 10)]
        assert f"{len(expected):,}" == page.locator("#messages").inner_text()
        # Excel reads UTF-8 by its byte order mark; the rest is the same.
        assert download(page, "Records as CSV for Excel")[1] == "\ufeff" + text
        name, text = download(page, "Records as NDJSON")
        assert name == "orbital-usage.ndjson"
        found = [json.loads(line, parse_float=str) for line in text.splitlines()]
        assert ["|".join(re.sub("^=", "'=", str(one.get(field, ""))) for field in fields) for one in found] == expected
        # On request, times are local.
        page.get_by_role("button", name="Download").click()
        page.get_by_label("Times in Europe/London, not in UTC").check()
        page.keyboard.press("Escape")
        local = table(download(page, "Records as CSV")[1])
        times = [line["timestamp"] for line in local]
        assert {time[-6:] for time in times} == {"+00:00", "+01:00"}
        assert [datetime.datetime.fromisoformat(time) for time in times] == [
            datetime.datetime.fromisoformat(line["timestamp"]) for line in table(text_in_utc)]
        # The links follow the view.
        group(page, "u-03").click()
        expect(page.locator("#messages")).not_to_have_text(f"{len(expected):,}")
        wait_until_live(page)
        number = int(page.locator("#messages").inner_text())
        assert len(table(download(page, "Records as CSV")[1])) == number


def test_sums_are_those_of_the_chart_and_the_list(site):
    with site.open(f"{VIEW}&granularity=week") as page:
        shown = dict(page.locator("#group-list .group").evaluate_all(
            "all => all.map(each => [...each.children].slice(0, 2).map(part => part.textContent))"))
        text = download(page, "Sums as CSV")[1]
        assert download(page, "Sums as CSV for Excel")[1] == "\ufeff" + text
        sums, weeks = {}, {}
        for line in table(text):
            name = "Other" if line["other"] else line["user_id"] or "Without a user"
            hundredths = int(line["credits_used"].replace(".", ""))
            sums[name] = sums.get(name, 0) + hundredths
            weeks[line["date"]] = weeks.get(line["date"], 0) + hundredths
        assert {name: f"{sum // 100:,}.{sum % 100:02}" for name, sum in sums.items()} == {
            re.sub("^Other .*", "Other", name): sum for name, sum in shown.items()}
        total = sum(sums.values())
        assert f"{total // 100:,}.{total % 100:02}" == page.locator("#credits").inner_text()
        page.get_by_text("Show as table").click()
        assert [f"{sum // 100:,}.{sum % 100:02}" for sum in weeks.values()] == page.locator(
            ".twin tbody td:nth-child(2)").all_inner_texts()
        page.locator("#group-by").select_option("none")
        expect(page.locator("#chart-title")).to_have_text("Credits per week")
        wait_until_live(page)
        lines = table(download(page, "Sums as CSV")[1])
        assert "user_id" not in lines[0] and len(lines) == len(weeks)


def test_the_link_is_copied_and_the_title_names_the_view(site):
    with site.open(f"{VIEW}&user_id=u-03&sort=credits_used:desc", permissions=["clipboard-read", "clipboard-write"]) as page:
        page.get_by_role("button", name="Copy link").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#records-state")).to_have_text("Link copied.")
        assert page.evaluate("navigator.clipboard.readText()") == page.url
        assert page.title() == "Credits by user, 1 Mar 2024 – 31 Mar 2024, User: u-03, Team: team 1, 1 more filter – Orbital Usage"
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        page.get_by_role("button", name="Copy link").click()
        expect(page.locator("#records-state")).to_contain_text("The link is in its address bar.")
        page.locator("#records tbody button").first.click()
        expect(page.get_by_role("dialog").locator("dl")).to_be_visible()
        wait_until_live(page)
        assert page.title() == f"Message {query(page)['message']} – Orbital Usage"


def test_on_paper_there_is_one_page_with_what_was_chosen_and_its_sums(site):
    for width, scheme in [(1280, "light"), (390, "dark")]:
        with site.open(f"/?{MARCH}&tz=Europe/London", color_scheme=scheme, viewport={"width": width, "height": 900}) as page:
            page.get_by_text("Show as table").click()
            # Chromium writes each page of a PDF as an object of this type.
            paper = page.pdf(format="A4")
            assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1
            page.emulate_media(media="print")
            expect(page.locator("#chosen")).to_have_text("Per day by user; time zone Europe/London; no filters")
            expect(page.locator("#chosen-link")).to_have_text(page.url)
            for seen in ["#period", "#credits", "#chart canvas", "#group-list"]:
                expect(page.locator(seen)).to_be_visible()
            for hidden in [".controls", ".records", "#twin", ".tools"]:
                expect(page.locator(hidden)).to_be_hidden()
            # As on the paper, which is narrower than the screen.
            canvas, panel = (page.locator(each).first.bounding_box() for each in ["#chart canvas", "#charts section"])
            assert canvas["width"] <= panel["width"]
            page.emulate_media(media="screen")
            page.locator("#records tbody button").first.click()
            expect(page.get_by_role("dialog").locator("dl")).to_be_visible()
            page.emulate_media(media="print")
            expect(page.locator("#receipt dl")).to_be_visible()
            expect(page.locator("#credits")).to_be_hidden()
            assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) == 1
