"""The table of records: all of them, by cursor, with a receipt for each."""

from dashboard import eventually, expect, rows, wait_until_live

OLDEST = "/?sort=timestamp:asc"
ORDER = 'ORDER BY "timestamp", message_id'

# Scrolls from place to place, as soon as each one's rows are there; the id of each row.
WALK = """async tops => {
    const seen = {};
    for (const top of tops) {
        document.querySelector('#scroller').scrollTop = top;
        const last = Math.min(2999, top / 37 + 26);
        const begin = performance.now();
        for (;;) {
            if (performance.now() > begin + 10_000) throw new Error(`no rows at ${top}`);
            await new Promise(requestAnimationFrame);
            const rows = [...document.querySelectorAll('#records tbody tr[data-index]')];
            if (rows.at(-1).dataset.index < last || rows[0].dataset.index > last - 26) continue;
            if (rows.some(row => row.classList.contains('pending'))) continue;
            for (const row of rows) seen[row.dataset.index] = row.cells[0].textContent;
            break;
        }
    }
    return seen;
}"""


def scroll_to(page, share):
    page.locator("#scroller").evaluate("(it, share) => { it.scrollTop = it.scrollHeight * share; }", share)


def settled(page, text):
    expect(page.locator("#position")).to_contain_text(text)
    expect(page.locator(".pending")).to_have_count(0)


def test_rows_show_id_time_in_the_zone_report_and_credits(site):
    expected = site.sql(f"""
        SELECT message_id, to_char("timestamp" AT TIME ZONE 'Asia/Kathmandu', 'FMDD Mon YYYY, HH24:MI:SS'),
            coalesce(report_name, ''), to_char(credit_hundredths / 100.0, 'FM999,990.00')
        FROM usage_record ORDER BY "timestamp" DESC, message_id LIMIT 12""").splitlines()
    with site.open("/?tz=Asia/Kathmandu") as page:
        assert ["|".join(row) for row in rows(page, 12)] == expected
        assert page.locator("#zone-name").inner_text() == "Asia/Kathmandu"
        assert any(line.split("|")[2] == "" for line in expected)


def test_all_rows_come_in_order_down_and_up_again(site):
    expected = site.sql(f"SELECT message_id FROM usage_record {ORDER}").splitlines()
    with site.open(OLDEST) as page:
        positions = [*range(0, 2980 * 37, 37 * 28), 2980 * 37]
        for tops in [positions, positions[::-1]]:
            seen = page.evaluate(WALK, tops)
            different = [index for index in range(3000) if seen.get(str(index)) != expected[index]]
            assert different == [], different[:20]
        assert page.locator("#records tbody tr[data-index]").count() < 60, "rows stay few"


def test_somewhere_far_is_found_without_reading_what_lies_between(site):
    with site.open(OLDEST) as page:
        bodies = []
        page.on("response", lambda response: "/usage?" in response.url and bodies.append(response.request.method))
        scroll_to(page, 1)
        settled(page, "3,000 of 3,000")
        assert bodies.count("HEAD") >= 1 and bodies.count("GET") <= 2, bodies
        assert rows(page)[-1][0] == site.sql(f"SELECT message_id FROM usage_record {ORDER} OFFSET 2999")


def test_a_click_or_enter_shows_the_receipt_and_closing_it_returns(site):
    site.sql("""UPDATE usage_record SET message_id = 9007199254740993 WHERE message_id = 2""")
    with site.open(OLDEST + "&tz=Europe/London") as page:
        dialog = page.get_by_role("dialog")
        page.locator("#records tbody tr[data-index='0'] td.name").click()
        expect(dialog.locator("dl")).to_be_visible()
        text = dialog.inner_text()
        for part in ["20 Mar 2024, 00:47:00 UTC", "319", "319 characters ÷ 4 = 79.75 tokens",
                     "40.00 credits per 100 tokens", "initial rate", "79.75 ÷ 100 × 40.00 = 31.90", "31.90"]:
            assert part in text, text
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        first = page.get_by_role("button", name="Message 1, receipt")
        expect(first).to_be_focused()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(dialog).to_contain_text("Message 9007199254740993")
        expect(dialog.locator("dl")).to_be_visible()
        page.keyboard.press("Enter")
        expect(dialog).to_be_hidden()
        expect(page.get_by_role("button", name="Message 9007199254740993, receipt")).to_be_focused()
    site.sql("""UPDATE usage_record SET message_id = 2 WHERE message_id = 9007199254740993""")


