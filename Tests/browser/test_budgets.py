"""Budgets on the page: bars with thresholds, what is left, and the lines of the chart."""

import json

from barriers import barriers
from dashboard import expect, wait_until_live
from orbital import psql

# Its own site: others would have the panel, too.
START = {}
RECORDS = """
    SET client_min_messages = warning; TRUNCATE usage_record; TRUNCATE budget CASCADE;
    INSERT INTO usage_record (message_id, "timestamp", attribution_id, input_tokens)
    SELECT n, now() - n * interval '1 microsecond', usage_attribution('u-' || n % 2, 'legal', NULL, NULL), 1000
    FROM generate_series(1, 4) AS n;
    INSERT INTO budget (name, user_id, team_id, credit_hundredths, every, zone_id, thresholds)
    SELECT b.name, user_id, team_id, credits, every, zone_id, thresholds FROM usage_zone, (VALUES
        ('everybody', '', '', 200000, 'month', '{50,80,100}'::smallint[]),
        ('over', 'u-1', '', 50000, 'month', '{100,200}'),
        ('a team with a name that is so long that it does not fit into one line of its column', '', 'legal', 1000000, 'week', '{80}')
    ) AS b(name, user_id, team_id, credits, every, thresholds) WHERE usage_zone.name = 'UTC';"""


def budgets(page):
    return [text.split("\n") for text in page.locator("#budget-list li").all_inner_texts()]


def test_budgets_have_bars_with_thresholds_what_is_left_and_a_projection(site):
    with site.open("/?tz=UTC") as page:
        expect(page.locator("#budget-list li")).to_have_count(3)
        over, everybody, team = budgets(page)
        assert over[:2] == ["over", "800.00 of 500.00"] and over[-1].startswith("160% · 300.00 over · ")
        assert everybody[:2] == ["everybody", "1,600.00 of 2,000.00"] and everybody[-1].startswith("80% · 400.00 left · ")
        assert "user u-1, 1 " in over[-1] and "everybody, 1 " in everybody[-1] and "team legal, " in team[-1]
        meters = page.get_by_role("meter")
        assert meters.evaluate_all("list => list.map(each => each.ariaValueNow)") == ["160", "80", "16"]
        assert meters.evaluate_all("list => list.map(each => each.children.length)") == [0, 2, 1]
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            for width in (320, 1280):
                page.set_viewport_size({"width": width, "height": 800})
                assert not barriers(page)
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        # A new message changes them within seconds.
        site.sql("""INSERT INTO usage_record (message_id, "timestamp", input_tokens) VALUES (100, now(), 1000)""")
        expect(page.locator("#budget-list li").nth(1)).to_contain_text("everybody\n2,000.00 of 2,000.00", use_inner_text=True)
        site.sql("UPDATE budget SET ends_at = now()")
        expect(page.locator("#budgets")).to_be_hidden()
        psql(site.service.url, RECORDS)


def test_the_chart_has_a_line_for_a_budget_of_its_bars(site):
    drawn = """(() => { const texts = []; const fill = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) { texts.push(text); return fill.call(this, text, ...rest); };
        globalThis.drawnTexts = texts; })()"""
    def lines(page):
        wait_until_live(page)
        return set(page.evaluate("globalThis.drawnTexts")) & {"everybody", "over"}
    for query, expected in (("granularity=month", {"everybody"}), ("granularity=day", set()),
                            ("granularity=month&user_id=u-1", {"over"}), ("granularity=month&user_id=u-0", set())):
        with site.open() as page:
            page.add_init_script(drawn)
            page.goto(f"{site.url}/?tz=UTC&{query}")
            expect(page.locator("#budget-list li")).to_have_count(3)
            assert lines(page) == expected, query


def test_a_bound_key_sees_its_budget_and_a_page_without_any_has_no_panel(site):
    site.sql("UPDATE budget SET ends_at = now()")
    with site.open("/?tz=UTC") as page:
        wait_until_live(page)
        expect(page.locator("#budgets")).to_be_hidden()
    assert json.loads(site.sql("SELECT to_json(count(*)) FROM budget")) == 3
