"""Budgets: adding, ending, what is used and left, who sees them, and random ones against a model."""

import datetime
import fractions
import json
import random
import subprocess

import pytest
from budget_model import Budget, amount, parsed
from orbital import Client, Record, insert, instant_text, microseconds, psql
from service import BUILT
from test_corrections import control, refused
from test_retries import Poster

UTC = datetime.timezone.utc
# Clocks change at midnight in Beirut and Havana, and by half an hour on Lord Howe.
ZONES = ["UTC", "Europe/London", "America/Havana", "Asia/Beirut", "Australia/Lord_Howe", "Asia/Kathmandu"]
DAY = 86_400_000_000
MEMBERS = ["name", "user_id", "team_id", "every", "month_start", "tz", "from", "to", "credits", "used", "remaining", "percent",
           "projected", "thresholds", "crossed", "ended"]


def now():
    return microseconds(datetime.datetime.now(UTC))


@pytest.fixture(scope="session")
def zoned_site(start_site):
    """A site of its own, because it has more reporting zones."""
    site = start_site()
    for zone in ZONES:
        control(site, "rollup", "zones", "add", zone)
    return site


@pytest.fixture
def budgets(zoned_site):
    zoned_site.psql("TRUNCATE budget RESTART IDENTITY CASCADE; TRUNCATE usage_record RESTART IDENTITY; TRUNCATE usage_attribution")
    yield zoned_site
    assert " error " not in zoned_site.log()


def add(site, *words, status=0):
    return control(site, "budgets", "add", *words, status=status)


def get(site, path="/budgets", key=None, **fields):
    response = Client(site.site).get(path, **fields, **({"Authorization": f"Bearer {key or site.key('usage:read')}"}))
    body = json.loads(response.body, parse_float=fractions.Fraction) if response.body else None
    return response, body


def shown(site, path="/budgets", key=None):
    response, body = get(site, path, key)
    assert response.status == 200, body
    return body["budgets"]


def words_of(done):
    return " ".join(done.stderr.split())


def refusal(site, *words):
    """The status of a command that fails, and what it says."""
    done = subprocess.run([BUILT / "orbitalctl", "budgets", *words], env=site.environment, capture_output=True, text=True)
    assert done.returncode != 0 and done.stdout == "", done
    return done.returncode, words_of(done)


def test_a_budget_shows_what_is_used_and_left_of_the_current_period(budgets):
    post = Poster(budgets)
    assert shown(budgets) == []
    assert add(budgets, "legal team", "--credits", "50", "--team", "legal", "--every", "month", "--month-start", "15", "--tz",
               "Europe/London", "--thresholds", "50,80,100").startswith(
        "new budget: legal team: 50.00 credits for team legal each month from day 15 in Europe/London; reports 50%, 80%, 100%; began ")
    add(budgets, "all", "--credits", "1000", "--every", "day")
    post({"message_id": 1, "team_id": "legal", "input_tokens": 100})
    post({"message_id": 2, "team_id": "sales", "input_tokens": 10})
    everybody, legal = shown(budgets)
    assert (everybody["name"], everybody["used"], everybody["remaining"], everybody["percent"]) == (
        "all", 44, 956, fractions.Fraction("4.4"))
    assert [name for name in MEMBERS if name in legal] == list(legal) and "month_start" not in everybody
    assert (legal["used"], legal["percent"], legal["crossed"], legal["month_start"]) == (40, 80, [50, 80], 15)
    records = [Record(1, now(), None, 4000, team_id="legal"), Record(2, now(), None, 400, team_id="sales")]
    model = Budget("legal team", 5000, "month", "Europe/London", team="legal", month_start=15)
    assert parsed(legal) | {"projected": 0} == model.shown(records, now()) | {"projected": 0}
    assert shown(budgets, "/budgets/legal%20team") == [legal]
    # A correction counts, too.
    key = budgets.key("usage:correct")
    assert Poster(budgets, key)({"reason": "wrong"}, "/usage/1/correction")[0] == 201
    assert [(b["used"], b["crossed"]) for b in shown(budgets)] == [(4, []), (0, [])]


