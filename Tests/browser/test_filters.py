"""Filters by user, team, model and tag, ranges, and the cards with what has changed since the period before."""

from dashboard import SCRIPTS, cards, choose_dates, eventually, expect, later, query, wait_until_live
from test_groups import MARCH, RECORDS  # noqa: F401

JOINED = "usage_record LEFT JOIN usage_attribution USING (attribution_id)"
SUMS = f"""SELECT to_char(coalesce(sum(credit_hundredths), 0) / 100.0, 'FM999,990.00') || '|' || count(*) || '|'
    || to_char(coalesce(sum(input_tokens + output_tokens), 0), 'FM999,990') FROM {JOINED} WHERE {{}}"""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def count(site, where):
    return site.sql(f"SELECT count(*) FROM {JOINED} WHERE {where}")


def chips(page):
    return page.locator("#chips li").all_inner_texts()


def options(page):
    return page.locator("#picker-list [role=option] .name").all_inner_texts()


def test_values_are_picked_by_typing_and_keys_and_chips_remove_them(site):
    with site.open() as page:
        opener = page.get_by_role("button", name="Filter by User")
        opener.focus()
        page.keyboard.press("Enter")
        field, messages = page.get_by_role("combobox", name="User is any of"), page.locator("#messages")
        expect(field).to_be_focused()
        eventually(page, lambda: len(options(page)) == 15)
        assert options(page)[0] == "Without a user"
        page.keyboard.type("U-1")
        eventually(page, lambda: sorted(options(page)) == [f"u-{number}" for number in range(10, 15)])
        first, second = options(page)[:2]
        page.keyboard.press("Enter")
        expect(messages).to_have_text(count(site, f"user_id = '{first}'"))
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(messages).to_have_text(count(site, f"user_id IN ('{first}', '{second}')"))
        selected = page.locator("#picker-list [aria-selected=true]")
        expect(selected).to_have_count(2)
        # The others can still be found.
        field.fill("without")
        eventually(page, lambda: options(page) == ["Without a user"])
        page.keyboard.press("Enter")
        where = f"coalesce(user_id, '') IN ('{first}', '{second}', '')"
        expect(messages).to_have_text(count(site, where))
        assert chips(page) == [f"User: {first}", f"User: {second}", "Without a user"]
        assert page.url.endswith(f"?user_id={first}&user_id={second}&user_id=&range=all")
        page.keyboard.press("Escape")
        expect(opener).to_be_focused()
        page.get_by_role("button", name=f"Remove the filter User: {first}").click()
        expect(messages).to_have_text(count(site, f"coalesce(user_id, '') IN ('{second}', '')"))
        expect(page.locator("#chips button").first).to_be_focused()
        page.go_back()
        expect(messages).to_have_text(count(site, where))
        wait_until_live(page)
        page.locator("#position").get_by_text(f"of {count(site, where)}").wait_for()


def test_a_list_closes_by_its_button_and_by_a_click_beside_it_which_does_nothing_else(site):
    with site.open(f"/?{MARCH}") as page:
        opener, picker = page.get_by_role("button", name="Filter by Team"), page.locator("#picker")
        for state in ["true", "false", "true"]:
            opener.click()
            expect(opener).to_have_attribute("aria-expanded", state)
            expect(picker).to_be_visible() if state == "true" else expect(picker).to_be_hidden()
        page.get_by_role("button", name="Filter by User").click()
        expect(page.get_by_role("combobox", name="User is any of")).to_be_focused()
        page.locator("#chart .u-over").click(position={"x": 20, "y": 20})
        expect(picker).to_be_hidden()
        page.wait_for_timeout(100)
        assert query(page) == {"from": "2024-03-01", "to": "2024-04-01"}


def test_filters_of_different_parts_must_all_match(site):
    where = "team_id = 'team 1' AND tags ->> 'env' = 'prod' AND model = ''"
    with site.open("/?team_id=team+1&tag=env:prod&model=") as page:
        assert page.locator("#messages").inner_text() == count(site, where) != "0"
        assert chips(page) == ["Team: team 1", "Without a model", "env: prod"]
        # A tag has one value: another one replaces it.
        page.get_by_role("button", name="Filter by env").click()
        page.locator("#picker-list").get_by_text("test").click()
        expect(page.locator("#messages")).to_have_text(count(site, where.replace("prod", "test")))
        assert query(page)["tag"] == "env:test"
        page.keyboard.press("Escape")
        # The list of a part does not depend on its own filter, but on the others.
        page.get_by_role("button", name="Filter by Report").click()
        names = site.sql(f"""SELECT report_name FROM {JOINED} WHERE {where.replace("prod", "test")}
            AND report_name <> '' GROUP BY report_name ORDER BY sum(credit_hundredths) DESC, report_name""").splitlines()
        eventually(page, lambda: options(page) == ["Without a report", *names])
        page.locator("#picker-text").fill("nothing like it")
        expect(page.locator("#picker-note")).to_have_text("No report in this range has “nothing like it” in its name.")


