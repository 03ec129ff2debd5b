"""The page follows the records while somebody looks, and moves nothing that is looked at."""

from dashboard import cards, eventually, expect, group, later, query, rows

ADD = """INSERT INTO usage_record ("timestamp", report_name, message_text)
    SELECT '{}', {}, repeat('y', 200) FROM generate_series(1, {})"""


def add(site, time="2024-06-06T10:00Z", name="NULL", number=1):
    site.sql(ADD.format(time, name, number))


def test_nothing_new_costs_one_304_every_few_seconds(site):
    with site.open(has_clock=True) as page:
        answers = []
        page.on("response", lambda response: answers.append(f"{response.status} {response.url[len(site.url):]}"))
        for number in [1, 2, 3]:
            later(page)
            eventually(page, lambda: len(answers) == number)
            expect(page.locator("#state[data-kind=live]")).to_be_visible()
        assert answers == ["304 /usage/summary?group_by=report_name&top=8"] * 3


def test_a_new_record_changes_everything_that_it_touches(site):
    count = int(site.sql("SELECT count(*) FROM usage_record"))
    with site.open(has_clock=True) as page:
        add(site, name="'A New Report'")
        later(page)
        expect(page.locator("#messages")).to_have_text(f"{count + 1:,}")
        expect(page.locator("#period")).to_have_text("20 Mar 2024 – 6 Jun 2024")
        expect(group(page, "A New Report")).to_be_visible()
        expect(page.locator("#position")).to_contain_text(f"of {count + 1:,}")
        # Until its row is there, the focus stays at the record.
        expect(page.locator("#records tbody tr[data-index='0']")).to_contain_text("A New Report")
        page.locator("#records tbody button[tabindex='0']").focus()
        page.keyboard.press("Home")
        expect(page.locator("#records tr:focus-within")).to_contain_text("A New Report")


def test_scroll_position_and_focus_stay_when_rows_come_in_before(site):
    # Their number changes on the first page of records, and on the second where the first is near and so
    # read again; later pages start where they started.
    for top, shift in [(500, 3), (1200, 3), (1500, 0)]:
        count = int(site.sql("SELECT count(*) FROM usage_record"))
        with site.open("/?sort=credits_used:desc", has_clock=True) as page:
            page.locator("#scroller").evaluate("(it, top) => { it.scrollTop = top * 37 + 11; }", top)
            expect(page.locator("#position")).to_contain_text(f"{top + 1:,}–")
            expect(page.locator(".pending")).to_have_count(0)
            page.evaluate("scrollTo(0, 300)")
            page.locator(f"#records tbody tr[data-index='{top + 5}'] button").focus()
            focused = page.locator("#records tr:focus-within")
            record, place = focused.inner_text(), focused.bounding_box()
            # As dear as the dearest: they come in before the row.
            site.sql("""INSERT INTO usage_record ("timestamp", message_text)
                SELECT '2024-04-01Z', repeat('y', 4000) FROM generate_series(1, 3)""")
            with page.expect_response("**/usage?*"):
                later(page)
            expect(page.locator("#messages")).to_have_text(f"{count + 3:,}")
            expect(page.locator("#position")).to_contain_text(f"of {count + 3:,}")
            expect(focused).to_have_attribute("data-index", str(top + 5 + shift))
            expect(focused).to_have_text(record, use_inner_text=True)
            assert focused.bounding_box() == place
            # Up again: none is missing, none is there twice.
            page.keyboard.press("Home")
            expect(focused).to_have_attribute("data-index", "0")
            expect(page.locator(".pending")).to_have_count(0)
            dearest = site.sql(
                "SELECT message_id FROM usage_record ORDER BY credit_hundredths DESC, message_id LIMIT 10")
            # The first page may be read again only now.
            eventually(page, lambda: [row[0] for row in rows(page, 10)] == dearest.splitlines())


def test_many_new_records_do_not_move_the_focus_of_who_reads_two_pages(site):
    """Those that were on the first page of 1,000 are on the second after that."""
    order = "ORDER BY credit_hundredths DESC, message_id"
    for top, row, number in [(990, 1005, 50), (940, 945, 150), (700, 702, 600)]:
        with site.open("/?sort=credits_used:desc", has_clock=True) as page:
            page.locator("#scroller").evaluate("(it, top) => { it.scrollTop = top * 37 + 11; }", top)
            expect(page.locator("#position")).to_contain_text(f"{top + 1:,}–")
            expect(page.locator(".pending")).to_have_count(0)
            page.evaluate("scrollTo(0, 300)")
            focused = page.locator("#records tr:focus-within")
            page.locator(f"#records tbody tr[data-index='{row}'] button").focus()
            record, place = focused.inner_text(), focused.bounding_box()
            site.sql(f"""INSERT INTO usage_record ("timestamp", report_name, message_text)
                SELECT '2024-04-01Z', NULL, repeat('z', 4000) FROM generate_series(1, {number})""")
            count = int(site.sql("SELECT count(*) FROM usage_record"))
            later(page)
            expect(page.locator("#position")).to_contain_text(f"of {count:,}")
            expect(focused).to_have_attribute("data-index", str(row + number))
            expect(focused).to_have_text(record, use_inner_text=True)
            assert focused.bounding_box() == place
            expect(page.locator(".pending")).to_have_count(0)
            wanted = site.sql(f"SELECT message_id FROM usage_record {order} OFFSET {row + number} LIMIT 3").splitlines()
            shown = page.locator("#records tbody tr[data-index]").evaluate_all(
                "rows => Object.fromEntries(rows.map(row => [row.dataset.index, row.cells[0].textContent]))")
            assert [shown[str(row + number + each)] for each in range(3)] == wanted
        site.sql("DELETE FROM usage_record WHERE message_text LIKE 'zz%'")


