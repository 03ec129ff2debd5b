"""Takes back credits: over HTTP, with orbitalctl and with plain SQL; what is left, retries, bounds, sums and copies."""

import concurrent.futures
import json
import random
import subprocess

import pytest
from orbital import Client, psql
from service import BUILT
from test_retries import Poster

TIME = "2026-01-15T10:00:00Z"
FULL = {"message_id": 1, "external_id": "chatcmpl-1", "timestamp": TIME, "report_name": "r", "user_id": "u", "team_id": "t",
        "model": "m", "tags": {"env": "prod"}, "input_tokens": 100}
SCOPES = ("usage:read", "usage:write", "usage:correct")


class Corrector(Poster):
    def __init__(self, site, bounds=()):
        self.client, self.key = Client(site.site), site.key(*SCOPES, bounds=bounds)

    def correct(self, message_id, body, **fields):
        return self(body, f"/usage/{message_id}/correction", **fields)

    def get(self, path):
        response = self.client.get(path, Authorization=f"Bearer {self.key}")
        return response.status, json.loads(response.body)


@pytest.fixture
def post(site):
    site.psql("TRUNCATE usage_attribution")
    yield Corrector(site)
    assert " error " not in site.log()


def names(answer):
    return [(fault["name"], fault["code"]) for fault in answer.get("errors", [])]


def control(site, *words, input=None, status=0):
    done = subprocess.run([BUILT / "orbitalctl", *words], env=site.environment, input=input, capture_output=True, text=True)
    assert done.returncode == status, done
    return done.stdout


def complaint(site, *words):
    done = subprocess.run([BUILT / "orbitalctl", *words], env=site.environment, capture_output=True, text=True)
    assert done.returncode == 64, done
    return done.stderr


def complaints(site):
    return control(site, "verify", status=1)


def refused(site, statement):
    """What psql says about a statement; empty if it succeeds."""
    done = subprocess.run(["psql", "-XqAt", site.url, "-c", statement], capture_output=True, text=True)
    assert (done.returncode == 0) == (done.stderr == ""), done
    return done.stderr


def verified(site):
    return control(site, "verify").splitlines()[-1]


def test_a_part_and_then_the_rest_of_a_record_are_taken_back(site, post):
    assert post(FULL)[0] == 201
    status, part = post.correct(1, {"reason": "wrong model", "credits_used": 10.5, "external_id": "c1"})
    assert status == 201 and list(part) == ["message_id", "external_id", "timestamp", "report_name", "user_id", "team_id", "model",
                                            "tags", "corrects", "reason", "credits_used"]
    assert (part["corrects"], part["reason"], part["credits_used"], part["tags"]) == (1, "wrong model", -10.5, {"env": "prod"})
    assert post.correct(1, {"reason": "wrong model", "credits_used": 10.5, "external_id": "c1"}) == (200, part | {"status": "duplicate"})
    status, rest = post.correct(1, {"reason": "rest", "timestamp": "original"})
    assert (status, rest["timestamp"], rest["credits_used"]) == (201, TIME, -29.5)
    # Nothing is left: the last correction is the answer, whatever the reason.
    assert post.correct(1, {"reason": "again"}) == (200, rest | {"status": "duplicate"})
    assert post.correct(1, {"reason": "again", "external_id": "c2"})[0] == 409
    shown = post.get("/usage/1")[1]
    assert shown["credits_used"] == 40 and list(shown["receipt"])[-1] == "corrections"
    assert shown["receipt"]["corrections"] == [
        {"message_id": rest["message_id"], "timestamp": TIME, "reason": "rest", "credits_used": -29.5},
        {name: part[name] for name in ("message_id", "timestamp", "reason", "credits_used")}]
    assert post.get(f"/usage/{part['message_id']}") == (200, part | {"receipt": {"priced_by": "correction"}})
    assert verified(site) == "verified 3 records, 0.00 credits: 0 differences; 2 corrections"


