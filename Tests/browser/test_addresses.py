"""The view is in the address: controls write it, and back, forward and pasted links restore it."""

from dashboard import cards, choose_dates, eventually, expect, group, later, query, rows, wait_until_live

VIEW = ("/?from=2024-03-25&to=2024-04-02&tz=Europe/London&report_name=Rent+Review&report_name=Lease+Abstract"
        "&granularity=hour&sort=credits_used:desc,report_name:asc")


def seen(page):
    """All that somebody sees of a view."""
    wait_until_live(page)
    expect(page.locator(".pending")).to_have_count(0)
    return {
        "preset": page.locator("#preset option:checked").inner_text(),
        "dates": [page.locator("#from").input_value(), page.locator("#to").input_value()],
        "zone": page.locator("#zone").input_value(),
        "filters": page.locator("#chips li").all_inner_texts(),
        "group by": page.locator("#group-by option:checked").inner_text(),
        "period": page.locator("#period").inner_text(),
        "cards": cards(page),
        "chart": page.locator("#chart-title").inner_text(),
        "sorts": [head.get_attribute("aria-sort") for head in page.locator("#records th[aria-sort]").all()],
        "rows": rows(page, 8),
        "notices": page.locator("#notices li").all_inner_texts(),
    }


def test_a_pasted_link_shows_what_the_controls_say(site):
    with site.open(VIEW) as page:
        view = seen(page)
    assert view["preset"] == "Custom dates"
    assert view["dates"] == ["2024-03-25", "2024-04-01"]
    assert view["zone"] == "Europe/London"
    assert view["filters"] == ["Report: Rent Review", "Report: Lease Abstract"]
    assert view["period"] == "25 Mar 2024 – 1 Apr 2024"
    assert view["chart"] == "Credits per hour"
    assert view["sorts"] == ["none", "none", "ascending", "descending"]
    assert view["notices"] == []
    assert {row[2] for row in view["rows"]} <= {"Rent Review", "Lease Abstract"}
    credits = [float(row[3]) for row in view["rows"]]
    assert credits == sorted(credits, reverse=True)


def test_each_control_makes_an_address_and_back_and_forward_restore_each_view(site):
    with site.open() as page:
        views = [(query(page), seen(page))]

        def step(act, settled):
            act()
            settled()
            views.append((query(page), seen(page)))

        period = page.locator("#period")
        messages = page.locator("#messages")
        step(lambda: page.locator("#zone").select_option("Asia/Tokyo"),
             lambda: expect(page.locator("#zone-name")).to_have_text("Asia/Tokyo"))
        step(lambda: page.locator("#preset").select_option("custom"),
             lambda: expect(page.locator("#from")).to_have_value("2024-03-20"))
        step(lambda: choose_dates(page, "2024-03-22"),
             lambda: expect(period).to_have_text("22 Mar 2024 – 5 Jun 2024"))
        step(lambda: choose_dates(page, None, "2024-03-30"),
             lambda: expect(period).to_have_text("22 Mar 2024 – 30 Mar 2024"))
        step(lambda: group(page, "Lease Abstract").click(),
             lambda: expect(messages).to_have_text(site.sql("""SELECT count(*) FROM usage_record
                 WHERE report_name = 'Lease Abstract' AND "timestamp" >= '2024-03-22T00:00+09'
                 AND "timestamp" < '2024-03-31T00:00+09'""")))
        step(lambda: page.get_by_role("button", name="Week").click(),
             lambda: expect(page.locator("#chart-title")).to_have_text("Credits per week"))
        step(lambda: page.get_by_role("button", name="Credits", exact=True).click(),
             lambda: expect(page.locator("th[aria-sort=descending][data-column=credits_used]")).to_have_count(1))
        assert views[-1][0] == {
            "tz": "Asia/Tokyo", "from": "2024-03-22", "to": "2024-03-31", "report_name": "Lease Abstract",
            "granularity": "week", "sort": "credits_used:desc"}

        def settled(expected):
            expect(period).to_have_text(expected["period"])
            expect(page.locator("#chart-title")).to_have_text(expected["chart"])
            expect(page.locator("#records tbody tr[data-index]").first).to_contain_text(expected["rows"][0][3])
            assert seen(page) == expected

        for parameters, expected in reversed(views[:-1]):
            page.go_back()
            assert query(page) == parameters
            settled(expected)
        for parameters, expected in views[1:]:
            page.go_forward()
            assert query(page) == parameters
            settled(expected)
        page.reload()
        settled(views[-1][1])