def test_the_response_is_current_and_revalidated(budgets):
    post = Poster(budgets)
    add(budgets, "all", "--credits", "100", "--every", "week")
    key = budgets.key("usage:read")
    for _ in range(3):
        # Once more if a minute has passed in between.
        first, _ = get(budgets, key=key)
        again, nothing = get(budgets, key=key, If_None_Match=first.headers["ETag"])
        if again.status == 304:
            break
    assert again.status == 304 and nothing is None
    post({"message_id": 1, "input_tokens": 100})
    later, body = get(budgets, key=key, If_None_Match=first.headers["ETag"])
    assert later.status == 200 and body["budgets"][0]["used"] == 40
    add(budgets, "more", "--credits", "100", "--every", "week")
    assert [b["name"] for b in shown(budgets)] == ["all", "more"]
    control(budgets, "budgets", "end", "all")
    assert [b["name"] for b in shown(budgets)] == ["more"]
    assert [(b["name"], b.get("ended")) for b in shown(budgets, "/budgets?ended=true")] == [("all", True), ("more", None)]
    assert shown(budgets, "/budgets/all?ended=true")[0]["used"] == 40
    assert get(budgets, "/budgets/all")[0].status == 404
    response, problem = get(budgets, "/budgets?ended=maybe&x=1")
    assert response.status == 400 and [fault["name"] for fault in problem["errors"]] == ["ended", "x"]


def test_a_bound_key_sees_the_budgets_of_exactly_its_records(budgets):
    add(budgets, "all", "--credits", "1", "--every", "day")
    add(budgets, "u", "--credits", "2", "--user", "u", "--every", "day")
    add(budgets, "t", "--credits", "3", "--team", "t", "--every", "day")
    Poster(budgets)({"message_id": 1, "user_id": "u", "team_id": "t", "input_tokens": 10})
    bounds = {"u": ["--user", "u"], "t": ["--team", "t"]}
    for name, options in bounds.items():
        key = budgets.key("usage:read", bounds=options)
        assert [(b["name"], b["used"]) for b in shown(budgets, key=key)] == [(name, 4)]
        assert get(budgets, "/budgets/all", key)[0].status == 404
    for options in [bounds["u"] + bounds["t"], bounds["u"] + ["--tag", "a:b"], ["--user", "v"]]:
        assert shown(budgets, key=budgets.key("usage:read", bounds=options)) == []


def test_an_estimate_names_the_budgets_that_the_message_would_touch(budgets):
    add(budgets, "all", "--credits", "100", "--every", "day")
    add(budgets, "u", "--credits", "50", "--user", "u", "--every", "day")
    add(budgets, "other", "--credits", "3", "--user", "v", "--every", "day")
    post = Poster(budgets)
    post({"message_id": 1, "user_id": "u", "input_tokens": 100})

    def estimated(message, key=None):
        return Poster(budgets, key or budgets.key("usage:read"))(message, "/usage/estimate")[1]
    message = {"user_id": "u", "input_tokens": 30}
    answer = estimated(message)
    assert list(answer) == ["credits_used", "receipt", "budgets"]
    left = [{"name": "all", "remaining": 60.0, "remaining_after": 48.0}, {"name": "u", "remaining": 10.0, "remaining_after": -2.0}]
    assert answer["budgets"] == left
    assert "budgets" not in estimated({"input_tokens": 30})
    assert "budgets" not in estimated(message | {"timestamp": "2024-01-01T00:00:00Z"})
    assert [item.get("budgets") for item in estimated([message, {"input_tokens": 1}, {"user_id": "w", "input_tokens": 1}])["results"]] == [
        left, None, [{"name": "all", "remaining": 60.0, "remaining_after": 59.0}]]
    assert estimated({"input_tokens": 30}, budgets.key("usage:read", bounds=["--user", "u"]))["budgets"] == left[1:]


