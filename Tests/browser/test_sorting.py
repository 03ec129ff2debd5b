"""Sorting: a click sorts ascending, the next descending, the third not at all."""

from dashboard import column, eventually, expect, query, wait_until_live


def heads(page):
    """aria-sort and the little number of both columns."""
    return [(head.get_attribute("aria-sort"), head.locator(".rank").inner_text())
            for head in page.locator("#records th[data-column]").all()]


def first_ids(page):
    return column(page, 0, 10)


def expected(site, order):
    return site.sql(f'SELECT message_id FROM usage_record ORDER BY {order} LIMIT 10').splitlines()


def test_clicks_cycle_through_ascending_descending_and_none(site):
    with site.open() as page:
        credits = page.get_by_role("button", name="Credits", exact=True)
        standard = expected(site, '"timestamp", message_id')
        assert first_ids(page) == standard and heads(page) == [("none", ""), ("none", "")]
        for direction, state, parameters in [
            ("ASC", "ascending", {"sort": "credits_used:asc"}),
            ("DESC", "descending", {"sort": "credits_used:desc"}),
        ]:
            credits.click()
            wanted = expected(site, f"credit_hundredths {direction}, message_id")
            eventually(page, lambda: first_ids(page) == wanted)
            assert heads(page) == [("none", ""), (state, "")]
            assert query(page) == parameters
        credits.click()
        eventually(page, lambda: first_ids(page) == standard)
        assert heads(page) == [("none", ""), ("none", "")] and query(page) == {}


def test_missing_names_are_last_in_both_directions(site):
    with site.open() as page:
        name = page.get_by_role("button", name="Report", exact=True)
        for direction in ["ASC", "DESC"]:
            name.click()
            wanted = expected(site, f'report_name COLLATE "C" {direction} NULLS LAST, message_id')
            eventually(page, lambda: first_ids(page) == wanted)
        wait_until_live(page)
        page.locator("#records tbody button[tabindex='0']").focus()
        page.keyboard.press("End")
        expect(page.locator("#position")).to_contain_text("3,000 of 3,000")
        expect(page.locator(".pending")).to_have_count(0)
        assert column(page, 2, None)[-1] == "", "a missing name is blank"


def test_several_columns_count_in_the_order_of_the_clicks(site):
    with site.open() as page:
        credits = page.get_by_role("button", name="Credits", exact=True)
        name = page.get_by_role("button", name="Report", exact=True)
        name.click()
        credits.click()
        credits.click()
        wanted = expected(site, 'report_name COLLATE "C" NULLS LAST, credit_hundredths DESC, message_id')
        eventually(page, lambda: first_ids(page) == wanted)
        assert heads(page) == [("ascending", "1"), ("descending", "2")]
        assert query(page) == {"sort": "report_name:asc,credits_used:desc"}
        name.click()
        name.click()
        wanted = expected(site, "credit_hundredths DESC, message_id")
        eventually(page, lambda: first_ids(page) == wanted)
        assert heads(page) == [("none", ""), ("descending", "")]
        name.click()
        wanted = expected(site, 'credit_hundredths DESC, report_name COLLATE "C" NULLS LAST, message_id')
        eventually(page, lambda: first_ids(page) == wanted)
        assert heads(page) == [("ascending", "2"), ("descending", "1")]


def test_only_two_columns_sort_and_the_keyboard_does_it(site):
    with site.open() as page:
        assert page.locator("#records thead button").count() == 2
        page.get_by_role("button", name="Credits", exact=True).focus()
        page.keyboard.press("Space")
        eventually(page, lambda: query(page) == {"sort": "credits_used:asc"})
        page.keyboard.press("Enter")
        eventually(page, lambda: query(page) == {"sort": "credits_used:desc"})
        expect(page.get_by_role("button", name="Credits", exact=True)).to_be_focused()


def test_scrolling_while_an_order_is_on_its_way_does_not_lose_it(site):
    with site.open() as page:
        held = []
        page.route("**/usage?sort=*", lambda route: held.append(route))
        page.get_by_role("button", name="Credits", exact=True).click()
        eventually(page, lambda: held)
        page.locator("#scroller").evaluate("it => { it.scrollTop = 2000 * 37; }")
        expect(page.locator(".pending").first).to_be_visible()
        held[0].continue_()
        wanted = expected(site, "credit_hundredths, message_id")
        eventually(page, lambda: first_ids(page) == wanted)
