"""Closing a year while readers, writers and senders of retries continue."""
import json
import subprocess

import pytest
from service import REPOSITORY


@pytest.mark.parametrize("records", [20_000, pytest.param(300_000, marks=pytest.mark.full)])
def test_a_year_is_closed_under_load_and_no_sum_changes_and_no_retry_is_charged(records):
    done = subprocess.run(
        ["python3", "-B", REPOSITORY / "Tests/load/close.py", str(records)], cwd=REPOSITORY, check=True,
        capture_output=True, text=True)
    found = json.loads(done.stdout)
    print(found)
    assert found["status"] == 0
    assert found["sums that readers saw"] == 1 and found["groups are equal"] and found["the copy has the same sums"]
    assert found["closed records left"] == 0
    assert found["import"][0] == f"created {records}, duplicates 0, conflicts 0, invalid 0"
    # Only the admission gate may refuse a request, of any kind: if the closing's lock, or a busy machine, delays all
    # permits by a quarter of a second. The client sends it again, and then it is not known yet.
    assert set(found["503"]) <= {"All workers for the database are busy."}
    assert set(found["statuses"]["read"]) == {"200"}
    assert set(found["statuses"]["write"]) == {"201"}
    # Before the line is in force, another message with the id is a conflict.
    assert set(found["statuses"]["retry"]) <= {"409", "422"} and found["statuses"]["retry"]["422"] >= 20
    assert found["written, recorded"][0] == found["written, recorded"][1]