def test_a_budget_is_never_rewritten(budgets):
    add(budgets, "b", "--credits", "100", "--every", "month", "--user", "u")
    for statement in ["UPDATE budget SET credit_hundredths = 1", "UPDATE budget SET user_id = 'v'", "DELETE FROM budget",
                      "UPDATE budget SET ends_at = now() - interval '1 second'"]:
        assert "a budget" in refused(budgets, statement), statement
    budgets.psql("UPDATE budget SET ends_at = now() + interval '1 day'")
    assert "only the end can change" in refused(budgets, "UPDATE budget SET ends_at = NULL")
    # Another one with the name can begin where it ends.
    end = budgets.psql("SELECT to_char(ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM budget")
    assert refusal(budgets, "add", "b", "--credits", "5", "--every", "day")[1] == 'orbitalctl: there is a budget "b" at that time'
    add(budgets, "b", "--credits", "5", "--every", "day", "--from", end)
    assert [b["credits"] for b in shown(budgets)] == [100]
    assert control(budgets, "budgets", "list").count("\n") == 2
    control(budgets, "budgets", "end", "b")
    assert control(budgets, "budgets", "end", "b").startswith("budget b: 5.00 credits for everybody each day")
    assert refusal(budgets, "end", "b") == (65, 'orbitalctl: no budget "b" is in force then; see: orbitalctl budgets list')
    listed = json.loads(control(budgets, "budgets", "list", "--all", "--json"))
    assert [b["credits"] for b in listed] == [100.0]
    assert control(budgets, "budgets", "list") == ""


def test_wrong_budgets_are_refused(budgets):
    good = ["--credits", "5", "--every", "month"]
    for words, status, text in [
            (["a/b", *good], 64, "must not contain a /"), ([".", *good], 64, "must not contain a /"), (["", *good], 64, "NAME:"),
            (["b", "--credits", "0", "--every", "day"], 64, "--credits must be from 0.01"),
            (["b", "--credits", "1.005", "--every", "day"], 64, "--credits"), (["b", "--credits", "5", "--every", "year"], 64, "--every"),
            (["b", *good, "--user", "u", "--team", "t"], 64, "omit --user or --team"), (["b", *good, "--user", ""], 64, "--user"),
            (["b", *good, "--month-start", "29"], 64, "--month-start"),
            (["b", "--credits", "5", "--every", "week", "--month-start", "2"], 64, "--month-start needs"),
            *((["b", *good, "--thresholds", words], 64, "--thresholds") for words in ("80,50", "0", "1001", "x", "", "5,5", "1,2,3,4,5,6,7,8,9,10,11")),
            (["b", *good, "--tz", "Europe/Londno"], 64, "time zone"), (["b", *good, "--to", "2024-01-01"], 65, "would have ended"),
            (["b", *good, "--tz", "Europe/Paris"], 65, "orbitalctl rollup zones add Europe/Paris"), (["b", *good, "--from", "soon"], 64, "--from")]:
        code, said = refusal(budgets, "add", *words)
        assert code == status and text in said, (words, code, said)
    assert shown(budgets) == []
    budgets.psql("INSERT INTO budget (name, credit_hundredths, every, zone_id, thresholds)"
                 " SELECT n, 1, 'day', min(zone_id), '{1}' FROM usage_zone, generate_series(1, 1000) AS n GROUP BY n")
    assert refusal(budgets, "add", "b", *good)[1] == "orbitalctl: there are 1,000 budgets: end some first"


