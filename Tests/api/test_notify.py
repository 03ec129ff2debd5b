"""`orbitalctl notify`: which thresholds are reported, how deliveries are signed and repeated, and what a kill changes."""

import base64
import collections
import datetime
import http.client
import http.server
import json
import math
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from budget_model import Budget, parsed
from orbital import Record, insert, instant_text, microseconds, psql
from service import BUILT, REPOSITORY, Service, cluster, pairs, record
from standardwebhooks import Webhook
from test_budgets import DAY, ZONES, add, budgets, now, random_records, shown, zoned_site  # noqa: F401
from test_corrections import control
from test_retries import Poster

SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
MINUTE = 60_000_000


class Receiver:
    """An HTTP server that verifies each event, and answers with the next of `statuses`, then with 204."""

    def __init__(self):
        self.events, self.statuses, self.faults, self.delay = [], collections.deque(), [], 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(receiver.delay)
                try:
                    Webhook(SECRET).verify(body, dict(self.headers))
                    status = receiver.statuses.popleft() if receiver.statuses else 204
                    receiver.events.append((self.headers["webhook-id"], body.decode(), status, time.monotonic()))
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except Exception as error:
                    receiver.faults.append(error)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def confirmed(self):
        """The bodies by id; an id always has the same one."""
        bodies = {}
        for id, body, status, _ in self.events:
            if status < 300:
                assert bodies.setdefault(id, body) == body
        return bodies


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    assert receiver.faults == []


def environment(site, receiver, **more):
    return site.environment | {"WEBHOOK_URL": receiver.url, "WEBHOOK_SECRET": SECRET} | more


def notify(site, receiver, *words, status=0, **more):
    done = subprocess.run([BUILT / "orbitalctl", "notify", *words], env=environment(site, receiver, **more),
                          capture_output=True, text=True)
    assert done.returncode == status, done
    assert SECRET not in done.stdout + done.stderr and "hook" not in done.stdout + done.stderr
    return done


def checked(site):
    """What `orbitalctl check` finds."""
    return subprocess.run([BUILT / "orbitalctl", "check"], env=site.environment, capture_output=True, text=True).stdout


def metrics(site):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(site.socket)
        connection.sendall(record(1, bytes([0, 1, 0, 0, 0, 0, 0, 0])) + record(
            4, pairs({"REQUEST_METHOD": "GET", "SCRIPT_NAME": "/metrics", "ORBITAL_INTERNAL": "1"})) + record(4, b"") + record(5, b""))
        text = b""
        while piece := connection.recv(65536):
            text += piece
        return text.decode(errors="replace")


def crossings(receiver):
    """What was confirmed, as (budget, start of the period, threshold), in the order of arrival."""
    found = []
    for body in receiver.confirmed().values():
        data = json.loads(body)["data"]
        found.append((data["budget"]["name"], microseconds(datetime.datetime.fromisoformat(data["budget"]["from"])), data["threshold"]))
    assert len(set(found)) == len(found)
    return found


def test_each_crossed_threshold_is_one_signed_event(budgets, receiver):
    post = Poster(budgets)
    add(budgets, "team", "--credits", "100", "--team", "t", "--every", "month", "--tz", "Europe/London")
    notify(budgets, receiver, "--once")
    assert receiver.events == []
    post({"message_id": 1, "team_id": "t", "input_tokens": 205})
    notify(budgets, receiver, "--once")
    shown_then = shown(budgets)[0]
    notify(budgets, receiver, "--once")
    assert [event[2] for event in receiver.events] == [204, 204]
    first, second = (json.loads(body) for body in receiver.confirmed().values())
    assert list(first) == ["type", "timestamp", "data"] and first["type"] == "budget.threshold_crossed"
    assert list(first["data"]) == ["budget", "threshold"] and (first["data"]["threshold"], second["data"]["threshold"]) == (50, 80)
    assert {n: v for n, v in first["data"]["budget"].items() if n != "projected"} == json.loads(
        json.dumps({n: float(v) if n in ("credits", "used", "remaining", "percent") else v for n, v in shown_then.items() if n != "projected"}))
    # Taken back, and used again: an event is never withdrawn, and never repeated.
    Poster(budgets, budgets.key("usage:correct"))({"reason": "wrong"}, "/usage/1/correction")
    notify(budgets, receiver, "--once")
    post({"message_id": 2, "team_id": "t", "input_tokens": 250})
    notify(budgets, receiver, "--once")
    assert [threshold for _, _, threshold in crossings(receiver)] == [50, 80, 100]