def test_a_record_that_comes_between_the_rows_and_the_sums_is_not_missed(site):
    with site.open("", is_live=False) as page:
        held = []
        page.route("**/usage/summary*", lambda route: held.append(route))
        with page.expect_response("**/usage?*"):
            page.goto(site.url + "/?range=all&sort=credits_used:desc")
        eventually(page, lambda: held)
        site.sql("""INSERT INTO usage_record ("timestamp", report_name, message_text)
            VALUES ('2024-04-01Z', 'Between', repeat('y', 5000))""")
        # What is held goes on.
        page.unroute("**/usage/summary*")
        expect(page.locator("#records tbody tr[data-index]").first).to_contain_text("Between")


def test_another_view_is_not_lost_while_the_rows_of_this_one_are_read_again(site):
    with site.open(has_clock=True) as page:
        # On two pages of records.
        page.locator("#scroller").evaluate("it => { it.scrollTop = 990 * 37; }")
        expect(page.locator("#position")).to_contain_text("991–")
        expect(page.locator(".pending")).to_have_count(0)
        held = []
        page.route("**/usage?*", lambda route: held.append(route.request.url))
        add(site)
        later(page)
        eventually(page, lambda: len(held) == 1)
        page.get_by_role("button", name="Credits", exact=True).click()
        eventually(page, lambda: any("sort=credits" in address for address in held))
        page.wait_for_timeout(200)
        page.unroute("**/usage?*")
        most = site.sql("SELECT message_id FROM usage_record ORDER BY credit_hundredths DESC, message_id LIMIT 10")
        eventually(page, lambda: [row[0] for row in rows(page, 10)] == most.splitlines())


def test_focus_in_a_field_and_an_open_receipt_stay(site):
    count = int(site.sql("SELECT count(*) FROM usage_record"))
    with site.open(has_clock=True) as page:
        page.get_by_role("button", name="Filter by Report").click()
        field = page.locator("#picker-text")
        field.fill("Lease")
        add(site)
        later(page)
        expect(page.locator("#messages")).to_have_text(f"{count + 1:,}")
        expect(field).to_be_focused()
        assert field.input_value() == "Lease"
        page.keyboard.press("Escape")
        report = group(page, "Lease Abstract")
        report.focus()
        # The order of the list changes, but not what has the focus.
        add(site, name="'Lease Abstract'", number=400)
        later(page)
        expect(page.locator("#messages")).to_have_text(f"{count + 401:,}")
        expect(report).to_be_focused()
        page.locator("#records tbody button").first.click()
        expect(page.get_by_role("dialog").locator("dl")).to_be_visible()
        add(site)
        later(page)
        expect(page.locator("#messages")).to_have_text(f"{count + 402:,}")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#records tbody button").first).to_be_focused()


def test_what_is_chosen_in_the_chart_stays_and_is_told_anew(site):
    with site.open("/?from=2024-03-20&to=2024-03-30", has_clock=True) as page:
        page.locator("#chart").focus()
        for key in ["ArrowRight", "ArrowRight", "Shift+ArrowRight"]:
            page.keyboard.press(key)
        tip = page.locator("#chart-tip")
        before = tip.inner_text()
        add(site, "2024-03-22T10:00Z")
        later(page)
        expect(tip).not_to_have_text(before, use_inner_text=True)
        expect(tip).to_contain_text("Fri, 22 Mar 2024")
        assert page.locator("#chart .u-select").bounding_box()["width"] > 50
        page.keyboard.press("Enter")
        expect(page.locator("#period")).to_have_text("21 Mar 2024 – 22 Mar 2024")


def test_today_is_another_day_after_midnight(site):
    with site.open("", is_live=False, has_clock=True) as page:
        page.clock.set_system_time("2024-03-25T23:59:50Z")
        page.goto(site.url)
        page.locator("#preset").select_option(label="Today")
        expect(page.locator("#period")).to_have_text("25 Mar 2024")
        later(page, 20)
        expect(page.locator("#period")).to_have_text("26 Mar 2024")
        expect(page.locator("#preset option:checked")).to_have_text("Today")
        assert query(page) == {"range": "today"}


def test_a_hidden_page_asks_nothing(site):
    with site.open(has_clock=True) as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        hide = """isHidden => {
            Object.defineProperty(document, 'hidden', { value: isHidden, configurable: true });
            document.dispatchEvent(new Event('visibilitychange'));
        }"""
        page.evaluate(hide, True)
        later(page, 60)
        assert asked == []
        page.evaluate(hide, False)
        eventually(page, lambda: len(asked) == 1)