def test_a_name_can_be_selected_in_its_row(site):
    with site.open(OLDEST) as page:
        name = page.locator("#records tbody tr[data-index='0'] td.name").bounding_box()
        page.mouse.move(name["x"] + 13, name["y"] + 18)
        page.mouse.down()
        page.mouse.move(name["x"] + 150, name["y"] + 18, steps=5)
        page.mouse.up()
        assert page.evaluate("getSelection().toString()") == "Lease Abstract"
        expect(page.get_by_role("dialog")).to_be_hidden()
        page.get_by_role("button", name="Message 1, receipt").click()
        expect(page.get_by_role("dialog")).to_be_visible()


def test_a_minimum_that_applies_is_said(site):
    small = site.sql("SELECT min(message_id) FROM usage_record WHERE credit_hundredths = 100")
    with site.open("/?sort=credits_used:asc") as page:
        page.get_by_role("button", name=f"Message {small}, receipt").click()
        expect(page.get_by_role("dialog")).to_contain_text("1.00 (applied)")


def test_a_receipt_whose_tokens_are_estimated_says_so(site):
    """Plain SQL recorded no count at a rate with exact tokens, so the record is priced by characters."""
    site.sql("""
        INSERT INTO credit_rate (effective_from, tokenizer, input_price, output_price,
            cache_read_price, cache_creation_price, minimum_hundredths)
        VALUES ('2024-07-01Z', 'o200k_base', 40000000, 40000000, 40000000, 40000000, 100);
        INSERT INTO usage_record (message_id, "timestamp", message_text) VALUES (0, '2024-07-02Z', 'What is the rent?')""")
    try:
        with site.open("/?from=2024-07-01") as page:
            page.get_by_role("button", name="Message 0, receipt").click()
            expect(page.get_by_role("dialog")).to_contain_text("17 characters ÷ 4 = 4.25 tokens (estimated)")
    finally:
        site.sql("""
            DELETE FROM usage_record WHERE message_id = 0;
            ALTER TABLE credit_rate DISABLE TRIGGER credit_rate_append_only;
            DELETE FROM credit_rate WHERE effective_from = '2024-07-01Z';
            ALTER TABLE credit_rate ENABLE TRIGGER credit_rate_append_only;""")


def test_a_receipt_of_reported_tokens_itemises_their_kinds(site):
    site.sql("""
        INSERT INTO credit_rate (effective_from, model, tokenizer, input_price, output_price,
            cache_read_price, cache_creation_price, minimum_hundredths)
        VALUES ('2024-07-01Z', 'gpt-5*', 'characters', 150000, 600000, 15000, 187500, 100);
        INSERT INTO usage_record (message_id, "timestamp", attribution_id, input_tokens, output_tokens,
            cache_read_input_tokens)
        VALUES (0, '2024-07-02Z', usage_attribution(NULL, NULL, 'gpt-5-mini', NULL), 2001, 305, 800)""")
    try:
        with site.open("/?from=2024-07-01") as page:
            page.get_by_role("button", name="Message 0, receipt").click()
            dialog = page.get_by_role("dialog")
            expect(dialog).to_contain_text("1,201 × 1,500.00 ÷ 1 million = 1.8015")
            assert dialog.locator("dl div").all_inner_texts()[2:] == [
                "Model\ngpt-5-mini",
                "Input tokens\n1,201 × 1,500.00 ÷ 1 million = 1.8015",
                "Cached input tokens\n800 × 150.00 ÷ 1 million = 0.12",
                "Output tokens\n305 × 6,000.00 ÷ 1 million = 1.83",
                "Rate for\ngpt-5*", "Rate since\n1 Jul 2024, 00:00:00 UTC+00:00", "Calculated\n3.75",
                "Minimum\n1.00", "Credits\n3.75"]
    finally:
        site.sql("""
            DELETE FROM usage_record WHERE message_id = 0;
            ALTER TABLE credit_rate DISABLE TRIGGER credit_rate_append_only;
            DELETE FROM credit_rate WHERE effective_from = '2024-07-01Z';
            ALTER TABLE credit_rate ENABLE TRIGGER credit_rate_append_only;""")


