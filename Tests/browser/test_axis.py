"""The axes of the chart: enough labels, each complete and correct, and none in an empty chart."""

import datetime

from dashboard import SCRIPTS, expect


def test_an_empty_chart_has_no_axis(site):
    with site.open("/?from=2024-04-20&to=2024-04-24") as page:
        expect(page.locator("#chart-empty")).to_have_text(
            "No messages match. Try a wider range.")
        expect(page.locator("#chart canvas")).to_be_hidden()
        page.locator("#chart").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#chart-tip")).to_be_hidden()
        page.get_by_text("Show as table").click()
        expect(page.locator(".twin tbody tr")).to_have_count(4)
        page.locator("#from").fill("2024-03-20")
        expect(page.locator("#chart canvas")).to_be_visible()
        expect(page.locator("#chart-empty")).to_be_hidden()


def labels(page, buckets, granularity, width):
    """The labels under the axis of a chart of this width, as they are painted."""
    return page.evaluate("""async ([buckets, granularity, width]) => {
        const { ticksOf } = await import('/js/chart/ticks.js');
        return ticksOf({ buckets, granularity }, width).map(({ text }) => text);
    }""", [buckets, granularity, width])


def hours(start, number):
    begin = datetime.datetime.fromisoformat(start)
    times = [begin + datetime.timedelta(hours=n) for n in range(number)]
    return [{"date": str(time.date()), "start": time.isoformat() + "+00:00"} for time in times]


def days(start, number):
    begin = datetime.date.fromisoformat(start)
    dates = [begin + datetime.timedelta(days=n) for n in range(number)]
    return [{"date": str(date), "start": f"{date}T00:00:00+00:00"} for date in dates]


def test_a_month_on_a_phone_has_several_dates_under_its_axis(site):
    with site.open(SCRIPTS, is_live=False, may_fail=True) as page:
        # As wide as the chart is at 390 pixels.
        assert labels(page, days("2024-01-01", 31), "day", 354) == ["1 Jan\n2024", "15 Jan", "29 Jan"]
        # 57 days with a single first of a month in them.
        assert labels(page, days("2024-01-02", 57), "day", 354) == ["2 Jan\n2024", "17 Jan", "1 Feb", "16 Feb"]
        few = page.evaluate("""async ([all, hours]) => {
            const { ticksOf } = await import('/js/chart/ticks.js');
            const few = [];
            for (const [granularity, buckets, most] of [["hour", hours, 744], ["day", all, 366],
                ["week", all.filter((_, n) => n % 7 === 0), 260], ["month", all.filter(({ date }) => date.endsWith("-01")), 120]])
                for (let number = 2; number <= Math.min(most, buckets.length - 1); number += 1)
                    for (const [width, from] of [[240, 0], [354, 1], [700, 0], [1300, 1]]) {
                        const ticks = ticksOf({ buckets: buckets.slice(from, from + number), granularity }, width);
                        const room = Math.max(2, Math.floor((width - 64) / 68));
                        if (ticks.length < 2 || ticks.length > room) few.push([granularity, number, width, ticks.length]);
                    }
            return few;
        }""", [days("2015-01-01", 3700), hours("2024-01-01T00:00:00", 760)])
        assert few == [], few[:10]


def test_the_last_label_under_the_axis_is_whole(site):
    at_edge = """canvas => {
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d');
        copy.drawImage(canvas, 0, 0);
        const { data } = copy.getImageData(canvas.width - 2, canvas.height - 40, 2, 40);
        return data.some(value => value > 0);
    }"""
    # The last bar is narrow and has a label.
    with site.open("/?from=2024-03-01&to=2024-03-30", viewport={"width": 390, "height": 844}) as page:
        assert not page.locator("#chart canvas").evaluate(at_edge)


def test_a_label_under_hours_says_when_they_begin(site):
    with site.open(SCRIPTS, is_live=False, may_fail=True) as page:
        assert labels(page, hours("2024-03-01T00:00:00", 744), "hour", 354) == [
            "1 Mar\n2024", "9 Mar", "17 Mar", "25 Mar"]
        assert labels(page, hours("2024-03-01T15:00:00", 48), "hour", 354) == ["2 Mar\n2024", "12:00", "3 Mar", "12:00"]
        assert labels(page, hours("2024-03-01T15:00:00", 4), "hour", 354) == ["15:00\n1 Mar", "16:00", "17:00", "18:00"]


def test_the_axis_has_exact_numbers(site):
    """Its steps are 1, 2, 2.5 and 5, times a power of ten."""
    with site.open(SCRIPTS, is_live=False, may_fail=True) as page:
        numbers = [0, 0.25, 7.5, 125, 250, 1250, 1750, 12_500, 1_250_000, 2_500_000_000]
        texts = page.evaluate("""async numbers => {
            const { compact } = await import('/js/shared/format.js');
            return numbers.map(compact);
        }""", numbers)
        assert texts == ["0", "0.25", "7.5", "125", "250", "1.25k", "1.75k", "12.5k", "1.25m", "2.5bn"]


def test_an_axis_of_messages_without_credits_has_zero_alone(site):
    site.sql("""INSERT INTO usage_record (message_id, "timestamp", message_text, credit_hundredths)
        VALUES (0, '2025-01-01Z', 'x', 0)""")
    with site.open("/?from=2025-01-01&to=2025-01-03") as page:
        expect(page.locator("#chart-empty")).to_be_hidden()
        assert page.evaluate("""() => {
            const canvas = document.querySelector('#chart canvas');
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d');
            copy.drawImage(canvas, 0, 0);
            // Left of the grid lines, and above the line of zero.
            return copy.getImageData(0, 0, 40, 200).data.some(value => value > 0);
        }""") is False
    site.sql("DELETE FROM usage_record WHERE message_id = 0")
