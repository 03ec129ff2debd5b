"""Who used what: groups in the chart and in the list beside it, which is the chart's legend."""

import itertools
import re
import subprocess
import urllib.request

from barriers import barriers
from dashboard import SCRIPTS, WHOLE, eventually, expect, group, query, wait_until_live
from service import BUILT

# Two months; 14 users and none, three teams, two models and none, tags; every third message reports tokens.
RECORDS = """
    TRUNCATE usage_record RESTART IDENTITY;
    INSERT INTO usage_record ("timestamp", report_name, message_text, input_tokens, output_tokens, attribution_id)
    SELECT '2024-02-01T00:10Z'::timestamptz + n * interval '2 h', CASE WHEN n % 2 > 0 THEN 'Report ' || n % 6 END,
        CASE WHEN n % 3 > 0 THEN repeat('x', 40 + n % 9) END, CASE WHEN n % 3 = 0 THEN 900 + n END,
        CASE WHEN n % 3 = 0 THEN 100 END,
        usage_attribution(CASE WHEN n % 10 > 0 THEN 'u-' || to_char(least(n % 40, n % 14 + 1), 'FM00') END,
            'team ' || n % 3, CASE WHEN n % 5 > 0 THEN 'gpt-' || n % 2 END,
            jsonb_build_object('env', (ARRAY['prod', 'test'])[n % 4 / 3 + 1]))
    FROM generate_series(0, 719) AS n;
    VACUUM (ANALYZE) usage_record;"""

MARCH = "from=2024-03-01&to=2024-04-01"
# What each row of the list shows of the users in March: name, credits, and the rest.
LIST = """
    WITH sums AS (
        SELECT coalesce(user_id, '') AS user_id, sum(credit_hundredths) AS credits, count(*) AS messages,
            coalesce(sum(input_tokens + output_tokens), 0) AS tokens,
            row_number() OVER (ORDER BY sum(credit_hundredths) DESC, coalesce(user_id, '') = '', user_id) AS place
        FROM usage_record LEFT JOIN usage_attribution USING (attribution_id)
        WHERE "timestamp" >= '2024-03-01Z' AND "timestamp" < '2024-04-01Z' GROUP BY user_id),
    rows AS (
        SELECT least(place, 9) AS place, min(CASE WHEN place > 8 THEN 'Other (' || (SELECT max(place) - 8 FROM sums) || ')'
            WHEN user_id = '' THEN 'Without a user' ELSE user_id END) AS name,
            sum(credits) AS credits, sum(messages) AS messages, sum(tokens) AS tokens
        FROM sums GROUP BY least(place, 9))
    SELECT name || '|' || to_char(credits / 100.0, 'FM999,990.00') || '|'
        || to_char(credits * 100.0 / sum(credits) OVER (), 'FM990.0') || '% · ' || messages || ' messages · '
        || to_char(tokens, 'FM999,990') || ' tokens'
    FROM rows ORDER BY place"""


def listed(page):
    """Name, credits and the rest of each row of the list."""
    return page.locator("#group-list li").evaluate_all("""items => items.map(item =>
        ["name", "sum", "more"].map(part => item.querySelector(`.${part}`).textContent).join("|"))""")


def colour_of(page, name):
    style = page.locator("#group-list li", has_text=name).evaluate("it => it.style.getPropertyValue('--colour')")
    return style.removeprefix("var(").removesuffix(")")


def painted(page):
    """Which of the colours of groups the bars have."""
    return page.locator("#chart canvas").evaluate("""canvas => {
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
        copy.drawImage(canvas, 0, 0);
        const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
        const seen = new Set();
        for (let i = 0; i < data.length; i += 4) seen.add(data.slice(i, i + 4).join());
        const probe = document.body.appendChild(document.createElement('i'));
        const names = [1, 2, 3, 4, 5, 6, 7, 8].map(n => `--group-${n}`).concat('--other', '--accent');
        const found = names.filter(name => {
            probe.style.color = `var(${name})`;
            return seen.has([...getComputedStyle(probe).color.match(/\\d+/g), 255].join());
        });
        probe.remove();
        return found;
    }""")


def read_last_bar(page):
    page.locator("#chart").focus()
    page.keyboard.press("End")
    return page.locator("#chart-tip .part").all_inner_texts()


def test_the_page_opens_with_users_on_the_last_30_days_that_have_records(site):
    with site.open(is_whole=False) as page:
        assert page.locator("#period").inner_text() == "2 Mar 2024 – 31 Mar 2024"
        assert page.locator("#preset option:checked").inner_text() == "Latest 30 days with records"
        assert page.locator("#groups-title").inner_text() == "Credits by user"
        assert page.locator("#zone").input_value() == "UTC"
        assert page.url == f"{site.url}/"