def test_more_values_than_are_read_at_once_are_found_by_their_beginning(site):
    site.sql("""INSERT INTO usage_record ("timestamp", report_name, message_text, attribution_id)
        SELECT '2025-01-01Z', 'Lease ' || n, repeat('x', 1300 - n), usage_attribution('many ' || n, NULL, NULL, NULL)
        FROM generate_series(1, 1200) AS n""")
    with site.open("/?from=2025-01-01&to=2025-01-02") as page:
        page.get_by_role("button", name="Filter by User").click()
        expect(page.locator("#picker-note")).to_have_text("The first 100; type to find more.")
        page.locator("#picker-text").fill("many 119")
        # The first 1,000 contain one of them.
        eventually(page, lambda: options(page) == ["many 119", *[f"many {number}" for number in range(1190, 1200)]])
        page.locator("#picker-text").fill("many 1195")
        eventually(page, lambda: options(page) == ["many 1195"])
        page.keyboard.press("Enter")
        expect(page.locator("#messages")).to_have_text("1")
        page.keyboard.press("Enter")
        expect(page.locator("#messages")).to_have_text("1,200")
        page.keyboard.press("Escape")
        # Reports are found by any part of their names.
        page.get_by_role("button", name="Filter by Report").click()
        page.locator("#picker-text").fill("se 119")
        eventually(page, lambda: options(page) == ["Lease 119", *[f"Lease {number}" for number in range(1190, 1200)]])
    site.sql("""DELETE FROM usage_record WHERE "timestamp" >= '2025-01-01Z'""")


def test_on_a_phone_the_first_number_is_in_sight_and_a_finger_filters(site):
    for size in [PHONE, {**PHONE, "viewport": {"width": 320, "height": 568}}]:
        with site.open(f"/?{MARCH}&user_id=u-01", **size) as page:
            number = page.locator("#credits").bounding_box()
            assert number["y"] + number["height"] < size["viewport"]["height"]
            fold = page.get_by_role("button", name="Filters (1)")
            expect(fold).to_have_attribute("aria-expanded", "false")
            expect(page.locator("#pickers")).to_be_hidden()
            fold.tap()
            page.get_by_role("button", name="Filter by Team").tap()
            option = page.locator("#picker-list").get_by_text("team 2")
            option.tap()
            expect(page.locator("#messages")).to_have_text(count(
                site, """user_id = 'u-01' AND team_id = 'team 2' AND "timestamp" >= '2024-03-01Z'"""))
            box = page.locator("#picker").bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= size["viewport"]["width"]
            page.keyboard.press("Escape")
            page.get_by_role("button", name="Remove the filter Team: team 2").tap()
            expect(page.get_by_role("button", name="Filters (1)")).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") == size["viewport"]["width"]


def test_presets_stay_relative_and_custom_dates_are_behind_them(site):
    with site.open(has_clock=True) as page:
        page.clock.set_system_time("2024-03-17T14:03:20Z")
        expect(page.locator("#dates")).to_be_hidden()
        for label, address, period in [("This month", "month", "1 Mar 2024 – 31 Mar 2024"),
                                       ("Last 30 days", "30d", "17 Feb 2024 – 17 Mar 2024")]:
            page.locator("#preset").select_option(label=label)
            expect(page.locator("#period")).to_have_text(period)
            assert query(page) == {"range": address}
        page.clock.set_system_time("2024-03-18T10:00:00Z")
        later(page)
        expect(page.locator("#period")).to_have_text("18 Feb 2024 – 18 Mar 2024")
        page.locator("#preset").select_option(label="Custom dates")
        expect(page.locator("#from")).to_have_value("2024-02-18")
        expect(page.locator("#to")).to_have_value("2024-03-18")
        assert query(page) == {"from": "2024-02-18", "to": "2024-03-19"}
        choose_dates(page, "2024-03-10")
        expect(page.locator("#period")).to_have_text("10 Mar 2024 – 18 Mar 2024")
        page.get_by_role("button", name="Reset").click()
        expect(page.locator("#preset option:checked")).to_have_text("Latest 30 days with records")
        expect(page.locator("#dates")).to_be_hidden()
        assert page.url == f"{site.url}/"