def test_a_date_that_is_typed_counts_once_it_is_whole(site):
    """Chromium tells of a change after each digit: of the year 2, of January before December."""
    with site.open("/?from=2024-03-25&to=2024-04-02") as page:
        steps = page.evaluate("history.length")
        period = page.locator("#period")
        page.locator("#to").focus()
        page.keyboard.type("04152024")
        assert query(page) == {"from": "2024-03-25", "to": "2024-04-02"}
        page.keyboard.press("Enter")
        expect(period).to_have_text("25 Mar 2024 – 15 Apr 2024")
        assert query(page) == {"from": "2024-03-25", "to": "2024-04-16"}
        page.locator("#from").focus()
        page.keyboard.type("04122024")
        # What is left half typed is taken back.
        page.locator("#to").focus()
        expect(period).to_have_text("12 Apr 2024 – 15 Apr 2024")
        page.keyboard.press("Backspace")
        page.locator("#zone").focus()
        assert page.locator("#to").input_value() == "2024-04-15"
        assert query(page) == {"from": "2024-04-12", "to": "2024-04-16"}
        assert page.evaluate("history.length") == steps + 2


def test_a_choice_by_keyboard_is_one_step_however_many_it_passes(site):
    with site.open() as page:
        steps = page.evaluate("history.length")
        page.locator("#zone").focus()
        page.keyboard.type("Europe/Lon", delay=50)
        expect(page.locator("#zone-name")).to_have_text("Europe/London")
        page.locator("#preset").focus()
        for _ in range(7):
            page.keyboard.press("ArrowUp")
        expect(page.locator("#preset option:checked")).to_have_text("Last 7 days")
        assert page.evaluate("history.length") == steps + 2
        page.go_back()
        assert query(page) == {"tz": "Europe/London"}
        page.go_back()
        assert query(page) == {}


def test_presets_are_days_of_the_zone(site):
    with site.open("/?tz=Pacific/Kiritimati") as page:
        page.locator("#preset").select_option(label="Last 7 days")
        expected = site.sql("""
            SELECT day - 6, day + 1 FROM (SELECT (now() AT TIME ZONE 'Pacific/Kiritimati')::date AS day) AS today""")
        expect(page.locator("#messages")).to_have_text("0")
        assert query(page) == {"tz": "Pacific/Kiritimati", "range": "7d"}
        assert page.locator("#csv").get_attribute("href").startswith("/usage?from={}&to={}&".format(*expected.split("|")))
        expect(page.locator("#records-empty")).to_have_text("No messages match. Try a wider range.")
        page.locator("#preset").select_option(label="All time")
        expect(page.locator("#messages")).to_have_text("3,000")
        assert query(page) == {"tz": "Pacific/Kiritimati"}


def test_each_zone_that_is_offered_is_one_that_the_service_accepts(site):
    known = set(site.sql("SELECT name FROM pg_timezone_names WHERE name !~ '^(posix|right)/|^Factory$'").splitlines())
    # If Chromium cannot detect the computer's time zone, it reports Etc/Unknown.
    for own, yours in [("Etc/Unknown", []), ("America/New_York", [["Yours (slower)", "America/New_York"]])]:
        with site.open(timezone_id=own) as page:
            groups = page.locator("#zone optgroup").evaluate_all(
                "groups => groups.map(group => [group.label, ...[...group.children].map(option => option.value)])")
            assert groups[:-1] == [["Reporting zones", "UTC"], *yours]
            label, *others = groups[-1]
            assert label == "Other zones (slower)" and len(others) > 400 and set(others) - known == set()
            page.locator("#zone").select_option(others[-1])
            expect(page.locator("#zone-name")).to_have_text(others[-1])
            wait_until_live(page)
    with site.open("/?tz=Etc/Unknown") as page:
        assert "“Etc/Unknown” is not a known time zone" in page.get_by_role("alert").inner_text()


def test_another_zone_keeps_the_place_in_the_table(site):
    """The bounds are dates, so that some records come in at the top and others go."""
    for address in ["/?sort=timestamp:asc", "/?from=2024-03-22&to=2024-06-01&sort=timestamp:desc",
                    "/?from=2024-03-22&sort=credits_used:desc"]:
        with site.open(address) as page:
            page.locator("#scroller").evaluate("it => { it.scrollTop = 1100 * 37 + 11; }")
            expect(page.locator("#position")).to_contain_text("1,101–")
            expect(page.locator(".pending")).to_have_count(0)
            top = "document.querySelector('#scroller').getBoundingClientRect().top"
            find = f"""() => [...document.querySelectorAll('#records tbody tr[data-index]')]
                .filter(row => row.getBoundingClientRect().top > {top} + 42)
                .map(row => [row.cells[0].textContent, Math.round(row.getBoundingClientRect().top - {top})]).slice(0, 9)"""
            before = page.evaluate(find)
            times = [row[1] for row in rows(page)]
            page.locator("#zone").select_option("Asia/Tokyo")
            expect(page.locator("#zone-name")).to_have_text("Asia/Tokyo")
            wait_until_live(page)
            expect(page.locator(".pending")).to_have_count(0)
            eventually(page, lambda: page.evaluate(find) == before)
            assert [row[1] for row in rows(page)] != times


