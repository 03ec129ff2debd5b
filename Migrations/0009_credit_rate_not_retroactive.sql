-- migrate:up

-- A new price applies to what is recorded from then on. An entry at or before the time of a
-- record would say that the record has another price than it was recorded with.
--
-- The lock waits for writers that have looked at the list and not committed yet, and lets no new
-- one look before this entry is committed.
CREATE FUNCTION refuse_retroactive_credit_rate() RETURNS trigger LANGUAGE plpgsql
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

CREATE TRIGGER credit_rate_not_retroactive
    BEFORE INSERT ON credit_rate
    FOR EACH ROW EXECUTE FUNCTION refuse_retroactive_credit_rate();

-- migrate:down
DROP TRIGGER credit_rate_not_retroactive ON credit_rate;
DROP FUNCTION refuse_retroactive_credit_rate();
