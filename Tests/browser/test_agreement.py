"""Random views: cards, groups, their others, table and every download agree with the records, to the hundredth."""

import collections
import csv
import decimal
import json
import os
import random
import urllib.parse
import urllib.request

import pytest
from dashboard import wait_until_live
from test_groups import RECORDS as GROUPS

RECORDS = GROUPS + """
    UPDATE usage_record SET credit_hundredths = 9007199254740993 - message_id WHERE message_id % 97 = 0;
    UPDATE usage_record SET report_name = '=1+1, "ä" (' || chr(233) || ')' WHERE message_id % 31 = 0;"""
VALUES = {
    "user_id": ["", *(f"u-{number:02}" for number in range(1, 15))], "team_id": ["", "team 0", "team 1", "team 2"],
    "model": ["", "gpt-0", "gpt-1"], "report_name": ["Report 1", "Report 3", '=1+1, "ä" (é)'],
}
WITHOUT = {"user_id": "Without a user", "team_id": "Without a team", "model": "Without a model",
           "report_name": "Without a report", "tag:env": "Without env"}
SORTS = {"": lambda one: 0, "timestamp:asc": lambda one: one["timestamp"],
         "credits_used:desc": lambda one: -one["credits_used"], "credits_used:asc": lambda one: one["credits_used"],
         "message_id:desc": lambda one: -one["message_id"], "message_id:asc": lambda one: one["message_id"]}
SHOWN = """() => {
    const texts = (selector, parts) => [...document.querySelectorAll(selector)].map(
        each => [...each.children].slice(0, parts).map(part => part.textContent));
    return {
        cards: ["credits", "messages", "tokens"].map(id => document.getElementById(id).textContent),
        groups: texts("#group-list .group", 4).map(([name, sum, , more]) => [name, sum, more]),
        position: document.querySelector("#position").textContent,
        rows: [...document.querySelectorAll("#records tbody tr[data-index]")].slice(0, 10).map(
            row => [row, ...row.cells].slice(1).map(cell => cell.textContent)),
        buckets: texts(".twin tbody tr", 3).map(([, ...sums]) => sums),
        links: Object.fromEntries([...document.querySelectorAll("#save a")].map(link => [link.id, link.href])),
    };
}"""