def test_the_list_has_the_groups_of_the_chart_with_all_their_sums(site):
    expected = site.sql(LIST).splitlines()
    assert len(expected) == 9 and expected[-1].startswith("Other (7)|")
    with site.open(f"/?{MARCH}") as page:
        assert listed(page) == expected
        expect(page.locator("#group-note")).to_have_text("8 of 15 groups, by credits. The filter User finds the others.")
        assert len(painted(page)) == 9 and "--other" in painted(page)
        # A bar's groups are its credits: with the tip, in the table, and aloud.
        lines = read_last_bar(page)
        assert lines[0].startswith(expected[0].split("|")[0]) and lines[-1].startswith("Other (7)")
        total = page.locator("#chart-tip .what").inner_text().replace(",", "").removesuffix(" credits")
        assert f"{sum(float(line.split()[-1]) for line in lines):.2f}" == total
        spoken = page.locator("#chart-readout").inner_text()
        assert all(re.sub(r"\n", ": ", line) in spoken for line in lines), (lines, spoken)
        page.get_by_text("Show as table").click()
        expect(page.locator(".twin thead th")).to_have_count(4 + len(expected))
        heads = page.locator(".twin thead th").all_inner_texts()
        assert heads[4:] == [row.split("|")[0] for row in expected]


def test_each_part_can_be_grouped_by_and_is_in_the_address(site):
    with site.open(f"/?{MARCH}") as page:
        field = page.locator("#group-by")
        assert field.locator("option").all_inner_texts() == ["None", "Report", "User", "Team", "Model", "env"]
        for label, value, first in [("Team", "team_id", "team "), ("Model", "model", "gpt-"), ("env", "tag:env", "prod|"),
                                    ("Report", "report_name", "Without a report|"), ("User", "user_id", "u-")]:
            field.select_option(label=label)
            eventually(page, lambda: listed(page)[0].startswith(first))
            assert query(page)["group_by"] == value
        field.select_option(label="None")
        expect(page.locator("#group-list")).to_be_hidden()
        eventually(page, lambda: painted(page) == ["--accent"])
        steps = page.evaluate("history.length")
        page.evaluate("""() => ["team_id", "model", "user_id", "none"].forEach((value) => {
            document.querySelector("#group-by").value = value;
            document.querySelector("#group-by").dispatchEvent(new Event("change", { bubbles: true }));
        })""")
        assert query(page)["group_by"] == "none"
        assert page.evaluate("history.length") <= steps + 1, "choices that follow quickly are one step"


def test_a_group_keeps_its_colour(site):
    with site.open(f"/?{MARCH}") as page:
        names = [row.split("|")[0] for row in listed(page)]
        before = {name: colour_of(page, name) for name in names}
        assert len(set(before.values())) == 9
        name = names[5]
        group(page, name).click()
        expect(page.locator("#group-list li")).to_have_count(1)
        assert colour_of(page, name) == before[name]
        page.reload()
        wait_until_live(page)
        again = colour_of(page, name)
        page.go_back()
        expect(page.locator("#group-list li")).to_have_count(9)
        assert colour_of(page, name) == again, "another order of groups changes no colour"


def test_groups_that_would_have_the_same_colour_keep_theirs_after_a_reload(site):
    def colours(page):
        return {name: colour_of(page, name) for name in page.locator("#group-list .name:not(.none)").all_inner_texts()}

    with site.open(f"/?{MARCH}") as page:
        whole = colours(page)
        for name in whole:
            # Alone, it would have its own first choice.
            page.goto(f"{site.url}/?{MARCH}&user_id={name}")
            wait_until_live(page)
            assert colours(page) == {name: whole[name]}
    # A tab that shows two groups one by one, whose first choices are the same, and then both.
    with site.open(f"/?{MARCH}&user_id=u-01") as page:
        first = colours(page)
        for name in [f"u-{number:02}" for number in range(2, 15)]:
            page.goto(f"{site.url}/?{MARCH}&user_id={name}")
            wait_until_live(page)
            if list(colours(page).values()) == list(first.values()):
                break
        else:
            raise AssertionError("all first choices are different")
        page.goto(f"{site.url}/?{MARCH}&user_id=u-01&user_id={name}")
        wait_until_live(page)
        both = colours(page)
        assert len(set(both.values())) == 2 and both["u-01"] == first["u-01"]
        for users in [["u-01", name], [name], ["u-01"]]:
            page.goto(f"{site.url}/?{MARCH}&{'&'.join(f'user_id={each}' for each in users)}")
            wait_until_live(page)
            assert colours(page) == {each: both[each] for each in both if each in users}
        # The tab does not store whose usage it showed.
        assert name not in page.evaluate("Object.values(sessionStorage).join()")


