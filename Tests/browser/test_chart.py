"""The chart: what a pointer can read and choose, the keyboard can."""

from dashboard import choose_dates, eventually, expect, query, wait_until_live

DAY = """SELECT to_char(coalesce(sum(credit_hundredths), 0) / 100.0, 'FM999,990.00') || ' credits', count(*) || ' messages'
    FROM usage_record WHERE "timestamp" >= '{0}T00:00Z' AND "timestamp" < '{0}T00:00Z'::timestamptz + interval '1 day'"""


def middle(page, share):
    """A place over the bars; 0 is their left end, 1 the right one."""
    box = page.locator("#chart .u-over").bounding_box()
    return box["x"] + box["width"] * share, box["y"] + box["height"] * 0.5


def frames(page):
    """Waits until the work of the next frames is done."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))")


def colours(page):
    """The colours of the bars' canvas, how often each."""
    return page.locator("#chart canvas").evaluate("""canvas => {
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
        copy.drawImage(canvas, 0, 0);
        const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
        const seen = {};
        for (let i = 0; i < data.length; i += 4) {
            if (data[i + 3] === 255) { const key = data.slice(i, i + 3).join(); seen[key] = (seen[key] ?? 0) + 1; }
        }
        return seen;
    }""")


def test_the_pointer_reads_a_bar(site):
    credits, messages = site.sql(DAY.format("2024-03-21")).split("|")
    with site.open("/?from=2024-03-20&to=2024-03-30") as page:
        page.mouse.move(*middle(page, 0.15))
        tip = page.locator("#chart-tip")
        expect(tip).to_contain_text("Thu, 21 Mar 2024")
        assert credits in tip.inner_text() and messages in tip.inner_text()
        page.mouse.move(*middle(page, 0.95))
        expect(tip).to_contain_text("Fri, 29 Mar 2024")
        page.mouse.move(5, 5)
        expect(tip).to_be_hidden()


def test_a_day_of_nothing_is_read_as_nothing(site):
    with site.open("/?from=2024-03-20&to=2024-04-20") as page:
        page.mouse.move(*middle(page, 0.95))
        expect(page.locator("#chart-tip")).to_contain_text("Thu, 18 Apr 2024")
        expect(page.locator("#chart-tip")).to_contain_text("0.00 credits")


def test_the_arrow_keys_read_the_bars_aloud(site):
    credits, messages = site.sql(DAY.format("2024-03-22")).split("|")
    with site.open("/?from=2024-03-20&to=2024-03-30") as page:
        page.locator("#chart").focus()
        for key in ["ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft"]:
            page.keyboard.press(key)
        readout = page.locator("#chart-readout")
        assert readout.get_attribute("aria-live") == "polite"
        assert readout.inner_text().startswith(f"Fri, 22 Mar 2024: {credits}, {messages}, ")
        expect(page.locator("#chart-tip")).to_contain_text("Fri, 22 Mar 2024")
        page.keyboard.press("End")
        assert readout.inner_text().startswith("Fri, 29 Mar 2024")
        page.keyboard.press("Home")
        assert readout.inner_text().startswith("Wed, 20 Mar 2024")
        page.keyboard.press("Escape")
        expect(page.locator("#chart-tip")).to_be_hidden()


def test_what_is_read_out_goes_with_its_bar(site):
    with site.open("/?from=2024-03-20&to=2024-03-24&granularity=day") as page:
        period, tip = page.locator("#period"), page.locator("#chart-tip")
        page.locator("#to").fill("2024-04-10")
        expect(period).to_have_text("20 Mar 2024 – 10 Apr 2024")
        page.locator("#chart").focus()
        page.keyboard.press("End")
        expect(tip).to_contain_text("Wed, 10 Apr 2024")
        page.go_back()
        expect(period).to_have_text("20 Mar 2024 – 23 Mar 2024")
        expect(tip).to_be_hidden()
        # There is nothing to zoom into.
        page.keyboard.press("Enter")
        page.keyboard.press("ArrowRight")
        expect(tip).to_contain_text("Wed, 20 Mar 2024")
        assert period.inner_text() == "20 Mar 2024 – 23 Mar 2024"


def test_dragging_zooms_into_what_was_dragged_over(site):
    with site.open("/?from=2024-03-20&to=2024-03-30&tz=Europe/London") as page:
        page.mouse.move(*middle(page, 0.25))
        page.mouse.down()
        page.mouse.move(*middle(page, 0.4), steps=4)
        page.mouse.move(*middle(page, 0.55), steps=4)
        frames(page)
        page.mouse.up()
        expect(page.locator("#period")).to_have_text("22 Mar 2024 – 25 Mar 2024")
        assert query(page) == {"from": "2024-03-22", "to": "2024-03-26", "tz": "Europe/London"}
        expected = site.sql("""SELECT count(*) FROM usage_record
            WHERE "timestamp" >= '2024-03-22T00:00Z' AND "timestamp" < '2024-03-26T00:00Z'""")
        assert page.locator("#messages").inner_text() == expected
        page.go_back()
        expect(page.locator("#period")).to_have_text("20 Mar 2024 – 29 Mar 2024")


