"""Light and dark, narrow and wide, with keyboard, without motion, on paper; nothing jumps."""

import re

from barriers import barriers
from dashboard import eventually, expect, later, wait_until_live

WIDTHS = [320, 390, 768, 1280, 2560]


def both_schemes(page):
    """Light, then dark."""
    for scheme in ["light", "dark"]:
        page.emulate_media(color_scheme=scheme)
        yield scheme


def test_axe_finds_nothing_in_light_and_dark(site):
    with site.open("/?sort=credits_used:desc,report_name:asc&page=2&report_name=Rent+Review", reduced_motion="reduce") as page:
        page.get_by_text("Show as table").click()
        page.locator("#chart").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Shift+ArrowRight")
        for scheme in both_schemes(page):
            found = barriers(page)
            assert found == [], (scheme, found)
        page.locator("#records tbody button").first.click()
        expect(page.get_by_role("dialog").locator("dl")).to_be_visible()
        for scheme in both_schemes(page):
            found = barriers(page)
            assert found == [], (scheme, found)


def test_axe_finds_nothing_when_empty_narrow_or_failing(site):
    with site.open("/?from=2030-01-01", viewport={"width": 390, "height": 844}, reduced_motion="reduce",
                   may_fail=True, has_clock=True) as page:
        for scheme in both_schemes(page):
            found = barriers(page)
            assert found == [], (scheme, found)
        page.route("**/usage/summary*", lambda route: route.fulfill(
            status=401, content_type="application/problem+json", body='{"detail":"An API key is required."}'))
        later(page)
        expect(page.get_by_label("API key")).to_be_visible()
        for scheme in both_schemes(page):
            found = barriers(page)
            assert found == [], (scheme, found)


def test_the_keyboard_reaches_everything_and_shows_where_it_is(site):
    with site.open() as page:
        reached = []
        for _ in range(70):
            page.keyboard.press("Tab")
            place, outline = page.evaluate("""() => {
                const it = document.activeElement;
                if (it === document.body) return ["the end", ""];
                return [it.id || it.textContent.trim() || it.name, getComputedStyle(it).outlineStyle];
            }""")
            if place == "the end":
                break
            reached.append(place)
            assert outline != "none" or place == "Skip to the records", place
        wanted = ["Skip to the records", "Dashboard", "Try the API", "API reference", "preset", "zone", "Report", "User", "Team", "Model", "reset",
                  "group-by", "Day", "Week", "chart", "Show as table", "find-text", "columns-open", "save-open", "copy-link", "scroller",
                  "3000"]
        assert [place for place in dict.fromkeys(reached) if place in wanted] == wanted, reached
        assert sum("Lease" in place for place in reached) == 2, "each report"
        page.reload()
        wait_until_live(page)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#records-title")).to_be_focused()


def test_a_button_that_goes_when_it_is_pressed_hands_the_focus_on(site):
    with site.open("/?report_name=Rent+Review", may_fail=True, has_clock=True) as page:
        page.get_by_role("button", name="Remove the filter Report: Rent Review").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#preset")).to_be_focused()
        page.context.set_offline(True)
        later(page)
        again = page.get_by_role("button", name="Try again")
        expect(again).to_be_visible()
        again.focus()
        page.context.set_offline(False)
        page.keyboard.press("Enter")
        expect(again).to_be_hidden()
        expect(page.locator("main")).to_be_focused()