def test_sums_count_corrections_apart_from_messages(site, post):
    post([FULL, FULL | {"message_id": 2, "external_id": "2", "user_id": "v", "report_name": None}])
    post.correct(1, {"reason": "x", "timestamp": "original"})
    post.correct(2, {"reason": "x", "credits_used": 1, "external_id": "c", "timestamp": "original"})
    for merge in (False, True):
        if merge:
            control(site, "rollup", "merge")
        _, sums = post.get("/usage/summary?from=2026-01-15&to=2026-01-16&group_by=user_id")
        assert sums["totals"] == {"messages": 2, "reports": 1, "credits_used": 39.0, "input_tokens": 200, "corrections": 2}
        assert [group | {"series": 0} for group in sums["groups"]] == [
            {"user_id": "v", "messages": 1, "reports": 0, "credits_used": 39.0, "input_tokens": 100, "corrections": 1, "series": 0},
            {"user_id": "u", "messages": 1, "reports": 1, "credits_used": 0.0, "input_tokens": 100, "corrections": 1, "series": 0}]
        assert post.get("/usage/summary")[1]["by_report"] == [
            {"report_name": "r", "messages": 1, "credits_used": 0.0}, {"messages": 1, "credits_used": 39.0}]
        assert post.get("/usage/attributions?of=user_id")[1]["values"] == [
            {"value": "v", "messages": 1, "credits_used": 39.0}, {"value": "u", "messages": 1, "credits_used": 0.0}]
    assert len(post.get("/usage?is_correction=true")[1]["usage"]) == 2
    assert {record["message_id"] for record in post.get("/usage?is_correction=false")[1]["usage"]} == {1, 2}
    assert post.get("/usage/summary?is_correction=true")[1]["totals"] == {
        "messages": 0, "reports": 0, "credits_used": -41.0, "corrections": 2}


def test_a_correction_of_a_part_without_an_id_is_refused_because_a_retry_would_be_another(post):
    post(FULL)
    status, answer = post.correct(1, {"reason": "x", "credits_used": 1})
    assert (status, names(answer)) == (422, [("external_id", "missing")])
    status, first = post.correct(1, {"reason": "x", "credits_used": 1}, **{"Idempotency-Key": '"k 1"'})
    assert status == 201 and first["external_id"].endswith(":k 1")
    assert post.correct(1, {"reason": "x", "credits_used": 1}, **{"Idempotency-Key": "k 1"}) == (200, first | {"status": "duplicate"})


@pytest.mark.parametrize("change", [{"reason": "y"}, {"credits_used": 2}, {"timestamp": "original"}])
def test_another_correction_with_the_same_id_is_a_conflict(post, change):
    post(FULL)
    body = {"reason": "x", "credits_used": 1, "external_id": "c1"}
    assert post.correct(1, body)[0] == 201
    status, answer = post.correct(1, body | change)
    assert (status, names(answer)) == (409, [("external_id", "conflict")])
    status, answer = post.correct(1, body | {"external_id": FULL["external_id"]})
    assert (status, names(answer)) == (409, [("external_id", "conflict")])


def test_more_than_what_is_left_a_correction_and_an_unknown_record_are_refused(site, post):
    post(FULL)
    status, answer = post.correct(1, {"reason": "x", "credits_used": 40.01, "external_id": "c1"})
    assert status == 409 and answer["errors"][0]["message"] == "credits_used must be at most 40.00."
    correction = post.correct(1, {"reason": "x"})[1]["message_id"]
    assert post.correct(correction, {"reason": "x"})[0] == 409
    assert post.correct(99, {"reason": "x"})[0] == 404
    assert post.correct("1a", {"reason": "x"})[0] == 404
    psql(site.url, f"""INSERT INTO usage_record (message_id, "timestamp", message_text, credit_hundredths) VALUES (9, '{TIME}', 'x', 0)""")
    assert post.correct(9, {"reason": "x"})[0] == 409