def test_the_keyboard_zooms_into_days_and_their_hours(site):
    with site.open("/?from=2024-03-29&to=2024-04-04&tz=Europe/London") as page:
        page.locator("#chart").focus()
        for key in ["ArrowRight", "ArrowRight", "ArrowRight", "Shift+ArrowRight"]:
            page.keyboard.press(key)
        assert page.locator("#chart-readout").inner_text().startswith("2 selected. Mon, 1 Apr 2024")
        expect(page.locator("#chart .u-select")).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.locator("#period")).to_have_text("31 Mar 2024 – 1 Apr 2024")
        expect(page.locator("#chart-title")).to_have_text("Credits per hour")
        page.get_by_text("Show as table").click()
        # The 31st had 23 hours in London.
        expect(page.locator(".twin tbody tr")).to_have_count(47)
        page.locator("#chart").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Enter")
        expect(page.locator("#period")).to_have_text("31 Mar 2024, 00:00 – 31 Mar 2024, 03:00")
        assert query(page) == {
            "from": "2024-03-31T00:00:00+00:00", "to": "2024-03-31T03:00:00+01:00", "tz": "Europe/London"}
        assert page.locator("#messages").inner_text() == site.sql("""SELECT count(*) FROM usage_record
            WHERE "timestamp" >= '2024-03-31T00:00Z' AND "timestamp" < '2024-03-31T02:00Z'""")


def test_bars_are_hours_days_weeks_or_months(site):
    with site.open("/?from=2024-03-20&to=2024-04-10") as page:
        page.get_by_text("Show as table").click()
        for name, number, first in [("Hour", 504, "Wed, 20 Mar 2024, 00:00"), ("Week", 4, "Week of 20 Mar 2024"),
                                    ("Month", 2, "March 2024"), ("Day", 21, "Wed, 20 Mar 2024")]:
            button = page.get_by_role("button", name=name)
            button.click()
            expect(page.locator(".twin tbody tr")).to_have_count(number)
            expect(button).to_have_attribute("aria-pressed", "true")
            assert page.locator(".twin tbody th").first.inner_text() == first
            assert page.locator("#chart-title").inner_text() == f"Credits per {name.lower()}"
            assert query(page)["granularity"] == name.lower()


def test_bars_are_as_high_as_their_credits_and_have_the_colours_of_the_scheme(site):
    with site.open("/?from=2024-03-20&to=2024-03-30&group_by=none") as page:
        assert colours(page).get("61,91,217", 0) > 10_000
        page.emulate_media(color_scheme="dark")
        eventually(page, lambda: colours(page).get("138,164,255", 0) > 10_000)
        assert "61,91,217" not in colours(page)
        # Paper is light.
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        eventually(page, lambda: colours(page).get("61,91,217", 0) > 10_000)
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        eventually(page, lambda: "61,91,217" not in colours(page))
    with site.open("/?from=2024-04-20&to=2024-04-24&group_by=none") as page:
        assert "61,91,217" not in colours(page), "nothing was used, so there is no bar"


def test_no_tip_of_a_bar_stays_after_a_zoom(site):
    """Only a moving pointer or a key opens the tip of a bar."""
    with site.open("/?from=2024-03-20&to=2024-03-30") as page:
        tip, period = page.locator("#chart-tip"), page.locator("#period")
        page.mouse.move(*middle(page, 0.25))
        page.mouse.down()
        page.mouse.move(*middle(page, 0.55), steps=4)
        page.route("**/usage/summary*", lambda route: None)
        # The chart follows the pointer frame by frame, and a person's drag lasts for many.
        frames(page)
        page.mouse.up()
        # While the bars of the zoom are loading, the old bars have no tip.
        page.mouse.move(*middle(page, 0.56))
        page.mouse.move(*middle(page, 0.57))
        expect(tip).to_be_hidden()
        page.unroute("**/usage/summary*")
        expect(period).to_have_text("22 Mar 2024 – 25 Mar 2024", timeout=15_000)
        wait_until_live(page)
        frames(page)
        expect(tip).to_be_hidden()
        page.mouse.move(*middle(page, 0.6))
        expect(tip).to_be_visible()
        page.go_back()
        expect(period).to_have_text("20 Mar 2024 – 29 Mar 2024")
        wait_until_live(page)
        frames(page)
        expect(tip).to_be_hidden()
        # With the keyboard, while the pointer rests over the bars.
        page.mouse.move(*middle(page, 0.3))
        expect(tip).to_be_visible()
        page.locator("#chart").focus()
        for key in ["Home", "Shift+ArrowRight", "Enter"]:
            page.keyboard.press(key)
        expect(period).to_have_text("20 Mar 2024 – 21 Mar 2024")
        wait_until_live(page)
        frames(page)
        expect(tip).to_be_hidden()
        expect(page.locator("#chart-readout")).to_have_text("")


def test_a_tip_that_a_finger_has_opened_closes_with_its_bars(site):
    with site.open("/", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as page:
        tip = page.locator("#chart-tip")
        for place in [20, 150, 270]:
            page.locator("#chart .u-over").tap(position={"x": place, "y": 100})
            expect(tip).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") == 390, "it is on the page"
        choose_dates(page, "2024-03-25")
        expect(page.locator("#period")).to_have_text("25 Mar 2024 – 5 Jun 2024")
        wait_until_live(page)
        frames(page)
        expect(tip).to_be_hidden()


def test_without_its_library_the_page_says_so_and_shows_all_the_rest(site):
    with site.open("", is_live=False, may_fail=True) as page:
        page.route("**/assets/uplot.js", lambda route: route.fulfill(status=404))
        page.goto(f"{site.url}/?range=all")
        expect(page.locator("#chart")).to_contain_text("/assets/uplot.js is missing")
        expect(page.locator("#messages")).to_have_text("3,000")
        page.get_by_text("Show as table").click()
        expect(page.locator(".twin tbody tr")).to_have_count(78)
        expect(page.locator("#state")).to_have_attribute("data-kind", "live")
