-- migrate:up

-- Records that were dated more than five minutes ahead when a rate was added that begins before
-- them: they keep the price of an earlier rate, and `orbitalctl verify` accepts it. None can be
-- recorded any more (0011), so this table is nearly always empty.
CREATE TABLE record_dated_ahead (
    message_id bigint CONSTRAINT record_dated_ahead_pkey PRIMARY KEY,
    credit_rate_id integer NOT NULL
);

COMMENT ON TABLE record_dated_ahead IS 'Older records dated ahead, which keep the price of an earlier rate';

-- Waits for writers that have read the price list and not committed yet, and lets no new one read it
-- before this transaction ends. Under a snapshot of before the wait, their records would be invisible.
CREATE FUNCTION lock_usage_record() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'the price list can only be changed under READ COMMITTED'
            USING ERRCODE = 'restrict_violation';
    END IF;
    LOCK TABLE usage_record IN SHARE ROW EXCLUSIVE MODE;
END
$$;

-- A rate must begin after every record. Records dated further ahead keep their price: otherwise one
-- of them, dated 9998, would refuse every new price.
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

-- While nothing is recorded, a rate may be replaced: no receipt depends on it. Its date and its id
-- stay; and the first one, -infinity, goes on covering all of the past.
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

DROP TRIGGER credit_rate_in_order ON credit_rate;
CREATE TRIGGER credit_rate_in_order
    BEFORE INSERT OR UPDATE OF credit_rate_id, effective_from ON credit_rate
    FOR EACH ROW EXECUTE FUNCTION refuse_credit_rate_change();

DROP TRIGGER credit_rate_revision ON credit_rate;
CREATE TRIGGER credit_rate_revision
    AFTER INSERT OR UPDATE ON credit_rate
    FOR EACH STATEMENT EXECUTE FUNCTION bump_usage_revision();

-- migrate:down
DROP TRIGGER credit_rate_revision ON credit_rate;
CREATE TRIGGER credit_rate_revision
    AFTER INSERT ON credit_rate
    FOR EACH STATEMENT EXECUTE FUNCTION bump_usage_revision();
DROP TRIGGER credit_rate_in_order ON credit_rate;
CREATE TRIGGER credit_rate_in_order
    BEFORE INSERT ON credit_rate
    FOR EACH ROW EXECUTE FUNCTION refuse_credit_rate_change();
CREATE OR REPLACE FUNCTION refuse_credit_rate_change() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.effective_from > (SELECT max(effective_from) FROM credit_rate) IS NOT FALSE THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'credit_rate is append-only: add an entry with a later effective_from'
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE OR REPLACE FUNCTION refuse_retroactive_credit_rate() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    newest timestamptz;
BEGIN
    LOCK TABLE usage_record IN SHARE ROW EXCLUSIVE MODE;
    SELECT max("timestamp") INTO newest FROM usage_record;
    IF NEW.effective_from <= newest THEN
        RAISE EXCEPTION 'records are already priced at that time: the newest is of %',
            to_char(newest AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
DROP FUNCTION lock_usage_record();
DROP TABLE record_dated_ahead;
