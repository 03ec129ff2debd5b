"""year.py URL [RECORDS]: fills an empty, migrated database with a year of records (default 1,000,000).

20,000 attributions (1,000 users, 20 models, 12 teams, one or two tags), 1,000 report names, all skewed; 60 % of the
records have no report name, a tenth has the minimum price. Message ids and times ascend together. The records have
reported tokens and no text, and their prices pass `orbitalctl verify`. Fires no triggers, so rollups must be rebuilt."""

import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from orbital import psql  # noqa: E402

FIRST = "2025-01-01"
USERS, MODELS = 1000, 20

# One after the other in order of user and model: a record can compute the number of its attribution.
ATTRIBUTIONS = f"""
    SELECT usage_attribution('user-' || user_number, 'team-' || user_number % 12, 'model-' || model_number,
        jsonb_build_object('env', CASE WHEN user_number % 10 = 0 THEN 'test' ELSE 'prod' END)
        || CASE WHEN model_number % 2 = 0 THEN jsonb_build_object('feature', 'feature-' || user_number % 7)
            ELSE '{{}}' END)
    FROM generate_series(0, {USERS - 1}) AS user_number, generate_series(0, {MODELS - 1}) AS model_number
    ORDER BY user_number, model_number"""

# Indexes are created after the load, and triggers get their former state back.
SAVE = """
    CREATE TEMP TABLE saved_index AS
    SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
    WHERE indrelid = 'usage_record'::regclass AND NOT indisprimary;
    CREATE TEMP TABLE saved_trigger AS
    SELECT format('ALTER TABLE usage_record %s TRIGGER %I', CASE tgenabled
        WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'D' THEN 'DISABLE' ELSE 'ENABLE' END, tgname)
        AS statement
    FROM pg_trigger WHERE tgrelid = 'usage_record'::regclass AND NOT tgisinternal;
    DO $$ BEGIN EXECUTE (SELECT 'DROP INDEX ' || string_agg(name, ', ') FROM saved_index); END $$;
    ALTER TABLE usage_record DISABLE TRIGGER USER;"""

# A tenth has one or two tokens, which cost less than the minimum.
RECORDS = """
    INSERT INTO usage_record (message_id, "timestamp", report_name, attribution_id, recorded_at, input_tokens,
        output_tokens, cache_read_input_tokens, credit_rate_id, credit_hundredths)
    SELECT n, '{first}Z'::timestamptz + (n - 1) * (interval '1 s' * {spacing}),
        CASE WHEN report < 0.4 THEN 'Report ' || floor(1000 * (report / 0.4) ^ 3) END,
        1 + {models} * floor({users} * person ^ 3)::int + floor({models} * model ^ 2)::int,
        '{first}Z'::timestamptz + batch * 1000 * (interval '1 s' * {spacing}),
        input, output, CASE WHEN n % 2 = 0 THEN input / 4 END, 1, greatest(100, 40 * (input + output))
    FROM (
        SELECT batch, batch * 1000 + generate_series(1, 1000) AS n, random() AS report, random() AS person,
            random() AS model, random() AS size, random() AS length
        FROM generate_series(0, {batches} - 1) AS batch
    ) AS generated, LATERAL (
        SELECT floor(CASE WHEN size < 0.1 THEN 1 + size * 20 ELSE 500 + size * 3000 END)::int AS input,
            floor(CASE WHEN size < 0.1 THEN 0 ELSE length * 900 END)::int AS output) AS tokens;"""

RESTORE = """
    DO $$ DECLARE saved text; BEGIN
        FOR saved IN SELECT statement FROM saved_trigger UNION ALL SELECT definition FROM saved_index LOOP
            EXECUTE saved;
        END LOOP;
    END $$;
    SELECT setval(pg_get_serial_sequence('usage_record', 'message_id'), {count});"""


def fill_year(url, count):
    """Only thousands; one transaction, in which TRUNCATE raises the revision."""
    assert count % 1000 == 0, count
    values = {"first": FIRST, "spacing": 365 * 86400 / count, "batches": count // 1000, "count": count,
              "users": USERS, "models": MODELS}
    psql(url, "BEGIN; SET LOCAL maintenance_work_mem = '1GB'; SELECT setseed(0.5); TRUNCATE usage_record;"
         "TRUNCATE usage_attribution RESTART IDENTITY;"
         + ATTRIBUTIONS + ";" + SAVE + RECORDS.format(**values) + RESTORE.format(**values)
         + "COMMIT; VACUUM (ANALYZE) usage_attribution, usage_record; CHECKPOINT;")


def main(url, count="1000000"):
    begin = time.monotonic()
    fill_year(url, int(count))
    print(f"{int(count):,} records in {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
