"""Commands that may read all records, on a slow server."""

import subprocess
import time

import pytest
from orbital import Psql
from service import BUILT


@pytest.fixture
def locker(site):
    """Has locked the records: stands for a statement that takes long."""
    locker = Psql(site.url)
    locker.run("BEGIN; LOCK TABLE usage_record")
    yield locker
    locker.process.kill()
    locker.process.wait()


@pytest.mark.parametrize("words", [["verify"], ["export"], ["drift", "--from=2024-01-01", "--to=2024-02-01"]])
def test_a_command_that_reads_all_records_may_take_longer_than_a_request(site, locker, words):
    command = subprocess.Popen(
        [BUILT / "orbitalctl", *words], env=site.environment | {"DATABASE_WAIT_SECONDS": "1"}, stdout=subprocess.PIPE)
    end = time.monotonic() + 60
    while site.psql(f"""SELECT count(*) FROM pg_stat_activity WHERE application_name = 'orbitalctl {words[0]}'
            AND wait_event_type = 'Lock' AND query_start < clock_timestamp() - interval '3 s'""") != "1":
        assert command.poll() is None, "it gave up"
        assert time.monotonic() < end, "it does not wait for the lock"
        time.sleep(0.01)
    locker.run("COMMIT")
    assert command.communicate()[0] and command.returncode == 0