def test_an_event_is_sent_again_until_it_is_confirmed(budgets, receiver):
    add(budgets, "all", "--credits", "1", "--every", "day", "--thresholds", "100")
    Poster(budgets)({"message_id": 1, "input_tokens": 1})
    delays = [5, 30, 120, 600, 3600, 3600]
    for delay in delays:
        receiver.statuses.append(random.choice([500, 302, 404]))
        done = notify(budgets, receiver, "--once", status=1)
        assert f"attempt {len(receiver.events)}: the response has the status {receiver.events[-1][2]}; next attempt at" in done.stderr
        planned = float(budgets.psql("SELECT extract(epoch FROM next_attempt_at - now()) FROM budget_event"))
        assert delay - 5 < planned <= delay
        notify(budgets, receiver, "--once")
        budgets.psql("UPDATE budget_event SET next_attempt_at = now()")
    assert len(receiver.events) == len(delays) and len({event[:2] for event in receiver.events}) == 1
    # A receiver that is not there.
    done = notify(budgets, receiver, "--once", status=1, WEBHOOK_URL="http://127.0.0.1:9/hook")
    assert "connect to server" in done.stderr
    budgets.psql("UPDATE budget_event SET created_at = now() - interval '11 minutes'")
    assert "1 event of budgets not delivered" in checked(budgets)
    assert 'orbital_budget_events{state="waiting"} 1' in metrics(budgets)
    # After three days it is given up, and reported.
    budgets.psql("UPDATE budget_event SET next_attempt_at = now(), created_at = now() - interval '71 hours 59 minutes'")
    receiver.statuses.append(500)
    assert "given up; see: orbitalctl notify --retry" in notify(budgets, receiver, "--once", status=1).stderr
    notify(budgets, receiver, "--once")
    assert budgets.psql("SELECT next_attempt_at IS NULL AND delivered_at IS NULL FROM budget_event") == "t"
    assert "1 event of budgets could not be delivered for three days" in checked(budgets)
    assert 'orbital_budget_events{state="failed"} 1' in metrics(budgets)
    assert "retrying 1 event" in notify(budgets, receiver, "--once", "--retry").stdout
    assert len(receiver.confirmed()) == 1 and len({event[:2] for event in receiver.events}) == 1


def test_periods_that_have_ended_count_for_35_days_if_they_ended_after_the_budget_was_added(budgets, receiver):
    # Added and begun earlier, as the time that has passed does it.
    add(budgets, "day", "--credits", "10", "--every", "day", "--thresholds", "100")
    budgets.psql("ALTER TABLE budget DISABLE TRIGGER budget_check;"
                 " UPDATE budget SET begins_at = begins_at - interval '60 days', added_at = added_at - interval '3 days';"
                 " ALTER TABLE budget ENABLE TRIGGER budget_check")
    post = Poster(budgets)
    for days in range(6):
        post({"message_id": days + 1, "timestamp": instant_text(now() - days * DAY), "input_tokens": 100})
    notify(budgets, receiver, "--once")
    today = now() // DAY * DAY
    assert sorted(crossings(receiver)) == [("day", today - days * DAY, 100) for days in range(3, -1, -1)]
    budgets.psql("ALTER TABLE budget DISABLE TRIGGER budget_check; UPDATE budget SET added_at = added_at - interval '60 days';"
                 " ALTER TABLE budget ENABLE TRIGGER budget_check")
    for number, days in enumerate((34, 35, 36)):
        post({"message_id": 100 + number, "timestamp": instant_text(now() - days * DAY), "input_tokens": 100})
    notify(budgets, receiver, "--once")
    assert len(crossings(receiver)) == 4 + 2 + 2 and min(crossings(receiver)) == ("day", today - 35 * DAY, 100)
    # A budget that has ended reports nothing of the day on which it ended.
    budgets.psql("UPDATE budget SET ends_at = now()")
    budgets.psql("TRUNCATE budget_event")
    notify(budgets, receiver, "--once")
    assert budgets.psql("SELECT count(*), max(period_start) < now() - interval '1 day' FROM budget_event").startswith("7|")