def check_widths(page):
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        eventually(page, lambda: min(width, 1280) * 0.5 < page.locator("#chart canvas").bounding_box()["width"] < width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for name in ["credits", "messages", "values", "average"]:
            assert page.locator(f"#{name}").evaluate("it => it.scrollWidth <= it.clientWidth"), (name, width)
        heads = page.locator("#records th[aria-sort]").all()
        assert len(heads) == 4 and all(head.bounding_box()["width"] > 40 for head in heads), width


def test_nothing_is_cut_off_from_a_phone_to_a_wide_screen(site):
    with site.open() as page:
        check_widths(page)


def test_the_page_is_never_wider_than_a_window_that_has_just_become_narrower(site):
    """Not even before the frame in which the chart is redrawn: a scroll bar would flash."""
    with site.open() as page:
        page.locator("#chart").focus()
        page.keyboard.press("End")
        expect(page.locator("#chart-tip")).to_be_visible()
        page.evaluate("""() => {
            window.widths = [];
            addEventListener("resize", () => widths.push([innerWidth, document.documentElement.scrollWidth]));
        }""")
        for width in [1001, 768, 390, 320]:
            page.set_viewport_size({"width": width, "height": 800})
            eventually(page, lambda: page.evaluate("widths.at(-1)?.[0]") == width)
            # The tip stays at its bar.
            eventually(page, lambda: page.locator("#chart").evaluate("""chart => {
                const [tip, band] = ["#chart-tip", ".band"].map(each => chart.querySelector(each).getBoundingClientRect());
                return tip.right < band.left && band.left - tip.right < 20;
            }"""))
        measured = page.evaluate("widths")
        assert measured == [[width, width] for width, _ in measured], measured


def test_a_finger_and_a_pointer_find_room_on_what_they_press(site):
    small = """least => [...document.querySelectorAll("button, select, summary, .top nav a, #permalink, input:not([type=checkbox])")]
        .filter(each => each.checkVisibility({ visibilityProperty: true }) && !each.closest("#records tbody"))
        .map(each => [each.id || each.textContent.trim(), each.getBoundingClientRect().height])
        .filter(([, height]) => height < least)"""
    with site.open() as page:
        page.locator("#records tbody button").first.click()
        expect(page.get_by_role("dialog").locator("dl")).to_be_visible()
        for width, least in [(1280, 24), (320, 44)]:
            page.set_viewport_size({"width": width, "height": 800})
            eventually(page, lambda: page.evaluate(small, least) == [])


def test_the_longest_numbers_have_room(site):
    site.sql("""INSERT INTO usage_record (message_id, "timestamp", message_text, credit_hundredths)
        VALUES (0, '2024-04-01Z', 'x', 123456789012345)""")
    with site.open() as page:
        check_widths(page)
        assert page.locator("#credits").inner_text().startswith("1,234,567,9")
    site.sql("DELETE FROM usage_record WHERE message_id = 0")


def test_the_layout_does_not_shift(site):
    shifts = """() => new Promise(done => new PerformanceObserver(list => {
        done(list.getEntries().filter(each => !each.hadRecentInput).map(each => each.value));
    }).observe({ type: 'layout-shift', buffered: true }) || setTimeout(() => done([]), 300))"""
    for width in [390, 1280]:
        with site.open(viewport={"width": width, "height": 900}) as page:
            assert sum(page.evaluate(shifts)) < 0.01


def test_motion_is_reduced_where_that_is_wanted(site):
    duration = "getComputedStyle(document.querySelector('#reset')).transitionDuration"
    with site.open() as page:
        for wish, has_motion in [("reduce", False), ("no-preference", True)]:
            page.emulate_media(reduced_motion=wish)
            assert (set(re.split(", ", page.evaluate(duration))) != {"0s"}) == has_motion


def test_the_readers_own_colours_leave_the_bars_and_what_is_chosen_in_sight(site):
    colour = """place => getComputedStyle(document.querySelector(place))"""
    with site.open("/?report_name=Rent+Review") as page:
        page.emulate_media(forced_colors="active")
        ground = page.evaluate(f"({colour})('body').backgroundColor")
        assert page.evaluate(f"({colour})('#group-list .bar').backgroundColor") not in [ground, "rgba(0, 0, 0, 0)"]
        for place in ["#group-list .group[aria-pressed=true]", ".segments [aria-pressed=true]"]:
            assert page.evaluate(f"({colour})('{place}').outlineStyle") == "solid", place


def test_on_paper_there_are_numbers_and_no_controls(site):
    with site.open() as page:
        page.emulate_media(media="print")
        expect(page.locator(".controls")).to_be_hidden()
        expect(page.locator("#credits")).to_be_visible()
        expect(page.locator("#chart canvas")).to_be_visible()
        page.pdf()
        # Each group has its place in the panel.
        page.locator("#group-list").evaluate("""list => {
            for (let i = 0; i < 20; i += 1) list.append(list.lastElementChild.cloneNode(true));
        }""")
        last, panel = (page.locator(each).last.bounding_box() for each in ["#group-list li", ".groups"])
        assert last["y"] + last["height"] <= panel["y"] + panel["height"]
