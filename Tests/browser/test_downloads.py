"""CSV and NDJSON of exactly what is shown: its range, its reports, its order, all of it."""

import csv
import json

from dashboard import expect, group, rows

VIEW = ("/?from=2024-03-22&to=2024-03-29&tz=Europe/London&report_name=Rent+Review&report_name=Lease+Abstract"
        "&sort=credits_used:desc")
EXPECTED = """
    SELECT message_id || '|' || to_char(credit_hundredths / 100.0, 'FM990.00') FROM usage_record
    WHERE report_name IN ('Rent Review', 'Lease Abstract') AND "timestamp" >= '2024-03-22T00:00Z'
        AND "timestamp" < '2024-03-29T00:00Z' ORDER BY credit_hundredths DESC, message_id"""


def download(page, name):
    with page.expect_download() as waiting:
        page.get_by_role("link", name=f"Download as {name}", exact=True).click()
    return waiting.value.suggested_filename, waiting.value.path().read_text(encoding="utf-8")


def test_csv_opens_in_excel(site):
    with site.open(VIEW) as page:
        assert download(page, "CSV")[1].startswith("\ufeffmessage_id,")


def test_csv_is_the_view(site):
    with site.open(VIEW) as page:
        name, text = download(page, "CSV")
        assert name == "usage_2024-03-22_2024-03-29_Europe-London.csv"
        lines = list(csv.DictReader(text.removeprefix("\ufeff").splitlines()))
        assert [f"{line['message_id']}|{line['credits_used']}" for line in lines] == site.sql(EXPECTED).splitlines()
        assert [line["message_id"] for line in lines][:10] == [row[0] for row in rows(page, 10)]
        assert f"{len(lines):,}" == page.locator("#messages").inner_text()


def test_ndjson_is_the_view(site):
    with site.open(VIEW) as page:
        name, text = download(page, "NDJSON")
        assert name == "orbital-usage.ndjson"
        found = [json.loads(line) for line in text.splitlines()]
        assert [f"{one['message_id']}|{one['credits_used']:.2f}" for one in found] == site.sql(EXPECTED).splitlines()


def test_the_links_follow_the_view(site):
    with site.open() as page:
        assert len(download(page, "CSV")[1].splitlines()) == 3001
        group(page, "Rent Review").click()
        expect(page.locator("#messages")).not_to_have_text("3,000")
        number = int(page.locator("#messages").inner_text().replace(",", ""))
        assert len(download(page, "NDJSON")[1].splitlines()) == number