def test_every_fault_of_a_correction_is_reported_at_once(post):
    post(FULL)
    status, answer = post.correct(1, {"reason": "", "credits_used": 0, "timestamp": TIME, "user_id": "u", "external_id": ""})
    assert status == 422 and sorted(names(answer)) == [
        ("credits_used", "wrong_type"), ("external_id", "malformed"), ("reason", "malformed"), ("timestamp", "malformed"),
        ("user_id", "unknown_member")]
    assert names(post.correct(1, {})[1]) == [("reason", "missing")]
    assert names(post.correct(1, {"reason": None})[1]) == [("reason", "missing")]
    assert post.correct(1, [{"reason": "x"}])[0] == 400
    assert post.correct(1, b"{")[0] == 400
    assert post.correct(1, {"reason": "x"}, type="application/x-ndjson")[0] == 415
    assert names(post.correct(1, {"reason": "x" * 501})[1]) == [("reason", "too_long")]


def test_correcting_needs_its_scope_and_a_record_within_the_bounds_of_the_key(site, post):
    post(FULL)
    plain = Poster(site)
    assert plain({"reason": "x"}, "/usage/1/correction")[0] == 403
    other, own = (Corrector(site, ("--user", user)) for user in ("v", "u"))
    assert other.correct(1, {"reason": "x"})[0] == 404
    assert own.correct(1, {"reason": "x"})[0] == 201
    assert other.get("/usage/summary")[1]["totals"]["credits_used"] == 0


def test_the_corrections_of_a_record_never_exceed_its_credits_if_64_come_at_once(site, post):
    for number in range(1, 6):
        post(FULL | {"message_id": number, "external_id": f"m{number}", "input_tokens": 1000 * number})

    def work(number):
        rng, corrector, statuses = random.Random(number), Corrector(site), []
        for turn in range(6):
            body = {"reason": "x", "external_id": f"c{number % 48}-{turn}"}
            # Some have the ids of others, and all are sent twice.
            if number % 48 % 3:
                body["credits_used"] = 1 + 37 * (number % 48 + turn)
            target = 1 + (number + turn) % 48 % 5
            for _ in range(2):
                while (answer := corrector.correct(target, body))[0] == 503:
                    pass
                statuses.append(answer[0])
        corrector.client.close()
        return statuses
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        statuses = [status for list in pool.map(work, range(64)) for status in list]
    assert set(statuses) <= {200, 201, 409} and {200, 201, 409} <= set(statuses), set(statuses)
    left = site.psql("""SELECT min(left_of), count(*) FROM (SELECT usage_credits_left(record) AS left_of
        FROM usage_record AS record WHERE corrects IS NULL) AS sums""")
    assert int(left.split("|")[0]) >= 0 and left.split("|")[1] == "5"
    assert site.psql("SELECT count(*) FROM usage_record WHERE corrects IS NOT NULL") == str(statuses.count(201))
    assert "0 differences" in verified(site)


@pytest.mark.parametrize("statement, fault", [
    ("(2, 1, 'x', -4001)", "cannot exceed its credits"), ("(2, 1, 'x', 4)", "usage_record_credit_hundredths_check"),
    ("(2, 1, NULL, -4)", "usage_record_correction_check"), ("(2, NULL::bigint, NULL, -4)", "usage_record_credit_hundredths_check"),
    ("(2, 2, 'x', -4)", "usage_record_correction_check"), ("(2, 1, 'x', -4), (3, 2, 'x', -1)", "a correction cannot be corrected"),
    ("(2, 1, 'x', -3000), (3, 1, 'x', -1001)", "cannot exceed its credits")])
def test_plain_sql_has_the_same_rules(site, post, statement, fault):
    post(FULL)
    insert = lambda values: refused(site, f"""INSERT INTO usage_record (message_id, corrects, reason, credit_hundredths, "timestamp")
        SELECT *, '{TIME}'::timestamptz FROM (VALUES {values}) AS item""")
    assert fault in insert(statement)
    before = """INSERT INTO usage_record (message_id, corrects, reason, credit_hundredths, "timestamp")
        VALUES (7, 1, 'x', -1, '2026-01-15T09:00:00Z')"""
    assert "before its record" in refused(site, before)
    assert insert("(2, 1, 'x', -4000)") == ""
    assert "cannot exceed its credits" in refused(site, "UPDATE usage_record SET credit_hundredths = 3999 WHERE message_id = 1")
    assert "cannot exceed its credits" in refused(site, "UPDATE usage_record SET credit_hundredths = -4001 WHERE message_id = 2")
    site.psql("DELETE FROM usage_record WHERE message_id = 2")
    assert insert("(3, 1, 'x', -4000)") == ""