def test_the_legend_hides_a_group_in_the_chart_and_only_there(site):
    with site.open(f"/?{MARCH}", may_fail=True) as page:
        sums, colours = listed(page), painted(page)
        swatch = page.locator("#group-list .swatch").first
        name = sums[0].split("|")[0]
        colour = colour_of(page, name)
        assert swatch.get_attribute("aria-label") == f"{name} in the chart"
        swatch.focus()
        page.keyboard.press("Space")
        expect(swatch).to_have_attribute("aria-pressed", "false")
        eventually(page, lambda: painted(page) == [each for each in colours if each != colour])
        assert listed(page) == sums
        assert not any(line.startswith(name) for line in read_last_bar(page))
        # It is in the address; so are the other groups.
        page.locator("#group-list .swatch").last.click()
        rest = [each for each in colours if each not in [colour, "--other"]]
        eventually(page, lambda: painted(page) == rest)
        assert query(page)["hide_other"] == "true"
        page.reload()
        wait_until_live(page)
        eventually(page, lambda: painted(page) == rest)
        page.go_back()
        eventually(page, lambda: painted(page) == [each for each in colours if each != colour])
        page.context.set_offline(True)
        swatch.click()
        eventually(page, lambda: painted(page) == colours)
        page.context.set_offline(False)
        expect(page.locator("#period")).to_be_visible()


def test_a_click_on_a_group_filters_and_another_one_shows_all_again(site):
    with site.open(f"/?{MARCH}") as page:
        name = page.locator("#group-list .name").first.inner_text()
        group(page, name).click()
        count = site.sql(f"""SELECT count(*) FROM usage_record JOIN usage_attribution USING (attribution_id)
            WHERE user_id = '{name}' AND "timestamp" >= '2024-03-01Z'""")
        expect(page.locator("#messages")).to_have_text(count)
        assert query(page)["user_id"] == name
        assert page.locator("#position").inner_text().endswith(f"of {count}")
        group(page, name).click()
        expect(page.locator("#group-list li")).to_have_count(9)
        assert "user_id" not in query(page)
        assert page.locator("#group-list .group", has_text="Other (7)").is_disabled()


def test_the_tip_never_covers_its_bar(site):
    places = """() => {
        const box = place => document.querySelector(place).getBoundingClientRect();
        const [tip, chart, band] = ['#chart-tip', '#chart', '#chart .band'].map(box);
        const half = Math.min(band.width * 0.72, 56) / 2, middle = (band.left + band.right) / 2;
        return { tip: [tip.left, tip.right], chart: [chart.left, chart.right], bar: [middle - half, middle + half] };
    }"""
    with site.open(f"/?{MARCH}") as page:
        for granularity, keys in [("Day", ["Home", *["PageDown"] * 5]), ("Month", ["Home"])]:
            page.get_by_role("button", name=granularity).click()
            expect(page.locator("#chart-title")).to_have_text(f"Credits per {granularity.lower()}")
            wait_until_live(page)
            for width in [320, 768, 1280]:
                page.set_viewport_size({"width": width, "height": 900})
                eventually(page, lambda: page.locator("#chart canvas").bounding_box()["width"] < width)
                page.locator("#chart").focus()
                for key in keys:
                    page.keyboard.press(key)
                    found = page.evaluate(places)
                    tip, chart, bar = found["tip"], found["chart"], found["bar"]
                    assert tip[1] <= bar[0] or tip[0] >= bar[1], (width, key, found)
                    assert tip[0] >= chart[0] - 1 and tip[1] <= chart[1] + 1 and tip[1] - tip[0] > 90, (width, found)


def test_clicking_a_bar_zooms_in_and_a_button_zooms_out(site):
    with site.open(f"/?{WHOLE}&granularity=week&team_id=team+1") as page:
        period, out = page.locator("#period"), page.get_by_role("button", name="Zoom out")
        whole = period.inner_text()
        expect(out).to_be_hidden()
        box = page.locator("#chart .u-over").bounding_box()
        for share, shown in [(0.5, "26 Feb 2024 – 3 Mar 2024"), (0.5, "29 Feb 2024")]:
            page.mouse.click(box["x"] + box["width"] * share, box["y"] + 100)
            expect(period).to_have_text(shown)
            wait_until_live(page)
        assert query(page) == {"from": "2024-02-29", "to": "2024-03-01", "team_id": "team 1"}
        page.reload()
        expect(period).to_have_text("29 Feb 2024")
        out.click()
        expect(period).to_have_text("26 Feb 2024 – 3 Mar 2024")
        out.click()
        expect(period).to_have_text(whole)
        expect(out).to_be_hidden()
        assert query(page) == {"granularity": "week", "team_id": "team 1"}
        expect(page.locator("#chart")).to_be_focused()
    # A pasted link does not say from where its sender zoomed in.
    with site.open("/?from=2024-02-29T10:00:00Z&to=2024-02-29T12:00:00Z") as page:
        for dates in [["29 Feb 2024"], ["1 Feb 2024", "29 Feb 2024"], ["1 Jan 2024", "31 Dec 2024"], [whole]]:
            out = page.get_by_role("button", name="Zoom out")
            out.press("Enter")
            expect(page.locator("#period")).to_have_text(" – ".join(dates))
        expect(out).to_be_hidden()
        assert query(page) == {}


