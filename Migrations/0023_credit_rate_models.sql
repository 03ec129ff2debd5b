-- migrate:up

-- A rate may be for one model, or for all models that begin alike, and has a price for each kind of token.
SET LOCAL lock_timeout = '300ms';

-- A function of this schema whose body depends on the columns.
DROP FUNCTION credit_rate_at(timestamptz);

ALTER TABLE credit_rate
    -- A model, or a prefix that ends in *; NULL for every record. Case matters.
    ADD COLUMN model text COLLATE "C"
        CONSTRAINT credit_rate_model_check
            CHECK (char_length(model) >= 1 AND char_length(model) <= 200 AND model !~ '[\u0001-\u001f\u007f-\u009f]'),

    -- Hundredths of a credit for a million tokens: 40.00 credits for 100 tokens are 40,000,000.
    ADD COLUMN input_price bigint
        CONSTRAINT credit_rate_input_price_check
            CHECK (input_price BETWEEN 0 AND 10000000000000),
    ADD COLUMN output_price bigint
        CONSTRAINT credit_rate_output_price_check
            CHECK (output_price BETWEEN 0 AND 10000000000000),
    ADD COLUMN cache_read_price bigint
        CONSTRAINT credit_rate_cache_read_price_check
            CHECK (cache_read_price BETWEEN 0 AND 10000000000000),
    ADD COLUMN cache_creation_price bigint
        CONSTRAINT credit_rate_cache_creation_price_check
            CHECK (cache_creation_price BETWEEN 0 AND 10000000000000);

ALTER TABLE credit_rate DISABLE TRIGGER credit_rate_append_only;
UPDATE credit_rate SET input_price = hundredths_per_100_tokens * 10000,
    output_price = hundredths_per_100_tokens * 10000,
    cache_read_price = hundredths_per_100_tokens * 10000,
    cache_creation_price = hundredths_per_100_tokens * 10000;
-- What the deferred trigger of the revision has to do, before the table is altered again.
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE credit_rate ENABLE TRIGGER credit_rate_append_only;

ALTER TABLE credit_rate
    ALTER COLUMN input_price SET NOT NULL,
    ALTER COLUMN output_price SET NOT NULL,
    ALTER COLUMN cache_read_price SET NOT NULL,
    ALTER COLUMN cache_creation_price SET NOT NULL,
    DROP COLUMN hundredths_per_100_tokens,
    DROP CONSTRAINT credit_rate_effective_from_key,
    ADD CONSTRAINT credit_rate_model_effective_from_key UNIQUE NULLS NOT DISTINCT (model, effective_from);

ALTER TABLE credit_rate
    -- For programs of before this migration: NULL, where they cannot price, is refused by the table.
    ADD COLUMN hundredths_per_100_tokens bigint GENERATED ALWAYS AS (
        CASE WHEN model IS NULL AND input_price % 10000 = 0 AND output_price = input_price
            AND cache_read_price = input_price AND cache_creation_price = input_price
        THEN input_price / 10000 END) STORED,

    -- Of the rates that match, the highest rank applies: exact before prefix, longer before shorter.
    ADD COLUMN model_rank integer NOT NULL GENERATED ALWAYS AS (
        CASE WHEN model IS NULL THEN -1
            WHEN right(model, 1) = '*' THEN char_length(model) - 1
            ELSE 1000 END) STORED;