def test_records_whose_model_has_no_rate_are_counted_in_a_dialog(site):
    with site.open(OLDEST) as page:
        note = page.get_by_role("button", name="Rates to check")
        expect(note).to_be_hidden()
        site.sql("""
            INSERT INTO credit_rate (effective_from, model, tokenizer, input_price, output_price,
                cache_read_price, cache_creation_price, minimum_hundredths)
            VALUES ('2024-07-01Z', 'gpt-5*', 'characters', 150000, 600000, 15000, 187500, 100);
            INSERT INTO usage_record (message_id, "timestamp", attribution_id, input_tokens)
            VALUES (0, '2024-07-02Z', usage_attribution(NULL, NULL, 'claude-9', NULL), 2001),
                (-1, '2024-07-02Z', usage_attribution(NULL, NULL, 'gpt-5-mini', NULL), 2001)""")
        try:
            note.click()
            dialog = page.get_by_role("dialog", name="Rates to check")
            expect(dialog).to_contain_text(
                "Of the newest 1,000 records, 1 with a model was priced by a rate without one.")
            page.keyboard.press("Enter")
            expect(dialog).to_be_hidden()
            expect(note).to_be_focused()
            # The receipt shows which records these are.
            page.goto(site.url + "/?from=2024-07-01")
            page.get_by_role("button", name="Message 0, receipt").click()
            expect(page.get_by_role("dialog")).to_contain_text("Rate forall models")
            page.keyboard.press("Escape")
        finally:
            site.sql("""
                DELETE FROM usage_record WHERE message_id <= 0;
                ALTER TABLE credit_rate DISABLE TRIGGER credit_rate_append_only;
                DELETE FROM credit_rate WHERE effective_from = '2024-07-01Z';
                ALTER TABLE credit_rate ENABLE TRIGGER credit_rate_append_only;""")
        expect(note).to_be_hidden()


