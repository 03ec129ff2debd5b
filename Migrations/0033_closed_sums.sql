-- migrate:up

-- The sums of closed records. They are taken from the records, month by month: each transaction adds a month
-- to the closed sums and subtracts it from the open ones, so that their total is the same in every snapshot.
SET LOCAL lock_timeout = '300ms';

-- Open levels and deltas have the records from here on; the sums of earlier ones are closed. In PL/pgSQL, which
-- keeps the plan: each statement that calls a function in SQL plans it anew, here in 300,000 instructions.
CREATE OR REPLACE FUNCTION usage_rollup_start() RETURNS timestamptz LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = public, pg_temp AS $$
BEGIN
    RETURN coalesce((SELECT max(summed_before) FROM usage_closing), usage_timestamp_first());
END
$$;

-- A zone that is added later has no sums of closed records.
ALTER TABLE usage_zone ADD COLUMN complete_from timestamptz;

COMMENT ON COLUMN usage_zone.complete_from IS
    'The first instant of which the zone has sums, because earlier ones were closed before it was added';

-- Sets it under the lock of the rollups, for which a zone that is added may wait while a closing moves sums. No
-- default: it would be calculated before the wait. A zone that is built already is restored as it was.
CREATE FUNCTION set_usage_zone_complete_from() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = 0 AS $$
BEGIN
    PERFORM lock_usage_rollups(true);
    NEW.complete_from := nullif(usage_rollup_start(), usage_timestamp_first());
    RETURN NEW;
END
$$;

CREATE TRIGGER usage_zone_complete_from
    BEFORE INSERT ON usage_zone
    FOR EACH ROW WHEN (NOT NEW.is_built) EXECUTE FUNCTION set_usage_zone_complete_from();

-- Closes the sums of the records from `since` to `until`, which are merged. The caller holds the lock of the
-- rollups, and sets summed_before. A missing bucket or value makes the statement fail, because key columns are
-- NOT NULL.
CREATE FUNCTION close_usage_sums(since timestamptz, until timestamptz) RETURNS void LANGUAGE plpgsql
SET search_path = public, pg_temp SET work_mem = '256MB' SET jit = off AS $$
DECLARE
    columns text := 'messages, reports, corrections, credit_hundredths, input_tokens, output_tokens, '
        'cache_read_input_tokens, cache_creation_input_tokens';
    sums text := regexp_replace(columns, '\w+', 'usage_sum(\&) AS \&', 'g');
    added text := regexp_replace(columns, '\w+', '\& = level.\& + EXCLUDED.\&', 'g');
    taken text := regexp_replace(columns, '\w+', '\& = level.\& - part.\&', 'g');
    quarters timestamptz[];
    buckets integer[];
BEGIN
    EXECUTE format($statement$
    WITH record AS MATERIALIZED (
        SELECT quarter, report_name, attribution_id, %2$s FROM usage_records_minus_deltas($1, $2)
        GROUP BY quarter, report_name, attribution_id
    ), quarter_part AS MATERIALIZED (
        SELECT quarter, %2$s FROM record GROUP BY quarter
    ), place AS MATERIALIZED (
        SELECT quarter, bucket_id
        FROM quarter_part CROSS JOIN usage_zone AS zone
            CROSS JOIN (VALUES ('day'), ('month'), ('year')) AS kind(unit)
        LEFT JOIN usage_bucket AS bucket ON bucket.zone_id = zone.zone_id
            AND bucket.unit = kind.unit AND starts_at <= quarter AND quarter < ends_at
    ), attribution_part AS MATERIALIZED (
        SELECT bucket_id, coalesce(attribution_id, 0) AS attribution_id, %2$s
        FROM record JOIN place USING (quarter)
        GROUP BY bucket_id, coalesce(attribution_id, 0)
    ), attributed AS MATERIALIZED (
        SELECT attribution_id, value_id
        FROM usage_attribution AS attribution,
            LATERAL usage_attribution_values(user_id, team_id, model, tags) AS used
            LEFT JOIN usage_value AS known ON known.part = used.part AND known."value" = used."value"
        WHERE attribution_id IN (SELECT attribution_id FROM record)
    ), value_part AS MATERIALIZED (
        SELECT bucket_id, value_id, %2$s FROM attribution_part JOIN attributed USING (attribution_id)
        WHERE usage_bucket_unit(bucket_id) <> 'year' GROUP BY bucket_id, value_id
        UNION ALL
        SELECT bucket_id, value_id, %2$s
        FROM record JOIN place USING (quarter)
            LEFT JOIN usage_value AS known ON known.part = 'report_name' AND known."value" = report_name
        WHERE report_name IS NOT NULL AND usage_bucket_unit(bucket_id) <> 'year'
        GROUP BY bucket_id, value_id
        UNION ALL
        SELECT bucket_id, (SELECT value_id FROM usage_value WHERE part = 'all'), %2$s
        FROM attribution_part WHERE usage_bucket_unit(bucket_id) <> 'year' GROUP BY bucket_id
    ), closed_quarters AS (
        INSERT INTO closed_quarter_sum AS level (quarter, %1$s)
        SELECT quarter, %1$s FROM quarter_part ORDER BY quarter
        ON CONFLICT (quarter) DO UPDATE SET %3$s
    ), closed_attributions AS (
        INSERT INTO closed_attribution_sum AS level (bucket_id, attribution_id, %1$s)
        SELECT bucket_id, attribution_id, %1$s FROM attribution_part ORDER BY bucket_id, attribution_id
        ON CONFLICT (bucket_id, attribution_id) DO UPDATE SET %3$s
    ), closed_values AS (
        INSERT INTO closed_value_sum AS level (bucket_id, value_id, %1$s)
        SELECT bucket_id, value_id, %1$s FROM value_part ORDER BY bucket_id, value_id
        ON CONFLICT (bucket_id, value_id) DO UPDATE SET %3$s
    ), open_quarters AS (
        UPDATE usage_quarter_sum AS level SET %4$s FROM quarter_part AS part
        WHERE level.quarter = part.quarter
    ), open_attributions AS (
        UPDATE usage_attribution_sum AS level SET %4$s FROM attribution_part AS part
        WHERE level.bucket_id = part.bucket_id AND level.attribution_id = part.attribution_id
    ), open_values AS (
        UPDATE usage_value_sum AS level SET %4$s FROM value_part AS part
        WHERE level.bucket_id = part.bucket_id AND level.value_id = part.value_id
    )
    SELECT ARRAY(SELECT quarter FROM quarter_part), ARRAY(SELECT DISTINCT bucket_id FROM place)
    $statement$, columns, sums, added, taken)
    INTO quarters, buckets USING since, until;
    PERFORM remove_empty_usage_sums(quarters, buckets);
END
$$;

COMMENT ON FUNCTION close_usage_sums IS 'Moves the sums of some records from the open levels to the closed ones';

-- migrate:down
DO $$
BEGIN
    IF EXISTS (SELECT FROM usage_closing) THEN
        RAISE EXCEPTION 'records are closed: without usage_zone.complete_from, their sums would be lost';
    END IF;
END
$$;
DROP TRIGGER usage_zone_complete_from ON usage_zone;
DROP FUNCTION set_usage_zone_complete_from();
DROP FUNCTION close_usage_sums(timestamptz, timestamptz);
ALTER TABLE usage_zone DROP COLUMN complete_from;
CREATE OR REPLACE FUNCTION usage_rollup_start() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
RETURN usage_timestamp_first();