-- Whether a rate is for the records of a model, which is '' or NULL if they have none.
CREATE FUNCTION credit_rate_matches(pattern text, model text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN pattern IS NULL THEN true
    WHEN coalesce(model, '') = '' THEN false
    WHEN right(pattern, 1) = '*' THEN starts_with(model, left(pattern, -1))
    ELSE pattern = model
END;

-- The rate in force at an instant for a model; no row before the first one.
CREATE FUNCTION credit_rate_at(instant timestamptz, used_model text) RETURNS SETOF credit_rate
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT * FROM credit_rate
    WHERE effective_from <= instant AND credit_rate_matches(model, used_model)
    ORDER BY model_rank DESC, effective_from DESC
    LIMIT 1;
END;

-- The periods in which rates are in force for models, which are '' or NULL for records without one: for
-- joins with many records, where credit_rate_at() for each would be slow.
--
-- Of the rates that match a model, one that begins is in force until a rate of the same or a higher rank
-- begins; if a higher one has begun before, it never is. RANGE: of two that begin at once, the higher.
CREATE FUNCTION credit_rate_periods(used_models text[]) RETURNS TABLE (
    used_model text, until timestamptz, credit_rate_id integer, model text, effective_from timestamptz,
    tokenizer text, input_price bigint, output_price bigint, cache_read_price bigint,
    cache_creation_price bigint, minimum_hundredths bigint
) LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
BEGIN ATOMIC
    SELECT matching.used_model,
        lead(matching.effective_from, 1, 'infinity') OVER (
            PARTITION BY matching.used_model ORDER BY matching.effective_from),
        matching.credit_rate_id, matching.model, matching.effective_from, matching.tokenizer,
        matching.input_price, matching.output_price, matching.cache_read_price,
        matching.cache_creation_price, matching.minimum_hundredths
    FROM (
        SELECT used.used_model, credit_rate.*,
            max(model_rank) OVER (
                PARTITION BY used.used_model ORDER BY credit_rate.effective_from
                RANGE UNBOUNDED PRECEDING) AS highest_rank
        FROM (SELECT DISTINCT coalesce(name, '') AS used_model FROM unnest(used_models) AS names(name))
            AS used
        JOIN credit_rate ON credit_rate_matches(credit_rate.model, used.used_model)
    ) AS matching
    WHERE model_rank = highest_rank;
END;

-- The formula of usage_credits() for any price; NULL above 2^53 hundredths, which the table refuses.
--
-- PL/pgSQL, because PostgreSQL would try to inline an SQL function wherever usage_credits() is called.
CREATE FUNCTION usage_credits_numeric(
    character_count bigint, token_count bigint, tokenizer text,
    input_tokens bigint, output_tokens bigint,
    cache_read_tokens bigint, cache_creation_tokens bigint,
    input_price bigint, output_price bigint, cache_read_price bigint, cache_creation_price bigint,
    minimum_hundredths bigint
) RETURNS bigint LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    credits numeric := greatest(minimum_hundredths, div(CASE
        WHEN input_tokens IS NULL AND output_tokens IS NULL THEN CASE
            WHEN tokenizer <> 'characters' AND token_count IS NOT NULL
            THEN 4 * token_count::numeric * input_price
            ELSE character_count::numeric * input_price END
        ELSE 4 * (
            (coalesce(input_tokens, 0) - coalesce(cache_read_tokens, 0)
                - coalesce(cache_creation_tokens, 0))::numeric * input_price
            + coalesce(output_tokens, 0)::numeric * output_price
            + coalesce(cache_read_tokens, 0)::numeric * cache_read_price
            + coalesce(cache_creation_tokens, 0)::numeric * cache_creation_price)
        END + 2000000, 4000000));
BEGIN
    RETURN CASE WHEN credits <= 9007199254740992 THEN credits END;
END
$$;

-- The one home of the formula: hundredths of a credit for a message.
--
--     credits = sum of tokens of a kind * price of the kind, halves up, and not below the minimum
--     kinds   = input (without both kinds of cached tokens), cache_read, cache_creation, output
--
-- A message without reported tokens is priced by its text, which is input: by what the rate's exact
-- tokenizer counted; or characters / 4, also as an estimate where nothing was counted. Without both, the
-- table refuses it (usage_record_measure_check). NULL without a rate.
--
-- Everything is multiplied by 4, because four characters are one token. Up to 2.00 credits a token,
-- bigint is enough for 2^31 tokens of each kind. No argument of the usual path is used twice that is
-- expensive to evaluate: PostgreSQL inlines the function.
CREATE FUNCTION usage_credits(
    character_count bigint, token_count bigint, tokenizer text,
    input_tokens bigint, output_tokens bigint,
    cache_read_tokens bigint, cache_creation_tokens bigint,
    input_price bigint, output_price bigint, cache_read_price bigint, cache_creation_price bigint,
    minimum_hundredths bigint
) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN tokenizer IS NULL THEN NULL
    WHEN greatest(input_price, output_price, cache_read_price, cache_creation_price) > 200000000
    THEN usage_credits_numeric(
        character_count, token_count, tokenizer, input_tokens, output_tokens, cache_read_tokens,
        cache_creation_tokens, input_price, output_price, cache_read_price, cache_creation_price,
        minimum_hundredths)
    ELSE greatest(minimum_hundredths, (CASE
        WHEN input_tokens IS NULL AND output_tokens IS NULL THEN CASE
            WHEN tokenizer <> 'characters' AND token_count IS NOT NULL THEN 4 * token_count * input_price
            ELSE character_count * input_price END
        ELSE 4 * (
            (coalesce(input_tokens, 0) - coalesce(cache_read_tokens, 0)
                - coalesce(cache_creation_tokens, 0)) * input_price
            + coalesce(output_tokens, 0) * output_price
            + coalesce(cache_read_tokens, 0) * cache_read_price
            + coalesce(cache_creation_tokens, 0) * cache_creation_price)
        END + 2000000) / 4000000)
END;

COMMENT ON FUNCTION usage_credits(bigint, bigint, text, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint)
    IS 'Hundredths of a credit that a message costs at a rate';

-- For programs of before this migration, and for texts at one price.
CREATE OR REPLACE FUNCTION usage_credits(
    character_count bigint, token_count bigint, tokenizer text,
    hundredths_per_100_tokens bigint, minimum_hundredths bigint
) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN usage_credits(
    character_count, token_count, tokenizer, NULL, NULL, NULL, NULL, hundredths_per_100_tokens * 10000,
    hundredths_per_100_tokens * 10000, hundredths_per_100_tokens * 10000,
    hundredths_per_100_tokens * 10000, minimum_hundredths);

-- Prices the records of other programs, by the rate of their model. Tokens that the writer claims to
-- have counted are discarded; reported ones are the measure.
CREATE OR REPLACE FUNCTION price_usage_record() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    rate credit_rate;
    used_model text;
BEGIN
    IF NEW.attribution_id IS NOT NULL THEN
        SELECT model INTO used_model FROM usage_attribution WHERE attribution_id = NEW.attribution_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no attribution %', NEW.attribution_id
                USING ERRCODE = 'foreign_key_violation',
                    HINT = 'Get the number from usage_attribution(user_id, team_id, model, tags).';
        END IF;
    END IF;
    SELECT * INTO rate FROM credit_rate_at(NEW."timestamp", used_model);
    NEW.credit_rate_id := rate.credit_rate_id;
    NEW.token_count := NULL;
    NEW.token_encoding := NULL;
    NEW.credit_hundredths := usage_credits(
        NEW.character_count, NULL, rate.tokenizer, NEW.input_tokens, NEW.output_tokens,
        NEW.cache_read_input_tokens, NEW.cache_creation_input_tokens, rate.input_price,
        rate.output_price, rate.cache_read_price, rate.cache_creation_price, rate.minimum_hundredths);
    RETURN NEW;
END
$$;

-- The newest record that a pattern matches, dated at most five minutes ahead.
CREATE FUNCTION newest_usage_of(pattern text) RETURNS timestamptz LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT CASE WHEN pattern IS NULL THEN (
        SELECT max("timestamp") FROM usage_record WHERE "timestamp" <= usage_timestamp_last())
    ELSE (
        SELECT max(newest) FROM usage_attribution AS attribution, LATERAL (
            SELECT max("timestamp") AS newest FROM usage_record AS record
            WHERE record.attribution_id = attribution.attribution_id
                AND "timestamp" <= usage_timestamp_last()) AS records
        WHERE credit_rate_matches(pattern, attribution.model))
    END;
END;

-- A rate must begin after every record that its pattern matches, even where another rate applies.
CREATE OR REPLACE FUNCTION refuse_retroactive_credit_rate() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    newest timestamptz;
    ahead bigint;
BEGIN
    PERFORM lock_usage_record();
    -- Most rates begin after all records, and then none is looked for that the pattern matches.
    newest := newest_usage_of(NULL);
    IF NEW.effective_from <= newest AND NEW.model IS NOT NULL THEN
        newest := newest_usage_of(NEW.model);
    END IF;
    IF NEW.effective_from <= newest THEN
        RAISE EXCEPTION 'records are already priced at that time: the newest is of %',
            to_char(newest AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
            USING ERRCODE = 'restrict_violation',
                HINT = 'Add a rate with a later effective_from.';
    END IF;
    INSERT INTO record_dated_ahead (message_id, credit_rate_id)
    SELECT message_id, credit_rate_id
    FROM usage_record AS record LEFT JOIN usage_attribution AS attribution USING (attribution_id)
    WHERE "timestamp" > usage_timestamp_last() AND "timestamp" >= NEW.effective_from
        AND credit_rate_id IS NOT NULL AND credit_rate_matches(NEW.model, attribution.model)
    ON CONFLICT (message_id) DO UPDATE SET credit_rate_id = EXCLUDED.credit_rate_id;
    GET DIAGNOSTICS ahead = ROW_COUNT;
    IF ahead > 0 THEN
        RAISE NOTICE '% records dated more than five minutes ahead keep their price', ahead;
    END IF;
    RETURN NEW;
END
$$;

-- Each model has a list of its own, in the order of time.
CREATE OR REPLACE FUNCTION refuse_credit_rate_change() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.effective_from > (
            SELECT max(effective_from) FROM credit_rate WHERE model IS NOT DISTINCT FROM NEW.model
        ) IS NOT FALSE THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM lock_usage_record();
        IF NOT EXISTS (SELECT FROM usage_record) THEN
            RETURN NULL;
        END IF;
    END IF;
    RAISE EXCEPTION 'credit_rate is append-only: add an entry with a later effective_from'
        USING ERRCODE = 'restrict_violation',
            HINT = 'Prices can be replaced only while nothing is recorded, dates and models never.';
END
$$;

DROP TRIGGER credit_rate_in_order ON credit_rate;
CREATE TRIGGER credit_rate_in_order
    BEFORE INSERT OR UPDATE OF credit_rate_id, effective_from, model ON credit_rate
    FOR EACH ROW EXECUTE FUNCTION refuse_credit_rate_change();

-- migrate:down
-- Fails if there is a rate by model or by kind: the old form cannot express it.
DROP TRIGGER credit_rate_in_order ON credit_rate;
CREATE TRIGGER credit_rate_in_order
    BEFORE INSERT OR UPDATE OF credit_rate_id, effective_from ON credit_rate
    FOR EACH ROW EXECUTE FUNCTION refuse_credit_rate_change();
DROP FUNCTION newest_usage_of(text);
DROP FUNCTION credit_rate_periods(text[]);
DROP FUNCTION credit_rate_at(timestamptz, text);
ALTER TABLE credit_rate ADD COLUMN old_price bigint;
ALTER TABLE credit_rate DISABLE TRIGGER credit_rate_append_only;
UPDATE credit_rate SET old_price = hundredths_per_100_tokens;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE credit_rate ENABLE TRIGGER credit_rate_append_only;
ALTER TABLE credit_rate
    ALTER COLUMN old_price SET NOT NULL,
    DROP CONSTRAINT credit_rate_model_effective_from_key,
    DROP COLUMN model_rank,
    DROP COLUMN hundredths_per_100_tokens,
    DROP COLUMN cache_creation_price,
    DROP COLUMN cache_read_price,
    DROP COLUMN output_price,
    DROP COLUMN input_price,
    DROP COLUMN model;
ALTER TABLE credit_rate RENAME COLUMN old_price TO hundredths_per_100_tokens;
ALTER TABLE credit_rate
    ADD CONSTRAINT credit_rate_effective_from_key UNIQUE (effective_from),
    ADD CONSTRAINT credit_rate_hundredths_per_100_tokens_check
        CHECK (hundredths_per_100_tokens BETWEEN 0 AND 1000000000);
CREATE OR REPLACE FUNCTION usage_credits(
    character_count bigint, token_count bigint, tokenizer text,
    hundredths_per_100_tokens bigint, minimum_hundredths bigint
) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN tokenizer <> 'characters' AND token_count IS NOT NULL
        THEN greatest(minimum_hundredths, (token_count * hundredths_per_100_tokens + 50) / 100)
    WHEN tokenizer IS NOT NULL
        THEN greatest(minimum_hundredths, (character_count * hundredths_per_100_tokens + 200) / 400)
END;
DROP FUNCTION usage_credits(bigint, bigint, text, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint);
DROP FUNCTION usage_credits_numeric(
    bigint, bigint, text, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint);
DROP FUNCTION credit_rate_matches(text, text);
CREATE FUNCTION credit_rate_at(instant timestamptz) RETURNS SETOF credit_rate
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT * FROM credit_rate
    WHERE effective_from <= instant
    ORDER BY effective_from DESC
    LIMIT 1;
END;
CREATE OR REPLACE FUNCTION price_usage_record() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    rate credit_rate;
BEGIN
    SELECT * INTO rate FROM credit_rate_at(NEW."timestamp");
    NEW.credit_rate_id := rate.credit_rate_id;
    NEW.token_count := NULL;
    NEW.token_encoding := NULL;
    -- Not NEW.character_count: generated columns are computed after this trigger.
    NEW.credit_hundredths := usage_credits(
        char_length(NEW.message_text), NULL, rate.tokenizer,
        rate.hundredths_per_100_tokens, rate.minimum_hundredths);
    RETURN NEW;
END
$$;
CREATE OR REPLACE FUNCTION refuse_retroactive_credit_rate() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    newest timestamptz;
    ahead bigint;
BEGIN
    PERFORM lock_usage_record();
    SELECT max("timestamp") INTO newest FROM usage_record
    WHERE "timestamp" <= usage_timestamp_last();
    IF NEW.effective_from <= newest THEN
        RAISE EXCEPTION 'records are already priced at that time: the newest is of %',
            to_char(newest AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
            USING ERRCODE = 'restrict_violation',
                HINT = 'Add a rate with a later effective_from.';
    END IF;
    INSERT INTO record_dated_ahead (message_id, credit_rate_id)
    SELECT message_id, credit_rate_id FROM usage_record
    WHERE "timestamp" > usage_timestamp_last() AND "timestamp" >= NEW.effective_from
        AND credit_rate_id IS NOT NULL
    ON CONFLICT (message_id) DO UPDATE SET credit_rate_id = EXCLUDED.credit_rate_id;
    GET DIAGNOSTICS ahead = ROW_COUNT;
    IF ahead > 0 THEN
        RAISE NOTICE '% records dated more than five minutes ahead keep their price', ahead;
    END IF;
    RETURN NEW;
END
$$;
CREATE OR REPLACE FUNCTION refuse_credit_rate_change() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.effective_from > (SELECT max(effective_from) FROM credit_rate) IS NOT FALSE THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' AND TG_LEVEL = 'STATEMENT' THEN
        PERFORM lock_usage_record();
        IF NOT EXISTS (SELECT FROM usage_record) THEN
            RETURN NULL;
        END IF;
    END IF;
    RAISE EXCEPTION 'credit_rate is append-only: add an entry with a later effective_from'
        USING ERRCODE = 'restrict_violation',
            HINT = 'Prices can be replaced only while nothing is recorded, dates never.';
END
$$;