def test_orbitalctl_corrects_what_filters_match_and_charges_another_price(site, post):
    post([FULL | {"message_id": n, "external_id": f"m{n}", "user_id": "u" if n % 2 else "v"} for n in range(1, 8)])
    post.correct(1, {"reason": "x", "credits_used": 15, "external_id": "c"})
    words = ["correct", "--user-id", "u", "--from", "2026-01-15", "--to", "2026-01-16", "--reason", "wrong price"]
    assert control(site, *words, "--dry-run") == "would correct 4 records by 145.00 credits\n"
    assert verified(site).startswith("verified 8 records, 265.00 credits")
    assert control(site, *words, "--original-time") == "corrected 4 records by 145.00 credits\n"
    assert control(site, *words) == "corrected 0 records by 0.00 credits; nothing was left of 4 other records\n"
    assert "at least one filter" in complaint(site, "correct", "--reason", "x")
    # The same messages at 10.00 credits each, in the same period, under new ids.
    lines = [json.loads(line) for line in control(site, "export").splitlines()]
    again = [record | {"message_id": 100 + record["message_id"], "external_id": f"new {record['message_id']}", "credits_used": 10}
             for record in lines if record.get("user_id") == "u" and "corrects" not in record]
    text = "".join(json.dumps({k: v for k, v in record.items() if k != "rate"}) + "\n" for record in again)
    assert control(site, "import", "--keep-credits", "-", input=text).startswith("created 4,")
    _, sums = post.get("/usage/summary?from=2026-01-15&to=2026-01-16&group_by=user_id")
    # The correction of 15.00 credits was dated when it was made.
    assert {group["user_id"]: group["credits_used"] for group in sums["groups"]} == {"u": 55.0, "v": 120.0}
    assert "0 differences" in verified(site)


def test_an_export_with_corrections_makes_an_equal_copy(site, post, start_site):
    post([FULL, FULL | {"message_id": 2, "external_id": "m2"}])
    post.correct(1, {"reason": "é, \"x\"", "credits_used": 3, "external_id": "c1", "timestamp": "original"})
    post.correct(2, {"reason": "=1+1"})
    copy = start_site()
    for format in ("ndjson", "csv"):
        exported = control(site, "export", "--format", format)
        copy.psql("TRUNCATE usage_record")
        assert control(copy, "import", "--format", format, "--keep-credits", "-", input=exported).startswith("created 4,")
        assert control(copy, "import", "--format", format, "--keep-credits", "-", input=exported).startswith("created 0, duplicates 4,")
        shown = lambda of: of.psql("""SELECT message_id, external_id, "timestamp", corrects, reason, credit_hundredths, user_id
            FROM usage_record JOIN usage_attribution USING (attribution_id) ORDER BY 1""")
        assert shown(copy) == shown(site)
        assert "0 differences" in verified(copy)