def check_cards(page, site, before, text):
    """The cards show the sums of March until now, and those of the period before."""
    expect(page.locator("#compared")).to_have_text(text)
    for place, name in enumerate(["credits", "messages", "tokens"]):
        old = site.sql(SUMS.format(before)).split("|")[place]
        now = page.locator(f"#{name}").inner_text()
        change = float(now.replace(",", "")) / float(old.replace(",", "")) - 1
        expect(page.locator(f"#{name}-change")).to_have_text(
            f"{'+' if change > 0 else '−'}{abs(change) * 100:.1f}% from {old}")


def test_cards_say_how_much_has_changed_since_the_period_before(site):
    prod = "tags ->> 'env' = 'prod' AND \"timestamp\""
    with site.open(f"/?{MARCH}&tag=env:prod") as page:
        numbers = site.sql(SUMS.format(f"{prod} >= '2024-03-01Z'")).split("|")
        assert cards(page)[:3] == numbers
        assert page.locator(".cards dt:visible").all_inner_texts() == [
            "Credits", "Messages", "Tokens", "Credits per message", "Users"]
        check_cards(page, site, f"{prod} < '2024-03-01Z'",
                    "compared with 1 Feb 2024 – 29 Feb 2024")
        assert page.locator("#values").inner_text() == site.sql(
            f"SELECT count(DISTINCT nullif(user_id, '')) FROM {JOINED} WHERE {prod} >= '2024-03-01Z'")
    with site.open() as page:
        expect(page.locator("#compared")).to_be_empty()
        expect(page.locator("#credits-change")).to_be_hidden()
    with site.open(f"/?{MARCH}&team_id=team+1") as page:
        assert site.sql(SUMS.format("team_id = 'team 1'")).endswith("|0")
        expect(page.locator("#tokens")).to_be_hidden()


def test_a_month_that_is_not_over_is_compared_with_as_much_of_the_month_before(site):
    with site.open("", is_live=False, has_clock=True) as page:
        page.clock.set_system_time("2024-03-17T14:03:20Z")
        page.goto(f"{site.url}/?range=month")
        wait_until_live(page)
        check_cards(page, site, """"timestamp" < '2024-02-17T14:03Z'""",
                    "so far, compared with 1 Feb 2024 – 17 Feb 2024, 14:03")


def test_the_period_before(site):
    cases = [
        # Months if both are the first of a month, else days.
        (["2024-03-01", "2024-04-01", "UTC", "2025-01-01T00:00Z"], ["2024-02-01", "2024-03-01", False]),
        (["2024-01-01", "2025-01-01", "UTC", "2025-01-01T00:00Z"], ["2023-01-01", "2024-01-01", False]),
        (["2024-03-02", "2024-03-09", "UTC", "2025-01-01T00:00Z"], ["2024-02-24", "2024-03-02", False]),
        # Today until now, in the zone; over a change of the clocks, until the same time of day.
        (["2024-03-31", "2024-04-01", "Europe/London", "2024-03-31T12:34:56Z"],
         ["2024-03-30", "2024-03-30T13:34:00.000Z", True]),
        # February has fewer days than have passed in March.
        (["2024-03-01", "2024-04-01", "UTC", "2024-03-30T10:00Z"], ["2024-02-01", "2024-03-01", False]),
        (["2024-03-31T02:00:00+01:00", "2024-03-31T04:00:00+01:00", "Europe/London", "2025-01-01T00:00Z"],
         ["2024-03-30T23:00:00.000Z", "2024-03-31T02:00:00+01:00", False]),
        (["2024-03-31T02:00:00+01:00", "2024-03-31T04:00:00+01:00", "Europe/London", "2024-03-31T01:30:20Z"],
         ["2024-03-30T23:00:00.000Z", "2024-03-30T23:30:00.000Z", True]),
        # It has not begun.
        (["2024-05-01", "2024-06-01", "UTC", "2024-03-30T10:00Z"], ["2024-04-01", "2024-05-01", False]),
    ]
    with site.open(SCRIPTS, is_live=False, may_fail=True) as page:
        found = page.evaluate("""async cases => {
            const { periodBefore } = await import('/js/view/range.js');
            return cases.map(([from, to, tz, now]) => {
                const before = periodBefore({ from, to, tz }, new Date(now));
                return [before.from, before.to, before.isPart];
            });
        }""", [given for given, _ in cases])
        assert found == [expected for _, expected in cases]
