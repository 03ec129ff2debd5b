"""Sorting: the newest first; a click on a number sorts the largest first, the next the smallest, the third not at all."""

from dashboard import column, eventually, expect, query, wait_until_live

NEWEST = '"timestamp" DESC, message_id'


def heads(page):
    """aria-sort and the little number of the columns that sort."""
    return [(head.get_attribute("aria-sort"), head.locator(".rank").inner_text())
            for head in page.locator("#records th[aria-sort]").all()]


def first_ids(page):
    return column(page, 0, 10)


def expected(site, order):
    return site.sql(f'SELECT message_id FROM usage_record ORDER BY {order} LIMIT 10').splitlines()


def head(page, name):
    return page.locator("#records").get_by_role("button", name=name, exact=True)


def test_each_sortable_column_sorts_in_both_directions(site):
    name = 'report_name COLLATE "C" {} NULLS LAST, message_id'
    with site.open() as page:
        newest = expected(site, NEWEST)
        standard = [("none", ""), ("descending", ""), ("none", ""), ("none", "")]
        assert first_ids(page) == newest and heads(page) == standard and query(page) == {}
        for place, title, field, orders in [
            (0, "Message", "message_id", [("DESC", "message_id DESC"), ("ASC", "message_id")]),
            (1, "Time", "timestamp", [("ASC", '"timestamp", message_id')]),
            (2, "Report", "report_name", [("ASC", name.format("ASC")), ("DESC", name.format("DESC"))]),
            (3, "Credits", "credits_used",
             [("DESC", "credit_hundredths DESC, message_id"), ("ASC", "credit_hundredths, message_id")]),
        ]:
            for direction, order in orders:
                head(page, title).click()
                wanted = expected(site, order)
                eventually(page, lambda: first_ids(page) == wanted)
                assert heads(page)[place] == ({"ASC": "ascending", "DESC": "descending"}[direction], "")
                assert [state for state, _ in heads(page)].count("none") == 3
                assert query(page) == {"sort": f"{field}:{direction.lower()}"}
            head(page, title).click()
            eventually(page, lambda: first_ids(page) == newest)
            assert heads(page) == standard and query(page) == {}
    # The default in an address is the default.
    with site.open("/?sort=timestamp:desc") as page:
        assert first_ids(page) == newest and heads(page) == standard
        head(page, "Credits").focus()
        page.keyboard.press("Space")
        eventually(page, lambda: query(page) == {"sort": "credits_used:desc"})
        expect(head(page, "Credits")).to_be_focused()
        # Time, of which no two are alike, sorts alone.
        head(page, "Time").click()
        eventually(page, lambda: query(page) == {})


def test_missing_names_are_last_in_both_directions(site):
    with site.open() as page:
        for direction in ["ASC", "DESC"]:
            head(page, "Report").click()
            wanted = expected(site, f'report_name COLLATE "C" {direction} NULLS LAST, message_id')
            eventually(page, lambda: first_ids(page) == wanted)
        wait_until_live(page)
        page.locator("#records tbody button[tabindex='0']").focus()
        page.keyboard.press("End")
        expect(page.locator("#position")).to_contain_text("3,000 of 3,000")
        expect(page.locator(".pending")).to_have_count(0)
        assert column(page, 2, None)[-1] == "", "a missing name is blank"


def test_report_and_credits_count_in_the_order_of_the_clicks(site):
    with site.open("/?sort=timestamp:asc") as page:
        # It has replaced the time.
        head(page, "Report").click()
        eventually(page, lambda: query(page) == {"sort": "report_name:asc"})
        head(page, "Credits").click()
        wanted = expected(site, 'report_name COLLATE "C" NULLS LAST, credit_hundredths DESC, message_id')
        eventually(page, lambda: first_ids(page) == wanted)
        assert heads(page)[2:] == [("ascending", "1"), ("descending", "2")]
        assert query(page) == {"sort": "report_name:asc,credits_used:desc"}
        head(page, "Report").click()
        head(page, "Report").click()
        wanted = expected(site, "credit_hundredths DESC, message_id")
        eventually(page, lambda: first_ids(page) == wanted)
        head(page, "Report").click()
        wanted = expected(site, 'credit_hundredths DESC, report_name COLLATE "C" NULLS LAST, message_id')
        eventually(page, lambda: first_ids(page) == wanted)
        assert heads(page)[2:] == [("ascending", "2"), ("descending", "1")]
        # On a narrow phone, no head covers another one.
        page.set_viewport_size({"width": 320, "height": 640})
        boxes = [button.bounding_box() for button in page.locator("#records th button").all()]
        # The buttons themselves have 8 pixels on both sides that may touch.
        edges = [edge for box in boxes for edge in (box["x"] + 8, box["x"] + box["width"] - 8)]
        assert edges == sorted(edges) and edges[-1] < 310, edges


def test_scrolling_while_an_order_is_on_its_way_does_not_lose_it(site):
    with site.open() as page:
        held = []
        page.route("**/usage?sort=credits*", lambda route: held.append(route))
        head(page, "Credits").click()
        eventually(page, lambda: held)
        page.locator("#scroller").evaluate("it => { it.scrollTop = 2000 * 37; }")
        expect(page.locator(".pending").first).to_be_visible()
        held[0].continue_()
        wanted = expected(site, "credit_hundredths DESC, message_id")
        eventually(page, lambda: first_ids(page) == wanted)