def random_view(rng):
    """The parameters of a view: those of the API that filter, and the others."""
    first = rng.randrange(0, 50)
    days = [f"2024-{2 + day // 29:02}-{1 + day % 29:02}" for day in (first, first + rng.randrange(0, 9) ** 2 // 7)]
    filters = [*zip(["from", "to"], days)] if rng.random() < 0.7 else []
    for name in rng.sample(sorted(VALUES), rng.choice([0, 0, 1, 1, 2, 3])):
        filters += [(name, value) for value in rng.sample(VALUES[name], rng.randrange(1, 3))]
    if rng.random() < 0.2:
        filters.append(("tag", rng.choice(["env:prod", "env:test", "env:"])))
    if rng.random() < 0.2 and not any(name == "report_name" for name, _ in filters):
        filters.append(("has_report", rng.choice(["true", "false"])))
    if rng.random() < 0.6:
        filters.append(("tz", rng.choice(["Europe/London", "Asia/Kathmandu", "America/New_York"])))
    return filters, {
        "group_by": rng.choice(list(WITHOUT)), "granularity": rng.choice(["day", "week", "month"]),
        "sort": rng.choice(list(SORTS)), **({} if filters and filters[0][0] == "from" else {"range": "all"})}


def fetch(address):
    with urllib.request.urlopen(address) as response:
        return response.read().decode()


def money(sum):
    return f"{sum:,.2f}"


def sums(records):
    return (sum(one["credits_used"] for one in records), len(records),
            sum(one.get("input_tokens", 0) + one.get("output_tokens", 0) for one in records))


def groups_of(records, part):
    """The name, credits and messages of each group that the list shows."""
    value = (lambda one: one.get("tags", {}).get("env", "")) if part == "tag:env" else (lambda one: one.get(part, ""))
    found = collections.defaultdict(list)
    for one in records:
        found[value(one)].append(one)
    order = sorted(found, key=lambda name: (-sums(found[name])[0], name == "", name))
    shown = [(name or WITHOUT[part], *sums(found[name])) for name in order[:8]]
    if order[8:]:
        others = [one for name in order[8:] for one in found[name]]
        shown.append((f"Other ({len(order) - 8})", *sums(others)))
    return shown


def check(page, site, filters, others):
    query = urllib.parse.urlencode(filters)
    lines = fetch(f"{site.url}/usage?{query}&fields=all&format=ndjson").splitlines()
    records = [json.loads(line, parse_float=decimal.Decimal) for line in lines]
    # The API's order is the oldest first, and equal ones by message_id.
    records.sort(key=lambda one: one["message_id"])
    records.sort(key=lambda one: one["timestamp"], reverse=others["sort"] == "")
    if others["sort"]:
        records.sort(key=lambda one: one["message_id"])
        records.sort(key=SORTS[others["sort"]])
    credits, messages, tokens = sums(records)
    shown = page.evaluate(SHOWN)
    assert shown["cards"][:2] == [money(credits), f"{messages:,}"]
    assert shown["cards"][2] == f"{tokens:,}"
    expected = groups_of(records, others["group_by"])
    assert [(name, sum, more.split(" · ")[1]) for name, sum, more in shown["groups"]] == [
        (name, money(sum), f"{number:,} message{'' if number == 1 else 's'}") for name, sum, number, _ in expected]
    ids = [str(one["message_id"]) for one in records]
    assert [row[0] for row in shown["rows"]] == ids[:10]
    assert [row[-1] for row in shown["rows"]] == [money(one["credits_used"]) for one in records[:10]]
    assert shown["position"].endswith(f" of {messages:,}") if records else shown["position"] == "None"
    texts = {name: fetch(link) for name, link in shown["links"].items()}
    assert texts["csv-excel"] == "\ufeff" + texts["csv"] and texts["sums-excel"] == "\ufeff" + texts["sums-csv"]
    for rows in [[json.loads(line, parse_float=decimal.Decimal) for line in texts["ndjson"].splitlines()],
                 [*csv.DictReader(texts["csv"].splitlines())]]:
        assert [str(row["message_id"]) for row in rows] == ids
        assert sum(decimal.Decimal(row["credits_used"]) for row in rows) == credits
    found, buckets = collections.Counter(), collections.defaultdict(lambda: [decimal.Decimal(0), 0])
    part = others["group_by"]
    for row in csv.DictReader(texts["sums-csv"].splitlines()):
        name = "Other" if row["other"] else (row[part].removeprefix("'") or WITHOUT[part])
        found[name] += decimal.Decimal(row["credits_used"])
        buckets[row["start"]][0] += decimal.Decimal(row["credits_used"])
        buckets[row["start"]][1] += int(row["messages"])
    assert found == {name.split(" (")[0] if name.startswith("Other") else name: sum for name, sum, *_ in expected} \
        or not records
    assert [[money(sum), f"{number:,}"] for sum, number in buckets.values()] == shown["buckets"] or not records


def walk(site, number):
    seed = int(os.environ.get("SEED", random.randrange(10 ** 9)))
    rng = random.Random(seed)
    with site.open() as page:
        page.get_by_text("Show as table").click()
        for step in range(1, number + 1):
            filters, others = random_view(rng)
            query = urllib.parse.urlencode([*filters, *(each for each in others.items() if each[1])])
            page.evaluate("""query => {
                history.pushState(null, "", query);
                dispatchEvent(new PopStateEvent("popstate"));
            }""", f"/?{query}")
            wait_until_live(page)
            try:
                check(page, site, filters, others)
            except AssertionError as error:
                raise AssertionError(f"SEED={seed}, view {step}: /?{query}\n{error}") from error


def test_ten_random_views_agree_with_the_records(site):
    walk(site, 10)


@pytest.mark.full
def test_five_hundred_random_views_agree_with_the_records(site):
    walk(site, 500)