def test_a_zone_in_small_letters_is_the_same_zone(site):
    with site.open("/?tz=europe/london&from=2024-03-25&to=2024-04-02") as page:
        expect(page.locator("#zone")).to_have_value("Europe/London")
        expect(page.locator("#notices li")).to_have_count(0)
        expect(page.locator("#zone-name")).to_have_text("Europe/London")


def test_the_fields_have_the_days_of_the_zone(site):
    with site.open("/?from=2024-03-31T20:00:00Z&to=2024-04-01T15:00:00Z&tz=Asia/Tokyo") as page:
        assert page.locator("#period").inner_text() == "1 Apr 2024, 05:00 – 2 Apr 2024, 00:00"
        assert seen(page)["dates"] == ["2024-04-01", "2024-04-01"]
        page.locator("#zone").select_option("UTC")
        expect(page.locator("#period")).to_have_text("31 Mar 2024, 20:00 – 1 Apr 2024, 15:00")
        assert seen(page)["dates"] == ["2024-03-31", "2024-04-01"]


def test_what_is_not_understood_is_said(site):
    with site.open("/?tz=Mars/Base&from=2024-02-30&granularity=minute&sort=credits_used:up,price:asc,report_name:desc"
                   "&page=2&has_report=maybe") as page:
        notices = page.get_by_role("alert").inner_text()
        for text in [
                "“Mars/Base” is not a known time zone (example: Europe/London). Showing the first reporting zone.",
                "“2024-02-30” is not a valid start date (write it as 2024-01-31). Showing from the first record.",
                "“minute” is not a valid granularity (use hour, day, week or month). Showing the default.",
                "“credits_used:up” is not a valid sort (use message_id, timestamp, report_name, credits_used, "
                "then :asc or :desc). Ignored.",
                "“maybe” is not a valid has_report (use true or false). Ignored.",
                "Unknown parameter “page” in the address. Ignored."]:
            assert text in notices, notices
        assert page.locator("#messages").inner_text() == "3,000"
        page.get_by_role("button", name="Reset").click()
        expect(page.locator("#notices li")).to_have_count(0)
        assert query(page) == {}
    with site.open("/?page=2&from=2024-05-01&to=2024-04-01&sort=report_name,report_name:desc&tag=a&group_by=user"
                   "&fields=user_id,price&message=a%07") as page:
        notices = page.get_by_role("alert").inner_text()
        assert "“price” is not a field of a record. Ignored." in notices
        assert "is not a valid message (use its message_id or external_id). Showing no receipt." in notices
        assert "“a” is not a valid tag (write it as key:value). Ignored." in notices
        assert ("“user” is not a valid group_by (use none, report_name, user_id, team_id, model or tag:KEY). "
                "Showing the default.") in notices
        assert "The start 2024-05-01 is after the end 2024-04-01. Showing all time." in notices
        assert "The address sorts by report_name twice. Using the first." in notices
    # In Tokyo the 1st begins at 15:00 of the day before.
    with site.open("/?from=2024-04-01&to=2024-03-31T20:00:00Z&tz=Asia/Tokyo") as page:
        expect(page.locator("#notices li")).to_have_count(0)
        assert page.locator("#period").inner_text() == "1 Apr 2024, 00:00 – 1 Apr 2024, 05:00"
    with site.open(f"/?tz={'a' * 5000}&{'b' * 3000}=1&sort={'c' * 3000}&from={'d' * 3000}") as page:
        notices = page.locator("#notices li").all_inner_texts()
        assert len(notices) == 4 and all(len(notice) < 200 for notice in notices), notices


def test_a_granularity_that_does_not_fit_shows_the_services_reason_and_the_default(site):
    with site.open("/?granularity=hour", may_fail=True, has_clock=True) as page:
        title, note = page.locator("#chart-title"), page.locator("#granularity-note")
        reason = "granularity=hour gives 1872 buckets, more than 744; use granularity=day."
        expect(title).to_have_text("Credits per day")
        expect(note).to_have_text(reason)
        assert query(page) == {"granularity": "hour"}
        # The page does not request it again; the reason stays until the view changes.
        asked = []
        page.on("response", lambda response: asked.append(f"{response.status} {response.url[len(site.url):]}"))
        later(page)
        eventually(page, lambda: asked == ["304 /usage/summary?group_by=report_name&top=8"])
        expect(note).to_have_text(reason)
        page.get_by_role("button", name="Week").click()
        expect(title).to_have_text("Credits per week")
        expect(note).to_have_text("")
        page.get_by_role("button", name="Hour").click()
        expect(note).to_have_text(reason)
        expect(title).to_have_text("Credits per day")
        expect(page.get_by_role("button", name="Day")).to_have_attribute("aria-pressed", "true")
        page.go_back()
        expect(title).to_have_text("Credits per week")
        # In a range with few enough hours, the same choice applies.
        choose_dates(page, "2024-05-20")
        page.get_by_role("button", name="Hour").click()
        expect(title).to_have_text("Credits per hour")
        expect(note).to_have_text("")
