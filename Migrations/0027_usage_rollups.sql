-- migrate:up

-- Rollups: exact sums of the records at some levels, plus deltas that are not merged into them yet. In
-- every snapshot: levels + deltas = records from usage_rollup_start() on. Older records are in neither.
--
-- Changes the catalogue only; 0028 adds the existing records beside readers and writers. If a long
-- transaction holds the table, this gives up instead of letting all others wait behind it;
-- `orbitalctl migrate up` retries.
SET LOCAL lock_timeout = '300ms';

-- The one row's lock is the lock of everything that changes levels. Its update makes transactions with an
-- older snapshot fail with 40001 instead of changing levels that they do not see.
CREATE TABLE usage_rollup_state (
    is_only boolean DEFAULT true CONSTRAINT usage_rollup_state_pkey PRIMARY KEY
        CONSTRAINT usage_rollup_state_is_only_check CHECK (is_only),
    -- Whether the levels have the records of before this migration.
    is_built boolean NOT NULL DEFAULT false,
    merged_at timestamptz
);

INSERT INTO usage_rollup_state DEFAULT VALUES;

COMMENT ON TABLE usage_rollup_state IS 'One row, whose lock is that of all rollups';

-- What statements have changed since the last merge; negative for what they have taken away. Statements
-- only insert, so writers do not wait for each other. Only deltas change levels.
CREATE TABLE usage_delta (
    quarter timestamptz NOT NULL,
    messages bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_read_input_tokens bigint NOT NULL,
    cache_creation_input_tokens bigint NOT NULL,
    attribution_id integer,
    -- Not bigint, which 1,025 records of the largest credits exceed.
    credit_hundredths numeric NOT NULL,
    report_name text COLLATE "C"
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

COMMENT ON TABLE usage_delta IS 'Changes of records that are not merged into the levels yet';

-- Sums of a quarter of an hour. All local midnights since 2000 are on this grid, so it serves every zone.
CREATE TABLE usage_quarter_sum (
    quarter timestamptz NOT NULL,
    messages bigint NOT NULL DEFAULT 0,
    reports bigint NOT NULL DEFAULT 0,
    input_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    cache_read_input_tokens bigint NOT NULL DEFAULT 0,
    cache_creation_input_tokens bigint NOT NULL DEFAULT 0,
    credit_hundredths numeric NOT NULL DEFAULT 0,
    CONSTRAINT usage_quarter_sum_pkey PRIMARY KEY (quarter)
) WITH (fillfactor = 80);

-- The reporting zones, which have local days and months.
CREATE TABLE usage_zone (
    zone_id smallint GENERATED ALWAYS AS IDENTITY CONSTRAINT usage_zone_pkey PRIMARY KEY,
    name text COLLATE "C" NOT NULL CONSTRAINT usage_zone_name_key UNIQUE,
    -- False until its sums are complete; merging leaves them out until then.
    is_built boolean NOT NULL DEFAULT false
);

INSERT INTO usage_zone (name) VALUES ('UTC');

COMMENT ON TABLE usage_zone IS 'The reporting zones';

-- Local days and months, with the bounds that they had when they were summed. Time zones change, so a
-- reader uses a bucket only if its bounds equal those calculated now.
CREATE TABLE usage_bucket (
    bucket_id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT usage_bucket_pkey PRIMARY KEY,
    zone_id smallint NOT NULL,
    is_month boolean NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    CONSTRAINT usage_bucket_starts_at_key UNIQUE (zone_id, is_month, starts_at)
);

-- Sums of a local day or month by attribution; records without one are in none.
CREATE TABLE usage_attribution_sum (
    bucket_id integer NOT NULL,
    attribution_id integer NOT NULL,
    messages bigint NOT NULL DEFAULT 0,
    reports bigint NOT NULL DEFAULT 0,
    input_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    cache_read_input_tokens bigint NOT NULL DEFAULT 0,
    cache_creation_input_tokens bigint NOT NULL DEFAULT 0,
    credit_hundredths numeric NOT NULL DEFAULT 0,
    CONSTRAINT usage_attribution_sum_pkey PRIMARY KEY (bucket_id, attribution_id)
) WITH (fillfactor = 80);

-- The values of the parts by which sums are grouped: report_name, user_id, team_id, model, tag:KEY. Never
-- empty; records without a value are the ungrouped sum minus those of all values of the part.
CREATE TABLE usage_value (
    value_id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT usage_value_pkey PRIMARY KEY,
    part text COLLATE "C" NOT NULL,
    "value" text COLLATE "C" NOT NULL CONSTRAINT usage_value_value_check CHECK ("value" <> ''),
    CONSTRAINT usage_value_part_value_key UNIQUE (part, "value")
);

-- Sums of a local day or month by the value of one part.
CREATE TABLE usage_value_sum (
    bucket_id integer NOT NULL,
    value_id integer NOT NULL,
    messages bigint NOT NULL DEFAULT 0,
    reports bigint NOT NULL DEFAULT 0,
    input_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    cache_read_input_tokens bigint NOT NULL DEFAULT 0,
    cache_creation_input_tokens bigint NOT NULL DEFAULT 0,
    credit_hundredths numeric NOT NULL DEFAULT 0,
    CONSTRAINT usage_value_sum_pkey PRIMARY KEY (bucket_id, value_id)
) WITH (fillfactor = 80);

-- Whether a value has sums?
CREATE INDEX usage_value_sum_value_id_idx ON usage_value_sum (value_id);

-- The sums of closed records, which no longer exist; only closing the books adds to them.
CREATE TABLE closed_quarter_sum (LIKE usage_quarter_sum INCLUDING DEFAULTS,
    CONSTRAINT closed_quarter_sum_pkey PRIMARY KEY (quarter));
CREATE TABLE closed_attribution_sum (LIKE usage_attribution_sum INCLUDING DEFAULTS,
    CONSTRAINT closed_attribution_sum_pkey PRIMARY KEY (bucket_id, attribution_id));
CREATE TABLE closed_value_sum (LIKE usage_value_sum INCLUDING DEFAULTS,
    CONSTRAINT closed_value_sum_pkey PRIMARY KEY (bucket_id, value_id));
CREATE INDEX closed_value_sum_value_id_idx ON closed_value_sum (value_id);

-- A key may be in both tables of a level: readers add its rows.
CREATE VIEW usage_quarter_sums AS
    SELECT * FROM usage_quarter_sum UNION ALL SELECT * FROM closed_quarter_sum;
CREATE VIEW usage_attribution_sums AS
    SELECT * FROM usage_attribution_sum UNION ALL SELECT * FROM closed_attribution_sum;
CREATE VIEW usage_value_sums AS
    SELECT * FROM usage_value_sum UNION ALL SELECT * FROM closed_value_sum;

-- The first instant of the records that are in levels and deltas.
CREATE FUNCTION usage_rollup_start() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
RETURN usage_timestamp_first();

-- The start of the quarter of an hour of an instant.
CREATE FUNCTION usage_quarter(instant timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date_bin('15 minutes', instant, timestamptz '2000-01-01 00:00:00+00');

-- The values of an attribution, by part.
CREATE FUNCTION usage_attribution_values(user_id text, team_id text, model text, tags jsonb)
RETURNS TABLE (part text, "value" text) LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT p.part, p."value"
    FROM (VALUES ('user_id', user_id), ('team_id', team_id), ('model', model)) AS p(part, "value")
    WHERE p."value" <> ''
    UNION ALL
    SELECT 'tag:' || key, pair."value" FROM jsonb_each_text(tags) AS pair;
END;

-- The local day and month that have each of some quarters: first those whose bounds are on the clock.
--
-- A day starts at the first instant with its date or a later one: at the first of two midnights, or at the
-- end of a gap that has midnight in it. By way of the setting TimeZone, because AT TIME ZONE takes CET,
-- EET, MET and WET for abbreviations, which have no summer time.
CREATE FUNCTION usage_buckets_at(zone text, quarters timestamptz[])
RETURNS TABLE (quarter timestamptz, is_month boolean, starts_at timestamptz, ends_at timestamptz)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
DECLARE
    setting text := current_setting('TimeZone');
BEGIN
    PERFORM set_config('TimeZone', zone, true);
    RETURN QUERY
    WITH local AS (
        SELECT instant, instant::date AS date FROM unnest(quarters) AS instant
    ), day AS (
        SELECT date, usage_day_start(date + 1) AS next_start
        FROM (SELECT DISTINCT date FROM local) AS dates
    ), dated AS (
        -- If clocks go back over midnight, the day after the local date has already begun.
        SELECT instant, date + (instant >= next_start)::integer AS date FROM local JOIN day USING (date)
    ), bounded AS MATERIALIZED (
        SELECT bounds.is_month, first, usage_day_start(first) AS starts_at, usage_day_start(after) AS ends_at
        FROM (SELECT false AS is_month, date AS first, date + 1 AS after FROM dated
              UNION
              SELECT true, date_trunc('month', date::timestamp)::date,
                  (date_trunc('month', date::timestamp) + interval '1 month')::date
              FROM dated) AS bounds
    )
    SELECT dated.instant, b.is_month, b.starts_at, b.ends_at FROM dated JOIN bounded AS b
        ON b.first = CASE WHEN b.is_month THEN date_trunc('month', dated.date::timestamp)::date
            ELSE dated.date END;
    PERFORM set_config('TimeZone', setting, true);
END
$$;

-- The start of a day in the zone of the setting TimeZone. Only if clocks change in the hours before midnight
-- or over it, it can be another instant than that of midnight; no clock is set back by more than three hours.
CREATE FUNCTION usage_day_start(day date) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN day::timestamptz::timestamp = day::timestamp
        AND (day::timestamptz - interval '4 hours')::timestamp = day::timestamp - interval '4 hours'
    THEN day::timestamptz
    ELSE (SELECT min(day::timestamptz - n * interval '15 minutes') FROM generate_series(0, 16) AS n
        WHERE (day::timestamptz - n * interval '15 minutes')::date >= day)
END;

-- Locks the rollups until the end of the transaction; false if another transaction has them and `waits` is
-- false. First the records, in the same order as TRUNCATE, which empties the levels, too.
CREATE FUNCTION lock_usage_rollups(waits boolean) RETURNS boolean LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
    LOCK TABLE usage_record IN ACCESS SHARE MODE;
    IF waits THEN
        PERFORM FROM usage_rollup_state FOR UPDATE;
    ELSE
        PERFORM FROM usage_rollup_state FOR UPDATE SKIP LOCKED;
    END IF;
    IF NOT FOUND AND NOT EXISTS (SELECT FROM usage_rollup_state) THEN
        RAISE EXCEPTION 'usage_rollup_state has lost its row';
    END IF;
    RETURN FOUND;
END
$$;

-- What the levels must have: the records from `since` to `until`, minus the deltas, ungrouped.
CREATE FUNCTION usage_records_minus_deltas(since timestamptz, until timestamptz)
RETURNS TABLE (
    quarter timestamptz, report_name text, attribution_id integer, messages bigint, reports bigint,
    credit_hundredths numeric, input_tokens bigint, output_tokens bigint,
    cache_read_input_tokens bigint, cache_creation_input_tokens bigint
) LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT usage_quarter("timestamp"), report_name, attribution_id, 1::bigint,
        (report_name IS NOT NULL)::integer::bigint, credit_hundredths::numeric,
        coalesce(input_tokens, 0)::bigint, coalesce(output_tokens, 0)::bigint,
        coalesce(cache_read_input_tokens, 0)::bigint, coalesce(cache_creation_input_tokens, 0)::bigint
    FROM usage_record
    WHERE "timestamp" >= since AND "timestamp" >= usage_rollup_start() AND "timestamp" < until
    UNION ALL
    SELECT quarter, report_name, attribution_id, -messages,
        CASE WHEN report_name IS NULL THEN 0 ELSE -messages END, -credit_hundredths,
        -input_tokens, -output_tokens, -cache_read_input_tokens, -cache_creation_input_tokens
    FROM usage_delta WHERE quarter >= since AND quarter < until;
END;

-- Adds to the levels, in one statement and therefore from one snapshot: up to `at_most` deltas, which it
-- takes away; or, from `since` to `until`, the records minus the deltas, which it leaves. `zones` are the
-- zones to add to; `has_quarters`, whether to add to quarters. Returns the number of deltas or quarters.
CREATE FUNCTION add_to_usage_levels(
    at_most integer, since timestamptz, until timestamptz, zones smallint[], has_quarters boolean
) RETURNS bigint LANGUAGE plpgsql
SET search_path = public, pg_temp SET enable_nestloop = off SET jit = off AS $$
DECLARE
    columns text := 'messages, reports, credit_hundredths, input_tokens, output_tokens, '
        'cache_read_input_tokens, cache_creation_input_tokens';
    sums text := regexp_replace(columns, '\w+', 'sum(\&) AS \&', 'g');
    added text := regexp_replace(columns, '\w+', '\& = level.\& + EXCLUDED.\&', 'g');
    is_any text := '(' || regexp_replace(columns, '\w+', 'sum(\&)', 'g') || ') <> (0, 0, 0, 0, 0, 0, 0)';
    deltas text := 'DELETE FROM usage_delta
        WHERE ctid = ANY (ARRAY(SELECT ctid FROM usage_delta LIMIT $1))
        RETURNING quarter, report_name, attribution_id, messages,
            CASE WHEN report_name IS NULL THEN 0 ELSE messages END AS reports, credit_hundredths,
            input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens';
    records text := 'SELECT * FROM usage_records_minus_deltas($2, $3)';
    count bigint;
    negative boolean;
    quarters timestamptz[];
    buckets integer[];
BEGIN
    EXECUTE format($statement$
    WITH taken AS MATERIALIZED (%1$s
    ), touched AS MATERIALIZED (
        SELECT array_agg(DISTINCT quarter) AS quarters FROM taken
    ), quarter_sums AS (
        INSERT INTO usage_quarter_sum AS level (quarter, %2$s)
        SELECT quarter, %3$s FROM taken WHERE $5 GROUP BY quarter HAVING %5$s
        ON CONFLICT (quarter) DO UPDATE SET %4$s
    ), found AS MATERIALIZED (
        SELECT zone_id, place.* FROM usage_zone, touched, usage_buckets_at(name, quarters) AS place
        WHERE zone_id = ANY ($4)
    ), bound AS MATERIALIZED (
        SELECT DISTINCT zone_id, is_month, starts_at, ends_at FROM found
    ), changed AS MATERIALIZED (
        -- The time zone data has changed: the zone must be built again.
        SELECT DISTINCT zone_id FROM bound JOIN usage_bucket AS stored USING (zone_id, is_month)
        WHERE stored.starts_at < bound.ends_at AND stored.ends_at > bound.starts_at
            AND (stored.starts_at, stored.ends_at) <> (bound.starts_at, bound.ends_at)
            AND NOT (SELECT EXISTS (SELECT FROM closed_attribution_sum AS sum
                WHERE sum.bucket_id = stored.bucket_id))
            AND NOT (SELECT EXISTS (SELECT FROM closed_value_sum AS sum
                WHERE sum.bucket_id = stored.bucket_id))
    ), unbuilt AS (
        UPDATE usage_zone SET is_built = false WHERE zone_id IN (SELECT zone_id FROM changed)
    ), new_bucket AS (
        INSERT INTO usage_bucket (zone_id, is_month, starts_at, ends_at)
        SELECT * FROM bound
        WHERE NOT EXISTS (SELECT FROM usage_bucket AS stored WHERE stored.zone_id = bound.zone_id
            AND stored.is_month = bound.is_month AND stored.starts_at = bound.starts_at)
        RETURNING bucket_id, zone_id, is_month, starts_at
    ), place AS MATERIALIZED (
        SELECT quarter, bucket_id
        FROM found JOIN (SELECT bucket_id, zone_id, is_month, starts_at FROM usage_bucket
                         UNION ALL SELECT * FROM new_bucket) AS bucket USING (zone_id, is_month, starts_at)
        WHERE zone_id NOT IN (SELECT zone_id FROM changed)
    ), by_attribution AS MATERIALIZED (
        SELECT bucket_id, attribution_id, %3$s FROM taken JOIN place USING (quarter)
        WHERE attribution_id IS NOT NULL GROUP BY bucket_id, attribution_id HAVING %5$s
    ), by_report AS MATERIALIZED (
        SELECT bucket_id, report_name, %3$s FROM taken JOIN place USING (quarter)
        WHERE report_name IS NOT NULL GROUP BY bucket_id, report_name HAVING %5$s
    ), attribution_sums AS (
        INSERT INTO usage_attribution_sum AS level (bucket_id, attribution_id, %2$s)
        SELECT bucket_id, attribution_id, %2$s FROM by_attribution
        ON CONFLICT (bucket_id, attribution_id) DO UPDATE SET %4$s
    ), attributed AS MATERIALIZED (
        SELECT attribution_id, part, "value"
        FROM usage_attribution AS attribution, usage_attribution_values(user_id, team_id, model, tags)
        WHERE attribution_id = ANY (ARRAY(SELECT DISTINCT attribution_id FROM by_attribution))
    ), needed AS MATERIALIZED (
        SELECT part, "value", (SELECT value_id FROM usage_value AS known
                WHERE known.part = used.part AND known."value" = used."value")
        FROM (SELECT part, "value" FROM attributed
              UNION SELECT 'report_name', report_name FROM by_report) AS used
    ), new_value AS (
        INSERT INTO usage_value (part, "value")
        SELECT part, "value" FROM needed WHERE value_id IS NULL
        RETURNING part, "value", value_id
    ), valued AS MATERIALIZED (
        SELECT * FROM needed WHERE value_id IS NOT NULL UNION ALL SELECT * FROM new_value
    ), value_sums AS (
        INSERT INTO usage_value_sum AS level (bucket_id, value_id, %2$s)
        SELECT bucket_id, value_id, %3$s
        FROM by_attribution JOIN attributed USING (attribution_id) JOIN valued USING (part, "value")
        GROUP BY bucket_id, value_id HAVING %5$s
        UNION ALL
        SELECT bucket_id, value_id, %2$s
        FROM by_report JOIN valued ON part = 'report_name' AND "value" = report_name
        ON CONFLICT (bucket_id, value_id) DO UPDATE SET %4$s
    )
    SELECT CASE WHEN $1 IS NULL THEN cardinality((SELECT quarters FROM touched))
            ELSE (SELECT count(*) FROM taken) END,
        EXISTS (SELECT FROM taken WHERE messages < 0),
        (SELECT quarters FROM touched), ARRAY(SELECT DISTINCT bucket_id FROM place)
    $statement$, CASE WHEN at_most IS NULL THEN records ELSE deltas END, columns, sums, added, is_any)
    INTO count, negative, quarters, buckets
    USING at_most, since, until, zones, has_quarters;
    IF negative THEN
        PERFORM remove_empty_usage_sums(quarters, buckets);
    END IF;
    RETURN count;
END
$$;

-- Removes sums that are zero, and values of which nothing is left.
CREATE FUNCTION remove_empty_usage_sums(quarters timestamptz[], buckets integer[]) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp SET enable_nestloop = on AS $$
DECLARE
    removed integer[];
BEGIN
    DELETE FROM usage_quarter_sum WHERE quarter = ANY (quarters)
        AND (messages, reports, credit_hundredths, input_tokens, output_tokens,
            cache_read_input_tokens, cache_creation_input_tokens) = (0, 0, 0, 0, 0, 0, 0);
    DELETE FROM usage_attribution_sum WHERE bucket_id = ANY (buckets)
        AND (messages, reports, credit_hundredths, input_tokens, output_tokens,
            cache_read_input_tokens, cache_creation_input_tokens) = (0, 0, 0, 0, 0, 0, 0);
    WITH empty AS (
        DELETE FROM usage_value_sum WHERE bucket_id = ANY (buckets)
            AND (messages, reports, credit_hundredths, input_tokens, output_tokens,
                cache_read_input_tokens, cache_creation_input_tokens) = (0, 0, 0, 0, 0, 0, 0)
        RETURNING value_id
    )
    SELECT array_agg(DISTINCT value_id) INTO removed FROM empty;
    PERFORM remove_unused_usage_values(removed);
END
$$;

CREATE FUNCTION remove_unused_usage_values("values" integer[]) RETURNS void LANGUAGE sql
SET search_path = public, pg_temp
BEGIN ATOMIC
    DELETE FROM usage_value WHERE value_id = ANY ("values")
        AND NOT EXISTS (SELECT FROM usage_value_sum AS s WHERE s.value_id = usage_value.value_id)
        AND NOT EXISTS (SELECT FROM closed_value_sum AS s WHERE s.value_id = usage_value.value_id);
END;

-- Merges up to `at_most` deltas into the levels, and returns how many; NULL if another transaction is
-- changing the levels. Until the levels are built, deltas are only taken away, because building starts
-- from the records and the deltas that are there.
CREATE FUNCTION merge_usage_deltas(at_most integer) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    count bigint;
BEGIN
    IF NOT lock_usage_rollups(false) THEN
        RETURN NULL;
    END IF;
    IF NOT EXISTS (SELECT FROM usage_delta) THEN
        RETURN 0;
    END IF;
    IF (SELECT is_built FROM usage_rollup_state) THEN
        count := add_to_usage_levels(
            at_most, NULL, NULL, ARRAY(SELECT zone_id FROM usage_zone WHERE is_built), true);
    ELSE
        DELETE FROM usage_delta WHERE ctid = ANY (ARRAY(SELECT ctid FROM usage_delta LIMIT at_most));
        GET DIAGNOSTICS count = ROW_COUNT;
    END IF;
    UPDATE usage_rollup_state SET merged_at = now();
    RETURN count;
END
$$;

-- Empties the sums of a zone, or with NULL all levels, and returns the months to build. The caller builds
-- them in this transaction, which keeps the lock; meanwhile writers go on, and their deltas wait.
CREATE FUNCTION begin_usage_rollups(zone text) RETURNS SETOF timestamptz LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    zones smallint[];
    month timestamptz;
BEGIN
    PERFORM lock_usage_rollups(true);
    zones := ARRAY(SELECT zone_id FROM usage_zone WHERE zone IS NULL OR name = zone);
    IF cardinality(zones) = 0 THEN
        RAISE EXCEPTION 'there is no reporting zone %', zone USING ERRCODE = 'undefined_object';
    END IF;
    UPDATE usage_zone SET is_built = false WHERE zone_id = ANY (zones);
    PERFORM empty_usage_buckets(zones);
    IF zone IS NULL THEN
        DELETE FROM usage_quarter_sum;
        DELETE FROM usage_attribution_sum;
        DELETE FROM usage_value_sum;
        UPDATE usage_rollup_state SET is_built = false;
    END IF;
    -- One probe of an index for each month that has records.
    FOR month IN
        WITH RECURSIVE found(month) AS (
            SELECT date_trunc('month', min("timestamp"), 'UTC') FROM usage_record
            WHERE "timestamp" >= usage_rollup_start()
            UNION ALL
            SELECT (SELECT date_trunc('month', min("timestamp"), 'UTC') FROM usage_record
                    WHERE "timestamp" >= usage_month_after(found.month))
            FROM found WHERE found.month IS NOT NULL
        )
        SELECT found.month FROM found WHERE found.month IS NOT NULL
        UNION SELECT date_trunc('month', quarter, 'UTC') FROM usage_delta
        ORDER BY 1
    LOOP
        RETURN NEXT month;
    END LOOP;
END
$$;

CREATE FUNCTION usage_month_after(month timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC';

-- Removes the open sums and the buckets of some zones; buckets of closed sums stay.
CREATE FUNCTION empty_usage_buckets(zones smallint[]) RETURNS void LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM usage_attribution_sum USING usage_bucket AS bucket
    WHERE bucket.bucket_id = usage_attribution_sum.bucket_id AND zone_id = ANY (zones);
    DELETE FROM usage_value_sum USING usage_bucket AS bucket
    WHERE bucket.bucket_id = usage_value_sum.bucket_id AND zone_id = ANY (zones);
    DELETE FROM usage_bucket AS bucket WHERE zone_id = ANY (zones)
        AND NOT EXISTS (SELECT FROM closed_attribution_sum WHERE bucket_id = bucket.bucket_id)
        AND NOT EXISTS (SELECT FROM closed_value_sum WHERE bucket_id = bucket.bucket_id);
END
$$;

-- Builds the sums of one month, of a zone or with NULL of all levels.
CREATE FUNCTION build_usage_rollup_month(zone text, month timestamptz) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp SET work_mem = '256MB' SET jit = off AS $$
BEGIN
    PERFORM add_to_usage_levels(
        NULL, month, usage_month_after(month),
        ARRAY(SELECT zone_id FROM usage_zone WHERE zone IS NULL OR name = zone), zone IS NULL);
END
$$;

-- After all months: from here on, readers use the levels.
CREATE FUNCTION end_usage_rollups(zone text) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM remove_unused_usage_values(ARRAY(SELECT value_id FROM usage_value));
    UPDATE usage_zone SET is_built = true WHERE zone IS NULL OR name = zone;
    UPDATE usage_rollup_state SET is_built = is_built OR zone IS NULL, merged_at = now();
END
$$;

CREATE FUNCTION build_usage_rollups(zone text) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    month timestamptz;
BEGIN
    FOR month IN SELECT begin_usage_rollups(zone) LOOP
        RAISE NOTICE 'summing the records of %', to_char(month AT TIME ZONE 'UTC', 'YYYY-MM');
        PERFORM build_usage_rollup_month(zone, month);
    END LOOP;
    PERFORM end_usage_rollups(zone);
END
$$;

COMMENT ON FUNCTION build_usage_rollups IS
    'Sums the records anew, in a reporting zone or with NULL in all levels; nothing else changes';

-- Deltas of a statement, in the same transaction. For each statement and not for each row: 1,000 records
-- have some 35 groups.
CREATE FUNCTION add_usage_deltas() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO usage_delta (quarter, report_name, attribution_id, messages, credit_hundredths,
            input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens)
        SELECT usage_quarter("timestamp"), report_name, attribution_id, count(*), sum(credit_hundredths),
            coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
            coalesce(sum(cache_read_input_tokens), 0), coalesce(sum(cache_creation_input_tokens), 0)
        FROM new_records WHERE "timestamp" >= usage_rollup_start()
        GROUP BY 1, 2, 3;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO usage_delta (quarter, report_name, attribution_id, messages, credit_hundredths,
            input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens)
        SELECT usage_quarter("timestamp"), report_name, attribution_id, -count(*), -sum(credit_hundredths),
            -coalesce(sum(input_tokens), 0), -coalesce(sum(output_tokens), 0),
            -coalesce(sum(cache_read_input_tokens), 0), -coalesce(sum(cache_creation_input_tokens), 0)
        FROM old_records WHERE "timestamp" >= usage_rollup_start()
        GROUP BY 1, 2, 3;
    ELSE
        INSERT INTO usage_delta (quarter, report_name, attribution_id, messages, credit_hundredths,
            input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens)
        SELECT usage_quarter("timestamp"), report_name, attribution_id, sum(sign),
            sum(sign * credit_hundredths),
            coalesce(sum(sign * input_tokens), 0), coalesce(sum(sign * output_tokens), 0),
            coalesce(sum(sign * cache_read_input_tokens), 0),
            coalesce(sum(sign * cache_creation_input_tokens), 0)
        FROM (SELECT -1::bigint AS sign, "timestamp", report_name, attribution_id, credit_hundredths,
                  input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens
              FROM old_records
              UNION ALL
              SELECT 1, "timestamp", report_name, attribution_id, credit_hundredths,
                  input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens
              FROM new_records) AS records
        WHERE "timestamp" >= usage_rollup_start()
        GROUP BY 1, 2, 3
        HAVING NOT (sum(sign) = 0 AND sum(sign * credit_hundredths) = 0
            AND coalesce(sum(sign * input_tokens), 0) = 0
            AND coalesce(sum(sign * output_tokens), 0) = 0
            AND coalesce(sum(sign * cache_read_input_tokens), 0) = 0
            AND coalesce(sum(sign * cache_creation_input_tokens), 0) = 0);
    END IF;
    RETURN NULL;
END
$$;

-- TRUNCATE waits for readers and mergers, which lock usage_record first. Closed sums stay, and the names of
-- their values; other names go, because an erasure would not find them any more.
CREATE FUNCTION truncate_usage_rollups() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    TRUNCATE usage_delta, usage_quarter_sum, usage_attribution_sum, usage_value_sum;
    PERFORM remove_unused_usage_values(ARRAY(SELECT value_id FROM usage_value));
    RETURN NULL;
END
$$;

-- Moves the sums of changed attributions from their former values to the new ones, under the lock, so that
-- no merge adds to the former values afterwards. Values of which nothing is left go: an erased id must not
-- stay anywhere.
CREATE FUNCTION move_usage_values() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    columns text := 'messages, reports, credit_hundredths, input_tokens, output_tokens, '
        'cache_read_input_tokens, cache_creation_input_tokens';
    changes text := 'SELECT attribution_id, part, "value", -1 AS sign
        FROM old_attributions, usage_attribution_values(user_id, team_id, model, tags)';
    affected integer[];
    level text;
BEGIN
    PERFORM lock_usage_rollups(true);
    IF TG_OP = 'UPDATE' THEN
        changes := format('SELECT attribution_id, part, "value", sum(sign) AS sign FROM (%s UNION ALL
                SELECT attribution_id, part, "value", 1
                FROM new_attributions, usage_attribution_values(user_id, team_id, model, tags)) AS change
            GROUP BY attribution_id, part, "value" HAVING sum(sign) <> 0', changes);
        EXECUTE format('INSERT INTO usage_value (part, "value")
            SELECT part, "value" FROM (%s) AS change WHERE sign > 0
            EXCEPT SELECT part, "value" FROM usage_value', changes);
    END IF;
    EXECUTE format('SELECT array_agg(DISTINCT value_id)
        FROM (%s) AS change JOIN usage_value USING (part, "value")', changes) INTO affected;
    FOREACH level IN ARRAY ARRAY['usage', 'closed'] LOOP
        EXECUTE format('INSERT INTO %1$s_value_sum AS level (bucket_id, value_id, %2$s)
            SELECT bucket_id, value_id, %3$s
            FROM (%5$s) AS change JOIN usage_value USING (part, "value")
                JOIN %1$s_attribution_sum USING (attribution_id)
            GROUP BY bucket_id, value_id
            ON CONFLICT (bucket_id, value_id) DO UPDATE SET %4$s', level, columns,
            regexp_replace(columns, '\w+', 'sum(sign * \&)', 'g'),
            regexp_replace(columns, '\w+', '\& = level.\& + EXCLUDED.\&', 'g'), changes);
        EXECUTE format('DELETE FROM %s_value_sum WHERE value_id = ANY ($1)
            AND (%s) = (0, 0, 0, 0, 0, 0, 0)', level, columns) USING affected;
    END LOOP;
    PERFORM remove_unused_usage_values(affected);
    IF TG_OP = 'DELETE' THEN
        PERFORM forget_usage_attributions(ARRAY(SELECT attribution_id FROM old_attributions));
    END IF;
    UPDATE usage_rollup_state SET merged_at = merged_at;
    RETURN NULL;
END
$$;

-- An attribution that is deleted has no records, but perhaps deltas to merge that cancel out. They become
-- those of no attribution: its number may be used again.
CREATE FUNCTION forget_usage_attributions(attributions integer[]) RETURNS void LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM closed_attribution_sum WHERE attribution_id = ANY (attributions)) THEN
        RAISE EXCEPTION 'closed records have this attribution' USING ERRCODE = 'restrict_violation';
    END IF;
    DELETE FROM usage_attribution_sum WHERE attribution_id = ANY (attributions);
    UPDATE usage_delta SET attribution_id = NULL WHERE attribution_id = ANY (attributions);
END
$$;

-- TRUNCATE of all attributions, which no record has.
CREATE FUNCTION truncate_usage_values() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    attributed integer[] := ARRAY(SELECT value_id FROM usage_value WHERE part <> 'report_name');
BEGIN
    PERFORM lock_usage_rollups(true);
    PERFORM forget_usage_attributions(ARRAY(
        SELECT attribution_id FROM usage_attribution_sum
        UNION SELECT attribution_id FROM closed_attribution_sum
        UNION SELECT attribution_id FROM usage_delta WHERE attribution_id IS NOT NULL));
    DELETE FROM usage_value_sum WHERE value_id = ANY (attributed);
    PERFORM remove_unused_usage_values(attributed);
    UPDATE usage_rollup_state SET merged_at = merged_at;
    RETURN NULL;
END
$$;

-- A trigger for each event, because that is a condition of transition tables. All of them fire also where
-- session_replication_role is 'replica'.
CREATE TRIGGER usage_record_rollup_insert
    AFTER INSERT ON usage_record REFERENCING NEW TABLE AS new_records
    FOR EACH STATEMENT EXECUTE FUNCTION add_usage_deltas();
CREATE TRIGGER usage_record_rollup_update
    AFTER UPDATE ON usage_record REFERENCING OLD TABLE AS old_records NEW TABLE AS new_records
    FOR EACH STATEMENT EXECUTE FUNCTION add_usage_deltas();
CREATE TRIGGER usage_record_rollup_delete
    AFTER DELETE ON usage_record REFERENCING OLD TABLE AS old_records
    FOR EACH STATEMENT EXECUTE FUNCTION add_usage_deltas();
CREATE TRIGGER usage_record_rollup_truncate
    AFTER TRUNCATE ON usage_record
    FOR EACH STATEMENT EXECUTE FUNCTION truncate_usage_rollups();
CREATE TRIGGER usage_attribution_rollup_update
    AFTER UPDATE ON usage_attribution REFERENCING OLD TABLE AS old_attributions NEW TABLE AS new_attributions
    FOR EACH STATEMENT EXECUTE FUNCTION move_usage_values();
CREATE TRIGGER usage_attribution_rollup_delete
    AFTER DELETE ON usage_attribution REFERENCING OLD TABLE AS old_attributions
    FOR EACH STATEMENT EXECUTE FUNCTION move_usage_values();
CREATE TRIGGER usage_attribution_rollup_truncate
    AFTER TRUNCATE ON usage_attribution
    FOR EACH STATEMENT EXECUTE FUNCTION truncate_usage_values();

ALTER TABLE usage_record
    ENABLE ALWAYS TRIGGER usage_record_rollup_insert,
    ENABLE ALWAYS TRIGGER usage_record_rollup_update,
    ENABLE ALWAYS TRIGGER usage_record_rollup_delete,
    ENABLE ALWAYS TRIGGER usage_record_rollup_truncate;
ALTER TABLE usage_attribution
    ENABLE ALWAYS TRIGGER usage_attribution_rollup_update,
    ENABLE ALWAYS TRIGGER usage_attribution_rollup_delete,
    ENABLE ALWAYS TRIGGER usage_attribution_rollup_truncate;

-- These run with the privileges of the owner; deploy/roles.sql grants what the responder calls.
REVOKE EXECUTE ON FUNCTION merge_usage_deltas, begin_usage_rollups, build_usage_rollup_month,
    end_usage_rollups, build_usage_rollups FROM PUBLIC;

-- migrate:down
DROP TRIGGER usage_attribution_rollup_truncate ON usage_attribution;
DROP TRIGGER usage_attribution_rollup_delete ON usage_attribution;
DROP TRIGGER usage_attribution_rollup_update ON usage_attribution;
DROP TRIGGER usage_record_rollup_truncate ON usage_record;
DROP TRIGGER usage_record_rollup_delete ON usage_record;
DROP TRIGGER usage_record_rollup_update ON usage_record;
DROP TRIGGER usage_record_rollup_insert ON usage_record;
DROP FUNCTION truncate_usage_values();
DROP FUNCTION forget_usage_attributions(integer[]);
DROP FUNCTION move_usage_values();
DROP FUNCTION truncate_usage_rollups();
DROP FUNCTION add_usage_deltas();
DROP FUNCTION build_usage_rollups(text);
DROP FUNCTION end_usage_rollups(text);
DROP FUNCTION build_usage_rollup_month(text, timestamptz);
DROP FUNCTION empty_usage_buckets(smallint[]);
DROP FUNCTION begin_usage_rollups(text);
DROP FUNCTION usage_month_after(timestamptz);
DROP FUNCTION merge_usage_deltas(integer);
DROP FUNCTION remove_empty_usage_sums(timestamptz[], integer[]);
DROP FUNCTION remove_unused_usage_values(integer[]);
DROP FUNCTION add_to_usage_levels(integer, timestamptz, timestamptz, smallint[], boolean);
DROP FUNCTION usage_records_minus_deltas(timestamptz, timestamptz);
DROP FUNCTION lock_usage_rollups(boolean);
DROP FUNCTION usage_buckets_at(text, timestamptz[]);
DROP FUNCTION usage_day_start(date);
DROP FUNCTION usage_attribution_values(text, text, text, jsonb);
DROP FUNCTION usage_quarter(timestamptz);
DROP FUNCTION usage_rollup_start();
DROP VIEW usage_value_sums, usage_attribution_sums, usage_quarter_sums;
DROP TABLE closed_value_sum, closed_attribution_sum, closed_quarter_sum, usage_value_sum, usage_value,
    usage_attribution_sum, usage_bucket, usage_zone, usage_quarter_sum, usage_delta, usage_rollup_state;