def test_one_wrong_correction_does_not_stop_an_import(site, post):
    post(FULL)
    good = [{"message_id": n, "timestamp": TIME, "input_tokens": 100, "credits_used": 40} for n in (11, 12)]
    rows = [*good, {"message_id": 13, "timestamp": TIME, "corrects": 11, "reason": "x", "credits_used": -40.01},
            {"message_id": 14, "timestamp": TIME, "corrects": 12, "reason": "x", "credits_used": -40},
            {"message_id": 15, "timestamp": TIME, "corrects": 14, "reason": "x", "credits_used": -1},
            {"message_id": 16, "timestamp": "2026-01-15T09:00:00Z", "corrects": 1, "reason": "x", "credits_used": -1},
            {"message_id": 17, "timestamp": TIME, "corrects": 500, "reason": "its record is absent", "credits_used": -1},
            {"message_id": 18, "timestamp": TIME, "corrects": 1, "credits_used": -1},
            {"message_id": 19, "timestamp": TIME, "input_tokens": 1, "credits_used": -1}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    assert control(site, "import", "--rejects", "/dev/null", "-", input=text, status=1) == \
        "created 4, duplicates 0, conflicts 0, invalid 5\n"
    assert "0 differences" in verified(site)


def test_a_corrected_estimate_is_not_counted_again(start_site):
    site = start_site()
    control(site, "rates", "first", "--tokenizer", "o200k_base", "--credits-per-100-tokens", "40")
    site.psql(f"""INSERT INTO usage_record (message_id, "timestamp", message_text)
        SELECT n, '{TIME}', repeat('word ', 100) FROM generate_series(1, 2) AS n""")
    site.psql("SELECT correct_usage_record(1, 'x', 100, 'c1')")
    assert control(site, "recount").endswith("0 skipped; 1 record with a correction remains an estimate\n")
    assert site.psql("SELECT count(*) FROM usage_record WHERE token_count IS NULL AND corrects IS NULL") == "1"
    assert "0 differences" in verified(site)


def test_a_closed_record_cannot_be_corrected_and_its_corrections_stay(start_site, tmp_path):
    site = start_site()
    post = Corrector(site)
    control(site, "rollup", "rebuild")
    post([FULL, FULL | {"message_id": 2, "external_id": "m2", "timestamp": "2026-02-15T10:00:00Z"}])
    # One is dated as its record and closed with it, the other one is open.
    assert post.correct(1, {"reason": "x", "credits_used": 3, "external_id": "c1", "timestamp": "original"})[0] == 201
    status, later = post.correct(1, {"reason": "x", "credits_used": 4, "external_id": "c2"})
    assert status == 201
    before = post.get("/usage/summary?granularity=total&from=2026-01-01&to=2027-01-01")[1]["totals"]
    control(site, "close", "--before", "2026-02-01", "--archive", str(tmp_path))
    assert post.get("/usage/summary?granularity=total&from=2026-01-01&to=2027-01-01")[1]["totals"] == before
    for body in ({"reason": "x"}, {"reason": "x", "credits_used": 3, "external_id": "c1"}):
        status, answer = post.correct(1, body)
        assert (status, names(answer)) == (422, [("message_id", "closed")])
    status, answer = post.correct(2, {"reason": "x", "external_id": "c1"})
    assert (status, names(answer)) == (422, [("external_id", "closed")])
    assert "is closed" in refused(site, f"""INSERT INTO usage_record (message_id, corrects, reason, credit_hundredths, "timestamp")
        VALUES (77, 1, 'x', -1, now())""")
    assert [record["message_id"] for record in post.get("/usage?is_correction=true")[1]["usage"]] == [later["message_id"]]
    assert post.correct(2, {"reason": "x"})[0] == 201
    assert "0 differences" in verified(site)
    copy = start_site()
    archive = next(tmp_path.glob("*.ndjson.gz"))
    assert control(copy, "import", str(archive)).startswith("created 2,")
    assert copy.psql("SELECT sum(credit_hundredths) FROM usage_record") == "3700"
    assert "0 differences" in verified(copy)
    post.client.close()


def test_the_id_of_a_correction_is_not_the_one_that_a_sender_counts_up_to(site, post):
    for number in range(1, 5):
        assert post({"message_id": number, "timestamp": TIME, "input_tokens": 100})[0] == 201, number
        assert post.correct(number, {"reason": "x"})[1]["message_id"] > 2**52
    # Also if an import has brought many.
    site.psql(f"""INSERT INTO usage_record (message_id, "timestamp", input_tokens)
        SELECT last_value + n, '{TIME}', 1 FROM usage_correction_id_seq, generate_series(1, 3000) AS n""")
    post({"message_id": 9, "timestamp": TIME, "input_tokens": 100})
    assert 2**52 + 3000 <= post.correct(9, {"reason": "x"})[1]["message_id"] < 2**53


def imported(site, *rows, rejected=0):
    text = "".join(json.dumps({"timestamp": TIME} | row) + "\n" for row in rows)
    return control(site, "import", "--rejects", "/dev/null", "-", input=text, status=1 if rejected else 0).split()[1:8:2]


def test_an_import_prices_messages_before_it_checks_their_corrections(site, post):
    correction = {"message_id": 3, "corrects": 1, "reason": "x", "credits_used": -50}
    rows = {"message_id": 1, "message_text": "0123456789"}, {"message_id": 2, "message_text": "fine"}
    assert imported(site, correction, *rows, rejected=1) == ["2,", "0,", "0,", "1"]
    # A correction of a message that is refused, and of what others leave.
    wrong = {"message_id": 31, "input_tokens": 10, "credits_used": 40}
    assert imported(site, wrong, correction | {"message_id": 33, "corrects": 31, "credits_used": -4}, rejected=2) == ["0,", "0,", "1,", "1"]
    parts = [correction | {"message_id": number, "credits_used": -0.6} for number in (4, 5)]
    assert imported(site, *parts, rejected=1) == ["1,", "0,", "0,", "1"]
    assert "0 differences" in verified(site)


def test_an_imported_correction_has_the_members_of_its_record_whatever_the_file_says(site, post):
    post(FULL)
    row = {"message_id": 63, "corrects": 1, "reason": "x", "credits_used": -1, "user_id": "v"}
    assert imported(site, row) == ["1,", "0,", "0,", "0"]
    assert imported(site, row) == ["0,", "1,", "0,", "0"]
    assert post.get("/usage/63")[1]["user_id"] == "u"


def test_a_correction_that_was_imported_before_its_record_shows_nothing_to_others(site, post):
    assert imported(site, {"message_id": 901, "user_id": "v", "corrects": 900, "reason": "secret", "credits_used": -50}) == ["1,", "0,", "0,", "0"]
    post(FULL | {"message_id": 900, "external_id": "m900"})
    own = Corrector(site, ("--user", "u"))
    assert "secret" not in json.dumps(own.get("/usage/900")[1])
    # More is taken back than there was; that is a conflict and no failure.
    for corrector in (own, post):
        status, answer = corrector.correct(900, {"reason": "x"})
        assert "secret" not in json.dumps(answer) if corrector is own else True
        assert status == (409 if corrector is own else 200)
    assert post.correct(900, {"reason": "x", "credits_used": 1, "external_id": "c"})[0] == 409
    assert control(site, "correct", "--user-id", "u", "--reason", "x").endswith("nothing was left of 1 other record\n")
    assert "message 900: its corrections exceed its credits by 1000 hundredths" in complaints(site)


def test_all_that_is_left_is_not_the_part_that_the_same_id_took_back(post):
    post(FULL)
    assert post.correct(1, {"reason": "x", "credits_used": 10, "external_id": "c1"})[0] == 201
    assert post.correct(1, {"reason": "x", "external_id": "c1"})[0] == 409
    status, rest = post.correct(1, {"reason": "x", "external_id": "c2"})
    assert (status, rest["credits_used"]) == (201, -30)
    assert post.correct(1, {"reason": "x", "external_id": "c2"})[0] == 200


def test_plain_sql_corrects_only_records_that_it_can_see(site, post):
    fault = refused(site, f"""INSERT INTO usage_record (message_id, corrects, reason, credit_hundredths, "timestamp")
        VALUES (70, 7, 'x', -1, '{TIME}')""")
    assert "there is no record 7" in fault
    post([FULL, FULL | {"message_id": 2, "external_id": "m2"}])
    post.correct(1, {"reason": "x"})
    assert "a correction cannot be corrected" in refused(site, """UPDATE usage_record
        SET corrects = 2, reason = 'y', credit_hundredths = -1, input_tokens = NULL, credit_rate_id = NULL WHERE message_id = 1""")