def test_a_look_at_a_thousand_daily_budgets_is_quick(budgets, receiver):
    """It took more than 20 s: the sums of 36,000 periods were joined as if there were few."""
    budgets.psql("INSERT INTO budget (name, credit_hundredths, every, zone_id, thresholds, begins_at, added_at)"
                 " SELECT n, 1000000000, 'day', zone_id, '{50,80,100}', now() - interval '100 days', now() - interval '100 days'"
                 " FROM usage_zone, generate_series(1, 1000) AS n WHERE usage_zone.name = 'UTC'")
    psql(budgets.url, insert([Record(n, now() - n * DAY // 3, None, 100) for n in range(1, 100)]))
    control(budgets, "rollup", "merge")
    begin = time.monotonic()
    notify(budgets, receiver, "--once")
    assert time.monotonic() - begin < 5


def test_a_test_event_and_wrong_settings(budgets, receiver):
    assert notify(budgets, receiver, "--test").stdout.startswith("delivered the test event ")
    body = json.loads(receiver.events[0][1])
    assert (body["type"], body["data"]) == ("budget.test", {})
    receiver.statuses.append(410)
    assert notify(budgets, receiver, "--test", status=1).stderr == (
        "orbitalctl: the test event was not delivered: the response has the status 410\n")
    for wrong in ("http://example.org/hook", "ftp://localhost/", "https://u:p@example.org/hook", "https:///hook", "http://127.0.0.1.evil/hook",
                  "http://localhost@evil/hook", "https://a b/hook", "http://127.1/hook", "http://[::2]/hook"):
        done = notify(budgets, receiver, "--test", status=78, WEBHOOK_URL=wrong)
        assert done.stderr == ("orbitalctl: WEBHOOK_URL must be an https address, or an http address of this host, without a password\n")
    for wrong in ("x", "whsec_", "whsec_" + "A" * 31, "whsec_" + "A" * 92, "whsec_" + "A" * 29 + "===", "whsec_" + "A" * 31 + "-"):
        assert "WEBHOOK_SECRET must be whsec_" in notify(budgets, receiver, "--test", status=78, WEBHOOK_SECRET=wrong).stderr
    assert "set WEBHOOK_URL" in notify(budgets, receiver, "--once", status=78, WEBHOOK_URL="", WEBHOOK_SECRET="").stderr


def test_an_erasure_ends_the_budgets_of_the_user_and_replaces_the_id_in_events(budgets, receiver):
    user = 'é"\\u'
    add(budgets, "one", "--credits", "1", "--user", user, "--every", "day", "--thresholds", "100")
    add(budgets, f"of {user}", "--credits", "1", "--user", user, "--every", "day", "--from", instant_text(now() + DAY))
    Poster(budgets)({"message_id": 1, "user_id": user, "input_tokens": 1})
    receiver.statuses.append(500)
    notify(budgets, receiver, "--once", status=1)
    printed = control(budgets, "erase", "user", user)
    assert "1 attribution with 1 record, 0 texts, 0 keys, 2 budgets" in printed
    assert "not changed: name of a budget has the id 1 time" in printed and "ended 2 budgets, removed 0 texts" in printed
    assert shown(budgets) == [] and "error" not in control(budgets, "budgets", "list")
    budgets.psql("UPDATE budget_event SET next_attempt_at = now()")
    notify(budgets, receiver, "--once")
    before, after = (json.loads(body)["data"]["budget"]["user_id"] for _, body, *_ in receiver.events)
    assert before == user and re.fullmatch("erased-[0-9a-f]{12}", after)


def test_the_receiver_of_the_examples_verifies_what_it_prints(budgets, receiver):
    with open(budgets.folder / "receiver.log", "w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-B", REPOSITORY / "deploy/examples/webhook_receiver.py"], stdout=log, stderr=log,
            env=os.environ | {"WEBHOOK_SECRET": SECRET, "PORT": "0"})
        try:
            def port():
                listening = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True).stdout
                return re.search(rf"127\.0\.0\.1:(\d+) .*pid={process.pid},", listening)
            budgets.wait(port)
            url = f"http://localhost:{port()[1]}/"
            add(budgets, "all", "--credits", "1", "--every", "day", "--thresholds", "100")
            Poster(budgets)({"message_id": 1, "input_tokens": 1})
            notify(budgets, receiver, "--once", WEBHOOK_URL=url)
            other = "whsec_" + base64.b64encode(bytes(24)).decode()
            assert "status 401" in notify(budgets, receiver, "--test", status=1, WEBHOOK_URL=url, WEBHOOK_SECRET=other).stderr
        finally:
            process.terminate()
            process.wait(30)
    assert re.fullmatch(
        r"[0-9a-f-]{36} budget\.threshold_crossed \{'budget': \{'name': 'all', .*\}, 'threshold': 100\}",
        [line for line in (budgets.folder / "receiver.log").read_text().splitlines() if "HTTP/1" not in line][0])


class History:
    """Budgets of one user and one team, their records, and what must have been reported."""

    def __init__(self, rng, number, today):
        self.rng, self.user, self.team, self.today = rng, f"u{number}", f"t{number}", today
        self.records, self.budgets, self.expected = [], [], set()
        for index in range(rng.randint(1, 3)):
            every = rng.choice(["day", "week", "month"])
            target = rng.choice([{"user": self.user}, {"team": self.team}])
            begins = today - rng.randint(0, 80 * DAY)
            budget = Budget(
                f"h{number}-{index}", rng.choice([100, 999, 12_345, 300_000]), every, rng.choice(ZONES), begins=begins,
                month_start=rng.randint(1, 28) if every == "month" else 1, thresholds=sorted(rng.sample(range(1, 200), rng.randint(1, 4))),
                **target)
            # Not before it begins: it could have been added later.
            budget.added = today - rng.randint(0, 80 * DAY)
            self.budgets.append(budget)

    def more(self, first):
        """Some more records and corrections, many of them around local midnights."""
        rng, new = self.rng, []
        for number in range(rng.randint(0, 4)):
            at = self.today - rng.randint(0, rng.choice([2, 10, 90]) * DAY)
            if rng.random() < 0.5:
                at = at - at % (900 * 1_000_000) + rng.choice([-1, 0, 1])
            new.append(Record(first + number, at, None, rng.choice([100, 101, 4000, 77_777]),
                              user_id=rng.choice([None, self.user]), team_id=rng.choice([None, self.team])))
        for number in range(rng.randint(0, 2) if self.records else 0):
            record = rng.choice([r for r in self.records if "corrects" not in r.more])
            left = record.hundredths + sum(r.hundredths for r in self.records + new if r.more.get("corrects") == record.message_id)
            if left > 0:
                new.append(Record(first + 50 + number, rng.randint(record.microseconds, self.today), None, -rng.randint(1, left),
                                  corrects=record.message_id, reason="r", **record.more))
        self.records += new
        return new

    def end(self, at):
        """Ends a budget, perhaps."""
        budget = self.rng.choice(self.budgets)
        if self.rng.random() < 0.2 and budget.ends is None and budget.begins < at:
            budget.ends = at
            return budget
        return None

    def look(self, at):
        """What a look at this time reports."""
        for budget in self.budgets:
            last = min(at, budget.ends - 1) if budget.ends else at
            if budget.begins > at:
                continue
            period = budget.period(last)
            while True:
                start, end = period
                is_late = end <= max(budget.added, at - 35 * DAY)
                is_cut = budget.ends and budget.ends <= at and end > budget.ends
                if not is_late and not is_cut:
                    used = budget.used(period, self.records)
                    self.expected |= {(budget.name, start, threshold) for threshold in budget.crossed(used)}
                if start <= budget.begins or end <= at - 35 * DAY:
                    break
                period = budget.period(start - 1)


def check_histories(site, receiver, seed, count, looks=5):
    """As many histories at once, of which each has users and teams of its own."""
    rng = random.Random(seed)
    site.psql("TRUNCATE usage_record RESTART IDENTITY; TRUNCATE budget RESTART IDENTITY CASCADE; TRUNCATE usage_attribution")
    receiver.events.clear()
    histories = [History(rng, number, now() - MINUTE) for number in range(count)]
    rows = ",".join(
        f"('{b.name}', '{b.user or ''}', '{b.team or ''}', {b.hundredths}, '{b.every}', {b.month_start}, '{b.zone}', '{instant_text(b.begins)}'::timestamptz,"
        f" '{instant_text(b.added)}'::timestamptz, '{{{','.join(map(str, b.thresholds))}}}'::smallint[])" for h in histories for b in h.budgets)
    site.psql("INSERT INTO budget (name, user_id, team_id, credit_hundredths, every, month_start, zone_id, begins_at, added_at, thresholds)"
              " SELECT b.name, user_id, team_id, hundredths, every, month_start, zone_id, begins, added, thresholds FROM usage_zone JOIN"
              f" (VALUES {rows}) AS b(name, user_id, team_id, hundredths, every, month_start, zone, begins, added, thresholds) ON zone = usage_zone.name")
    for look in range(looks):
        new = [record for number, history in enumerate(histories) for record in history.more(number * 10_000 + look * 100 + 1)]
        psql(site.url, insert(new))
        if rng.random() < 0.5:
            control(site, "rollup", "merge")
        ended = [budget for history in histories if look and (budget := history.end(now()))]
        for budget in ended:
            site.psql(f"UPDATE budget SET ends_at = now() WHERE name = '{budget.name}'")
            budget.ends = int(site.psql(f"SELECT floor(extract(epoch FROM ends_at) * 1000000) FROM budget WHERE name = '{budget.name}'"))
        notify(site, receiver, "--once")
        at = now()
        for history in histories:
            history.look(at)
        found = crossings(receiver)
        expected = {crossing for history in histories for crossing in history.expected}
        assert set(found) == expected, (seed, look, set(found) ^ expected)
    uses = {b["name"]: b for b in shown(site, "/budgets?ended=true")}
    at = now()
    for budget, history in ((budget, history) for history in histories for budget in history.budgets):
        model = budget.shown(history.records, at - at % MINUTE + MINUTE - 1)
        assert parsed(uses[budget.name]) | {"projected": 0} == model | {"projected": 0}, (seed, budget.name)
    return len(expected)


def test_events_of_random_histories_equal_a_model(budgets, receiver):
    assert check_histories(budgets, receiver, 1, 50) > 0


@pytest.mark.full
def test_events_of_many_random_histories_equal_a_model(budgets, receiver):
    histories = int(os.environ.get("HISTORIES", "1000"))
    events = sum(check_histories(budgets, receiver, seed, 200) for seed in range(100, 100 + histories // 200))
    print(f"measured: {histories} random histories: {events} events, and what is used, equal the model")


class Notifier:
    """`orbitalctl notify`, which runs until it is killed."""

    def __init__(self, site, receiver):
        self.site, self.receiver, self.process = site, receiver, None
        self.log = open(site.folder / "notify.log", "ab")
        self.start()

    def start(self):
        self.process = subprocess.Popen([BUILT / "orbitalctl", "notify"], env=environment(self.site, self.receiver), stderr=self.log,
                                        stdout=self.log)

    def kill(self, signal=signal.SIGKILL):
        self.process.send_signal(signal)
        self.process.wait(30)

    def wait_for(self, count, seconds=60):
        """Until so many events are confirmed."""
        end = time.monotonic() + seconds
        while len(self.receiver.confirmed()) < count:
            assert time.monotonic() < end, (len(self.receiver.confirmed()), count)
            time.sleep(0.02)


@pytest.fixture
def notifier(budgets, receiver):
    notifier = Notifier(budgets, receiver)
    yield notifier
    notifier.kill(signal.SIGTERM)
    notifier.log.close()


def test_events_arrive_within_seconds_of_the_commit(budgets, receiver, notifier):
    post, times = Poster(budgets), []
    for number in range(5):
        add(budgets, f"b{number}", "--credits", "1", "--user", f"u{number}", "--every", "day", "--thresholds", "100")
        post({"message_id": number, "user_id": f"u{number}", "input_tokens": 1})
        times.append(time.monotonic())
        notifier.wait_for(number + 1)
    delays = [arrived - committed for (*_, arrived), committed in zip(receiver.events, times)]
    assert max(delays) < 10, delays
    print(f"measured: events arrive within {max(delays):.1f} s")


@pytest.mark.parametrize("end, seconds", [
    (signal.SIGKILL, 5), pytest.param(signal.SIGSTOP, 25, marks=pytest.mark.full)])
def test_an_event_whose_first_attempt_was_interrupted_is_sent_soon(budgets, receiver, end, seconds):
    receiver.delay = 3
    first = Notifier(budgets, receiver)
    add(budgets, "all", "--credits", "1", "--every", "day", "--thresholds", "100")
    Poster(budgets)({"message_id": 1, "input_tokens": 100})
    start = time.monotonic()
    while "1 crossed threshold" not in (budgets.folder / "notify.log").read_text() or budgets.psql("SELECT attempts FROM budget_event") != "1":
        assert time.monotonic() < start + 10
        time.sleep(0.02)
    first.process.send_signal(end)
    receiver.delay, begin = 0, time.monotonic()
    second = Notifier(budgets, receiver)
    try:
        while budgets.psql("SELECT delivered_at IS NOT NULL, attempts FROM budget_event") != "t|2":
            assert time.monotonic() < begin + seconds
            time.sleep(0.05)
    finally:
        for each in (first, second):
            each.kill()
            each.log.close()
    # Its bytes had left before it was interrupted.
    assert len(receiver.confirmed()) == 1


def test_others_go_on_during_a_long_attempt_and_an_erasure_waits_for_its_end(budgets, receiver):
    receiver.delay = 4
    add(budgets, "all", "--credits", "1", "--user", "u-secret", "--every", "day", "--thresholds", "50,100")
    Poster(budgets)({"message_id": 1, "input_tokens": 100, "user_id": "u-secret"})
    first = Notifier(budgets, receiver)
    try:
        begin = time.monotonic()
        while budgets.psql("SELECT count(*) FROM budget_event WHERE attempts = 1") != "1":
            assert time.monotonic() < begin + 10
            time.sleep(0.02)
        # The other event, beside the attempt.
        assert "retrying 1 event" in notify(budgets, receiver, "--once", "--retry").stdout
        budgets.psql("UPDATE budget_event SET attempts = 0, delivered_at = NULL, next_attempt_at = now()")
        time.sleep(0.5)
        control(budgets, "erase", "user", "u-secret", "--yes")
        erased = time.monotonic()
        while budgets.psql("SELECT count(*) FROM budget_event WHERE delivered_at IS NULL") != "0":
            assert time.monotonic() < begin + 40
            time.sleep(0.05)
    finally:
        first.kill()
        first.log.close()
    assert all("u-secret" not in body for _, body, _, arrived in receiver.events if arrived > erased + 0.1)
    assert any("erased-" in body for _, body, _, _ in receiver.events)


def test_the_next_attempt_is_planned_from_the_end_of_the_one_that_failed(budgets):
    add(budgets, "all", "--credits", "1", "--every", "day", "--thresholds", "100")
    assert budgets.psql("""
        INSERT INTO budget_event (budget_id, period_start, threshold, body) SELECT budget_id, now(), 100, '{}' FROM budget;
        SELECT attempts FROM take_budget_event();
        BEGIN;
        SELECT pg_sleep(1);
        SELECT settled.next_attempt_at BETWEEN clock_timestamp() + interval '4.5 seconds' AND clock_timestamp() + interval '5 seconds'
        FROM budget_event AS event, settle_budget_event(event.event_id, 'timeout') AS settled;
        COMMIT;
        """).split() == ["1", "t"]


def kill_postgres(site):
    """Kills the postmaster, and starts it again as soon as its backends have gone."""
    pid = int(pathlib.Path(site.postgres, "data/postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 60
    # As long as its process is there, `cluster start` sees a server that runs.
    while pathlib.Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end
        time.sleep(0.005)
    while True:
        try:
            return cluster("start", site.postgres, "fsync=off")
        except subprocess.CalledProcessError:
            assert time.monotonic() < end


def check_kills(site, receiver, notifier, seed, kills):
    """Kills the notifier, the responder, PostgreSQL or its backends, while messages are recorded."""
    rng = random.Random(seed)
    post = Poster(site)
    expected = set()
    for number in range(20):
        add(site, f"b{number}", "--credits", "1000", "--user", f"u{number}", "--every", "month", "--thresholds",
            ",".join(map(str, range(5, 55, 5))))
    used, committed = collections.Counter(), {}
    for number in range(kills):
        user = f"u{rng.randint(0, 19)}"
        message, end = {"message_id": number, "user_id": user, "input_tokens": rng.choice([25, 50, 100])}, time.monotonic() + 60
        while time.monotonic() < end:
            try:
                status, answer = post(message)
            except (OSError, http.client.HTTPException):
                post = Poster(site, post.key)
                continue
            if status in (200, 201):
                break
            time.sleep(0.05)
        assert status in (200, 201), answer
        before, used[user] = used[user], used[user] + round(answer["credits_used"] * 100)
        committed |= {(f"b{user[1:]}", t): time.monotonic() for t in range(5, 55, 5) if before < t * 1000 <= used[user]}
        time.sleep(rng.choice([0, 0.01, 0.1, 0.5]))
        what = rng.random()
        if rng.random() < 0.3:
            receiver.statuses.append(503)
        if what < 0.6:
            notifier.kill()
            notifier.start()
        elif what < 0.8:
            psql(site.url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
        elif what < 0.85:
            kill_postgres(site)
        else:
            site.responder.kill()
            site.responder.wait(30)
            site.serve(BUILT / "orbital-fcgi")
    for user, hundredths in used.items():
        expected |= {(f"b{user[1:]}", t) for t in range(5, 55, 5) if hundredths >= t * 1000}
    receiver.statuses.clear()
    # An event that has failed four times would wait for ten minutes.
    notify(site, receiver, "--once", "--retry")
    end = time.monotonic() + 120
    while {(name, threshold) for name, _, threshold in crossings(receiver)} != expected:
        assert time.monotonic() < end, expected ^ {(name, threshold) for name, _, threshold in crossings(receiver)}
        time.sleep(0.1)
    # Until the first attempt: where the receiver answers 503, the next one is planned.
    arrived = {}
    for _, body, _, instant in receiver.events:
        data = json.loads(body)["data"]
        arrived.setdefault((data["budget"]["name"], data["threshold"]), instant)
    delays = sorted(arrived[crossing] - committed[crossing] for crossing in expected)
    p99 = delays[math.ceil(0.99 * len(delays)) - 1]
    assert p99 < 10, delays
    return f"{kills} kills: {len(expected)} events, none missed, none doubled; the first attempts {p99:.1f} s after the commit (p99)"


@pytest.fixture
def killed(tmp_path_factory, receiver):
    """A site of its own, with PostgreSQL, and its notifier."""
    site = Service(tmp_path_factory.mktemp("killed"), records=0, environment={"CONFIG_ENV": "test"})
    notifier = Notifier(site, receiver)
    yield site, receiver, notifier
    notifier.kill(signal.SIGTERM)
    notifier.log.close()
    site.stop()


def test_kills_lose_and_double_no_event(killed):
    check_kills(*killed, 1, 20)


@pytest.mark.full
def test_many_kills_lose_and_double_no_event(killed):
    kills = int(os.environ.get("KILLS", "200"))
    print("measured:", check_kills(*killed, 2, kills))
