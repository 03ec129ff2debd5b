-- migrate:up

-- The one home of the rule for the time of a message: from 2000 to five minutes ahead. HTTP, import,
-- triggers and checks all call these functions, which PostgreSQL inlines.
--
-- Ahead of the statement and not of the transaction: an import or a writer may be open for hours.
CREATE FUNCTION usage_timestamp_first() RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN timestamptz '2000-01-01 00:00:00+00';

CREATE FUNCTION usage_timestamp_last() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
RETURN statement_timestamp() + interval '5 minutes';

CREATE FUNCTION usage_timestamp_fault(instant timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN instant < usage_timestamp_first() THEN 'out_of_range'
    WHEN instant > usage_timestamp_last() THEN 'in_the_future'
END;

COMMENT ON FUNCTION usage_timestamp_fault IS 'Why no message may be recorded with this time, or NULL';

CREATE FUNCTION refuse_usage_timestamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'timestamp must be from 2000-01-01T00:00:00Z to five minutes ahead of now'
        USING ERRCODE = 'check_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
            COLUMN = 'timestamp', CONSTRAINT = 'usage_record_timestamp_check',
            DETAIL = format('message_id %s has %s.', NEW.message_id, NEW."timestamp");
END
$$;

-- Triggers and no CHECK: older records outside the range stay readable, a dump with them can be
-- restored (its triggers come after its data), and their other columns can be changed. The WHEN
-- clause costs no call: only a row that is refused meets the function.
CREATE TRIGGER usage_record_timestamp_insert
    BEFORE INSERT ON usage_record
    FOR EACH ROW WHEN (usage_timestamp_fault(NEW."timestamp") IS NOT NULL)
    EXECUTE FUNCTION refuse_usage_timestamp();

CREATE TRIGGER usage_record_timestamp_update
    BEFORE UPDATE OF "timestamp" ON usage_record
    FOR EACH ROW WHEN (NEW."timestamp" IS DISTINCT FROM OLD."timestamp"
        AND usage_timestamp_fault(NEW."timestamp") IS NOT NULL)
    EXECUTE FUNCTION refuse_usage_timestamp();

-- migrate:down
DROP TRIGGER usage_record_timestamp_update ON usage_record;
DROP TRIGGER usage_record_timestamp_insert ON usage_record;
DROP FUNCTION refuse_usage_timestamp();
DROP FUNCTION usage_timestamp_fault(timestamptz);
DROP FUNCTION usage_timestamp_last();
DROP FUNCTION usage_timestamp_first();