def test_the_zone_of_a_budget_stays(budgets):
    add(budgets, "b", "--credits", "5", "--every", "month", "--tz", "Asia/Kathmandu")
    done = subprocess.run([BUILT / "orbitalctl", "rollup", "zones", "remove", "Asia/Kathmandu"], env=budgets.environment,
                          capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (65, 'orbitalctl: Asia/Kathmandu stays: the budget "b" has it, or has had it\n')


def random_budgets(rng, start, end):
    """Up to 12 budgets whose lives begin at or after `start`."""
    budgets = []
    for number in range(rng.randint(1, 12)):
        every = rng.choice(["day", "week", "month"])
        target = rng.choice([{}, {"user": f"u{rng.randint(0, 2)}"}, {"team": f"t{rng.randint(0, 1)}"}])
        begins = rng.choice([start, rng.randint(start, end)])
        budgets.append(Budget(
            f"b{number:02}", rng.choice([1, 99, 5000, 100_000, 7_000_000]), every, rng.choice(ZONES), begins=begins,
            month_start=rng.randint(1, 28) if every == "month" else 1, **target,
            thresholds=sorted(rng.sample(range(1, 1001), rng.randint(1, 10)))))
    return budgets


def random_records(rng, start, end, count):
    """Records and corrections, many of them around local midnights."""
    records = []
    for number in range(count):
        at = rng.randint(start, end)
        if rng.random() < 0.5:
            at = at - at % (900_000_000) + rng.choice([-1, 0, 1])
        who = {"user_id": rng.choice([None, "u0", "u1", "u2"]), "team_id": rng.choice([None, "t0", "t1"])}
        records.append(Record(number + 1, at, None, rng.choice([100, 101, 4000, 1_234_567]), **who))
    for number, record in enumerate(rng.sample(records, count // 5)):
        later = rng.randint(record.microseconds, end + 40 * DAY)
        records.append(Record(10**6 + number, later, None, -rng.randint(1, record.hundredths), corrects=record.message_id,
                              reason="r", **record.more))
    return records


def check_random_budgets(site, seed, rounds):
    rng = random.Random(seed)
    start = microseconds(datetime.datetime(rng.randint(2015, 2025), rng.randint(1, 12), rng.randint(1, 28), tzinfo=UTC))
    end = start + rng.choice([2, 10, 60, 200]) * DAY
    budgets, records = random_budgets(rng, start, end), random_records(rng, start, end, rng.randint(0, 200))
    site.psql("TRUNCATE usage_record RESTART IDENTITY; TRUNCATE budget RESTART IDENTITY CASCADE; TRUNCATE usage_attribution")
    psql(site.url, insert(records))
    for budget in budgets:
        add(site, *budget.options())
    checks = 0
    for round in range(rounds):
        if rng.random() < 0.3:
            control(site, "rollup", "merge")
        if rng.random() < 0.1:
            control(site, "rollup", "rebuild")
        if round == rounds // 2:
            # Late records.
            late = random_records(rng, start, end, 20)
            for record in late:
                record.message_id += 5 * 10**6
                if "corrects" in record.more:
                    record.more["corrects"] += 5 * 10**6
            psql(site.url, insert(late))
            records += late
        at = rng.randint(start, end + 40 * DAY)
        listed = json.loads(control(site, "budgets", "list", "--json", "--at", instant_text(at)), parse_float=fractions.Fraction)
        listed = {b["name"]: b for b in listed}
        for budget in budgets:
            found = listed[budget.name]
            assert ("used" in found) == (budget.begins <= at), (seed, budget.name, instant_text(at))
            if budget.begins > at:
                continue
            period = budget.period(at)
            used = budget.used(period, records)
            expected = {"from": period[0], "to": period[1], "used": amount(used),
                        "percent": fractions.Fraction(used * 1000 // budget.hundredths, 10), "crossed": budget.crossed(used)}
            assert {name: parsed(found)[name] for name in expected} == expected, (seed, budget.name, instant_text(at))
            checks += 1
    return checks


@pytest.mark.parametrize("seed", range(3))
def test_random_budgets_equal_a_model(budgets, seed):
    assert check_random_budgets(budgets, seed, 10) > 0


@pytest.mark.full
def test_many_random_budgets_equal_a_model(budgets):
    checks = 0
    for seed in range(1000, 1020):
        checks += check_random_budgets(budgets, seed, 12)
    print(f"measured: {checks} periods of budgets equal the model")


def test_budgets_that_are_added_at_once_do_not_deadlock(budgets):
    added = [subprocess.Popen([BUILT / "orbitalctl", "budgets", "add", f"b{n % 6}", "--credits", "1", "--every", "day"], env=budgets.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for n in range(12)]
    errors = [process.communicate()[1] for process in added]
    assert sorted(process.returncode for process in added) == [0] * 6 + [65] * 6, errors
    assert all("there is a budget" in error for error in errors if error)


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/Havana"])
def test_a_budget_is_replaced_at_a_date_in_its_zone(budgets, zone):
    date = str(datetime.date.today() + datetime.timedelta(days=40))
    add(budgets, "b", "--credits", "1", "--every", "month", "--tz", zone)
    control(budgets, "budgets", "end", "b", "--at", date)
    add(budgets, "b", "--credits", "2", "--every", "month", "--tz", zone, "--from", date)
    assert budgets.psql("SELECT count(DISTINCT coalesce(ends_at, begins_at)) FROM budget") == "1"
    assert refusal(budgets, "end", "b", "--at", "2024-01-01") == (65, "orbitalctl: --at must be in the future")
