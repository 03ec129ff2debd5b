"""Commands that may read all records, on a slow server."""

import subprocess
import threading
import time

import pytest
from orbital import Psql
from service import BUILT
from test_privacy import eventually


def control(site, *words, timeout=None):
    return subprocess.run([BUILT / "orbitalctl", *words], env=site.environment, check=True, stdout=subprocess.PIPE, text=True,
                          timeout=timeout).stdout


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


def test_a_rebuild_of_rollups_ends_although_writers_write_faster_than_it_merges(start_site):
    site, ends = start_site(), threading.Event()
    # Each zone makes a merge slower, but no write.
    for zone in ("Asia/Tokyo", "Asia/Kolkata", "America/New_York", "Europe/London", "Australia/Sydney"):
        control(site, "rollup", "zones", "add", zone)
    site.psql("""INSERT INTO usage_record (message_id, "timestamp", message_text)
        SELECT n, '2024-01-01Z'::timestamptz + n * interval '15 minutes', 'x' FROM generate_series(1, 5000) AS n""")

    def write():
        session = Psql(site.url, stops=False)
        while not ends.is_set():
            session.run("UPDATE usage_record SET credit_rate_id = NULL, credit_hundredths = credit_hundredths + 1")
        session.close()
    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    try:
        eventually(lambda: int(site.psql("SELECT count(*) FROM usage_delta")) > 20_000)
        control(site, "rollup", "rebuild", timeout=300)
        control(site, "rollup", "merge", timeout=300)
    finally:
        ends.set()
        for writer in writers:
            writer.join()
    assert "0 differences" in control(site, "verify")