def test_the_keyboard_walks_through_the_rows(site):
    last = site.sql(f"SELECT message_id FROM usage_record {ORDER} OFFSET 2999")
    with site.open(OLDEST) as page:
        page.locator("#scroller").focus()
        # The four sorts come first.
        for _ in range(5):
            page.keyboard.press("Tab")
        focused = page.locator("#records tbody button:focus")
        assert focused.inner_text() == "1"
        for key, row in [("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1)]:
            page.keyboard.press(key)
            assert page.locator("#records tr:focus-within").get_attribute("data-index") == str(row)
        page.keyboard.press("End")
        expect(focused).to_have_text(last)
        expect(page.locator("#records tr:focus-within")).to_have_attribute("aria-rowindex", "3001")
        expect(page.locator("#records")).to_have_attribute("aria-rowcount", "3001")
        page.keyboard.press("PageUp")
        page.keyboard.press("Home")
        expect(focused).to_have_text("1")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('tbody')") is None, "one stop for all rows"


def test_a_row_that_is_scrolled_away_leaves_the_focus_to_the_table(site):
    with site.open(OLDEST) as page:
        page.locator("#records tbody button").first.focus()
        scroll_to(page, 0.5)
        expect(page.locator("#scroller")).to_be_focused()
        settled(page, "of 3,000")
        for _ in range(5):
            page.keyboard.press("Tab")
        row = page.locator("#records tr:focus-within").get_attribute("data-index")
        assert abs(int(row) - 1500) < 30


def test_how_many_there_are_is_said_once_it_is_known(site):
    with site.open(OLDEST) as page:
        page.route("**/usage/summary*", lambda route: None)
        page.get_by_role("button", name="Credits", exact=True).click()
        position = page.locator("#position")
        expect(position).to_have_text("1–16 of 1,000 or more")
        expect(page.locator("#records")).to_have_attribute("aria-rowcount", "-1")
        page.unroute("**/usage/summary*")
        expect(position).to_have_text("1–16 of 3,000")
        expect(page.locator("#records")).to_have_attribute("aria-rowcount", "3001")


def test_names_are_written_in_their_own_direction(site):
    name = "דוח שימוש (1)!"
    site.sql(f"INSERT INTO usage_record VALUES (0, '2024-03-19Z', '{name}', 'x')")
    ends = """cell => [0, cell.firstChild.length - 1].map(place => {
        const range = new Range();
        range.setStart(cell.firstChild, place);
        range.setEnd(cell.firstChild, place + 1);
        return range.getBoundingClientRect().left;
    })"""
    with site.open(OLDEST) as page:
        page.get_by_role("button", name="Message 0, receipt").click()
        expect(page.get_by_role("dialog").locator("dl")).to_be_visible()
        for selector in ["#records tr[data-index='0'] .name span", "#group-list .name", "#receipt dd"]:
            first, last = page.locator(selector, has_text=name).evaluate(ends)
            assert last < first, selector
    site.sql("DELETE FROM usage_record WHERE message_id = 0")


def test_a_turned_phone_shows_the_same_records(site):
    with site.open(OLDEST) as page:
        scroll_to(page, 0.5)
        settled(page, "1,501–")
        for width in [700, 1280, 390, 844]:
            page.set_viewport_size({"width": width, "height": 800})
            eventually(page, lambda: page.locator("#chart canvas").bounding_box()["width"] < width)
            settled(page, "1,501–")
        assert not page.locator("#records tbody tr[data-index='1501'] button").is_disabled()


def test_what_concerns_no_record_moves_none(site):
    with site.open(OLDEST) as page:
        scroll_to(page, 0.5)
        settled(page, "1,501–")
        asked = []
        page.on("request", lambda request: "/usage?" in request.url and asked.append(request.url))
        for _ in range(2):
            page.get_by_role("button", name="Week").click()
            expect(page.locator("#chart-title")).to_have_text("Credits per week")
            wait_until_live(page)
        steps = page.evaluate("history.length")
        page.get_by_role("link", name="Skip to the records").press("Enter")
        expect(page.locator("#records-title")).to_be_focused()
        page.go_back()
        page.go_back()
        expect(page.locator("#chart-title")).to_have_text("Credits per day")
        wait_until_live(page)
        assert page.locator("#position").inner_text().startswith("1,501–")
        assert asked == [] and page.evaluate("history.length") == steps + 1


def test_a_page_that_cannot_be_read_is_read_later(site):
    with site.open(OLDEST, may_fail=True) as page:
        page.route("**/usage?*cursor=*", lambda route: route.abort())
        scroll_to(page, 0.6)
        expect(page.locator("#state")).to_contain_text("is unreachable")
        assert page.locator(".pending").count() > 5
        page.unroute("**/usage?*cursor=*")
        page.get_by_role("button", name="Try again").click()
        settled(page, "of 3,000")
        wait_until_live(page)


def test_next_and_previous_read_the_pages_that_the_table_has_not_shown(site):
    order = site.sql(f"SELECT message_id FROM usage_record {ORDER}").splitlines()
    with site.open(f"{OLDEST}&message={order[998]}") as page:
        place = page.locator("#receipt-place")
        expect(place).to_have_text("999 of 3,000 in the table")
        for name, index in [("Next", 999), ("Next", 1000), ("Next", 1001), ("Previous", 1000), ("Previous", 999)]:
            page.get_by_role("button", name=name, exact=True).click()
            expect(page.locator("#receipt-title")).to_have_text(f"Message {order[index]}")
            expect(place).to_have_text(f"{index + 1:,} of 3,000 in the table")