def test_a_finger_reads_a_bar_before_it_zooms(site):
    with site.open(f"/?{MARCH}", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as page:
        over = page.locator("#chart .u-over")
        over.tap(position={"x": 100, "y": 100})
        expect(page.locator("#chart-tip")).to_be_visible()
        assert query(page)["from"] == "2024-03-01"
        day = page.locator("#chart-tip .when").inner_text()
        over.tap(position={"x": 100, "y": 100})
        expect(page.locator("#period")).to_have_text(day[5:])


def test_axe_finds_nothing_in_groups_filters_and_chips(site):
    with site.open(f"/?{MARCH}&user_id=u-01&user_id=&tag=env:prod", reduced_motion="reduce") as page:
        page.locator("#group-list .swatch").first.click()
        page.get_by_role("button", name="Filter by User").click()
        expect(page.locator("#picker-list [role=option]").nth(3)).to_be_visible()
        for scheme in ["light", "dark"]:
            page.emulate_media(color_scheme=scheme)
            assert barriers(page) == [], scheme


def test_colour_blind_people_can_tell_the_groups_apart(site):
    """Simulated as in Machado, Oliveira and Fernandes (2009), for all who lack one kind of cone."""
    simulations = {
        "none": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
        "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
        "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
    }

    def lab(linear):
        lms = [sum(a * max(0, b) for a, b in zip(row, linear)) ** (1 / 3) for row in [
            [0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]]]
        return [sum(a * b for a, b in zip(row, lms)) for row in [
            [0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]]

    with site.open(SCRIPTS, is_live=False, may_fail=True) as page:
        styles = urllib.request.urlopen(f"{site.url}/css/colours.css").read().decode()
    pairs = re.findall(r"--(group-\d|other): light-dark\(#(\w{6}), #(\w{6})\)", styles)
    assert len(pairs) == 9
    for scheme, kind in itertools.product([1, 2], simulations):
        found = {}
        for pair in pairs:
            srgb = [int(pair[scheme][place:place + 2], 16) / 255 for place in [0, 2, 4]]
            linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in srgb]
            found[pair[0]] = lab([sum(a * b for a, b in zip(row, linear)) for row in simulations[kind]])
        for (one, first), (other, second) in itertools.combinations(found.items(), 2):
            distance = sum((a - b) ** 2 for a, b in zip(first, second)) ** 0.5
            assert distance > 0.07, (["", "light", "dark"][scheme], kind, one, other, round(distance, 3))


def test_the_page_opens_in_the_first_reporting_zone_and_marks_the_others(site):
    tool = [BUILT / "orbitalctl", "rollup", "zones"]
    subprocess.run([*tool, "add", "America/New_York"], env=site.service.environment, check=True)
    try:
        response = urllib.request.urlopen(f"{site.url}/usage/summary?from=2024-01-01&to=2024-01-01")
        zones = response.headers["X-Reporting-Zones"].split(", ")
        with site.open(timezone_id="Asia/Tokyo") as page:
            assert page.locator("#zone").input_value() == zones[0] and sorted(zones) == ["America/New_York", "UTC"]
            listed_zones = page.locator("#zone optgroup").evaluate_all(
                "all => all.map(group => [group.label, [...group.children].map(option => option.text)])")
            assert listed_zones[0] == ["Reporting zones", zones]
            assert [label for label, _ in listed_zones[1:]] == ["Yours (slower)", "Other zones (slower)"]
            page.locator("#zone").select_option(zones[1])
            expect(page.locator("#zone-name")).to_have_text(zones[1])
            assert query(page) == {"tz": zones[1]}
            page.locator("#zone").select_option(zones[0])
            expect(page.locator("#zone-name")).to_have_text(zones[0])
            assert query(page) == {}
    finally:
        subprocess.run([*tool, "remove", "America/New_York"], env=site.service.environment, check=True)
