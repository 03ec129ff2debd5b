-- migrate:up

-- Corrections: records with negative credits that take back all or part of another record. The record that is
-- corrected stays as it is.
SET LOCAL lock_timeout = '300ms';

-- Ids of corrections, above those of messages that the database chooses: a sender that counts its own ids up never
-- meets one. Exact in JavaScript.
CREATE SEQUENCE usage_correction_id_seq AS bigint MINVALUE 4503599627370497 MAXVALUE 9007199254740991;

-- A correction has the attribution and the report of its record.
CREATE FUNCTION attribute_usage_correction() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    original usage_record;
BEGIN
    SELECT * INTO original FROM usage_record WHERE message_id = NEW.corrects;
    IF FOUND THEN
        NEW.attribution_id := original.attribution_id;
        NEW.report_name := original.report_name;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER usage_record_correction_attribution
    BEFORE INSERT ON usage_record
    FOR EACH ROW WHEN (NEW.corrects IS NOT NULL)
    EXECUTE FUNCTION attribute_usage_correction();

-- The rules of corrections, for everybody: not more than what is left of the record; not of a correction; not dated
-- before the record; not of a closed record. An import may bring a correction without its record, as a part of an
-- export has it; then none of these rules can be checked.
--
-- This runs after the insertion, because a retry, which inserts nothing, must not be refused. The UPDATE changes no
-- value, but locks the record and makes a new version of it. So if two transactions correct a record at once, the
-- second one waits, and then sees the first correction; with an older snapshot it fails with 40001. The UPDATE also
-- fires the triggers that refuse changes of closed records.
CREATE FUNCTION check_usage_correction() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    original usage_record;
    fault text;
BEGIN
    -- As in a recount of many. Whoever corrects this record now waits for its update, which holds its lock.
    IF NEW.corrects IS NULL AND NOT EXISTS (SELECT FROM usage_record WHERE corrects = NEW.message_id) THEN
        RETURN NULL;
    END IF;
    UPDATE usage_record SET reason = reason WHERE message_id = coalesce(NEW.corrects, NEW.message_id)
    RETURNING * INTO original;
    IF NOT FOUND THEN
        IF EXISTS (SELECT FROM usage_closed_id WHERE message_id = NEW.corrects) THEN
            RAISE EXCEPTION 'the record % is closed', NEW.corrects
                USING ERRCODE = 'restrict_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
                    CONSTRAINT = 'usage_record_closed';
        END IF;
        -- Whoever has not seen the record yet could not see whether it is corrected, either.
        IF coalesce(current_setting('orbital.importing', true), '') <> 'on' THEN
            RAISE EXCEPTION 'there is no record %', NEW.corrects
                USING ERRCODE = 'foreign_key_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
                    CONSTRAINT = 'usage_record_corrects_check';
        END IF;
        RETURN NULL;
    END IF;
    fault := CASE
        WHEN NEW.corrects IS NOT NULL AND (original.corrects IS NOT NULL
            OR EXISTS (SELECT FROM usage_record WHERE corrects = NEW.message_id))
        THEN 'a correction cannot be corrected'
        WHEN NEW."timestamp" < original."timestamp" THEN 'a correction cannot be dated before its record'
        WHEN usage_credits_left(original) < 0 THEN 'the corrections of a record cannot exceed its credits'
    END;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION '%', fault
            USING ERRCODE = 'check_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
                CONSTRAINT = 'usage_record_corrects_check',
                DETAIL = format('message_id %s, of which %s hundredths are left.', original.message_id,
                    usage_credits_left(original));
    END IF;
    RETURN NULL;
END
$$;

-- The hundredths of a credit that corrections have left of a record.
CREATE FUNCTION usage_credits_left(record usage_record) RETURNS numeric LANGUAGE sql STABLE
SET search_path = public, pg_temp
RETURN record.credit_hundredths
    + coalesce((SELECT sum(credit_hundredths) FROM usage_record WHERE corrects = record.message_id), 0);

CREATE TRIGGER usage_record_correction_insert
    AFTER INSERT ON usage_record
    FOR EACH ROW WHEN (NEW.corrects IS NOT NULL)
    EXECUTE FUNCTION check_usage_correction();
CREATE TRIGGER usage_record_correction_update
    AFTER UPDATE OF corrects, credit_hundredths ON usage_record
    FOR EACH ROW WHEN (NEW.corrects IS DISTINCT FROM OLD.corrects
        OR NEW.credit_hundredths < OLD.credit_hundredths)
    EXECUTE FUNCTION check_usage_correction();

-- Takes back `hundredths` of the credits of a record, or all that is left if they are NULL. The correction is dated now,
-- or as the record if `at_its_time`. `sender_id` is its external id. Returns its amount, its message_id if there is a
-- correction, what is left of the record, and a status:
--   created             the correction is new
--   duplicate           a correction with this external id has the same amount and reason; or, without an external id
--                       and an amount, nothing is left, and this is the last correction
--   conflict            another record has the external id
--   unknown             there is no such record
--   closed              the record is closed
--   closed_external_id  a closed record has the external id
--   correction          the record is a correction
--   exceeded            nothing is left, or less than the amount
--   out_of_range        the record is dated before 2000, where no new record may be
CREATE FUNCTION correct_usage_record(
    corrected bigint, why text, INOUT hundredths bigint DEFAULT NULL, sender_id text DEFAULT NULL,
    at_its_time boolean DEFAULT false, OUT status text, OUT correction bigint, OUT credits_left numeric
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    original usage_record;
    existing usage_record;
    attempts integer := 0;
BEGIN
    SELECT * INTO original FROM usage_record WHERE message_id = corrected FOR NO KEY UPDATE;
    IF NOT FOUND OR original."timestamp" < (SELECT max(closed_before) FROM usage_closing) THEN
        status := CASE WHEN FOUND OR EXISTS (SELECT FROM usage_closed_id WHERE message_id = corrected)
            THEN 'closed' ELSE 'unknown' END;
        RETURN;
    END IF;
    credits_left := usage_credits_left(original);
    IF sender_id IS NOT NULL THEN
        SELECT * INTO existing FROM usage_record WHERE external_id = sender_id;
        IF FOUND THEN
            correction := existing.message_id;
            status := CASE WHEN existing.corrects = corrected AND existing.reason = why
                AND CASE WHEN hundredths IS NULL THEN credits_left <= 0
                    ELSE existing.credit_hundredths = -hundredths END
                AND NOT (at_its_time AND existing."timestamp" <> original."timestamp")
                THEN 'duplicate' ELSE 'conflict' END;
            RETURN;
        ELSIF EXISTS (SELECT FROM usage_closed_id
            WHERE external_digest = substr(sha256(convert_to(sender_id, 'UTF8')), 1, 16)) THEN
            status := 'closed_external_id';
            RETURN;
        END IF;
    ELSIF hundredths IS NULL AND credits_left <= 0 THEN
        SELECT message_id INTO correction FROM usage_record WHERE corrects = corrected
        ORDER BY recorded_at DESC NULLS LAST, message_id DESC LIMIT 1;
    END IF;
    status := CASE
        WHEN original.corrects IS NOT NULL THEN 'correction'
        WHEN correction IS NOT NULL THEN 'duplicate'
        WHEN credits_left <= 0 OR hundredths > credits_left THEN 'exceeded'
        WHEN at_its_time AND original."timestamp" < usage_timestamp_first() THEN 'out_of_range'
    END;
    IF status IS NOT NULL THEN
        RETURN;
    END IF;
    LOOP
        correction := nextval('usage_correction_id_seq');
        EXIT WHEN NOT EXISTS (SELECT FROM usage_record WHERE message_id = correction)
            AND NOT EXISTS (SELECT FROM usage_closed_id WHERE message_id = correction);
        attempts := attempts + 1;
        IF attempts > 8 THEN
            -- An import has brought many. Only one at a time skips some, twice as many each time.
            PERFORM pg_advisory_xact_lock(7110416212);
            PERFORM setval('usage_correction_id_seq',
                nextval('usage_correction_id_seq') + (1::bigint << (attempts - 8)));
        END IF;
    END LOOP;
    hundredths := coalesce(hundredths, credits_left);
    INSERT INTO usage_record (message_id, external_id, "timestamp", corrects, reason, credit_hundredths)
    VALUES (correction, sender_id, CASE WHEN at_its_time THEN original."timestamp"
        ELSE greatest(statement_timestamp(), original."timestamp") END, corrected, why, -hundredths);
    status := 'created';
    credits_left := credits_left - hundredths;
END
$$;

COMMENT ON FUNCTION correct_usage_record IS 'Takes back all or part of the credits of a record';

REVOKE EXECUTE ON FUNCTION correct_usage_record FROM PUBLIC;

-- Who may correct.
ALTER TABLE api_key DROP CONSTRAINT api_key_scopes_check,
    ADD CONSTRAINT api_key_scopes_check CHECK (
        cardinality(scopes) > 0 AND scopes <@ ARRAY['usage:read', 'usage:write', 'usage:correct']);

-- migrate:down
DO $$
BEGIN
    IF EXISTS (SELECT FROM usage_record WHERE corrects IS NOT NULL) THEN
        RAISE EXCEPTION 'there are corrections: without their rules, records could be corrected twice';
    END IF;
END
$$;
ALTER TABLE api_key DROP CONSTRAINT api_key_scopes_check,
    ADD CONSTRAINT api_key_scopes_check CHECK (
        cardinality(scopes) > 0 AND scopes <@ ARRAY['usage:read', 'usage:write']);
DROP FUNCTION correct_usage_record(bigint, text, bigint, text, boolean);
DROP TRIGGER usage_record_correction_update ON usage_record;
DROP TRIGGER usage_record_correction_insert ON usage_record;
DROP TRIGGER usage_record_correction_attribution ON usage_record;
DROP FUNCTION check_usage_correction();
DROP FUNCTION usage_credits_left(usage_record);
DROP FUNCTION attribute_usage_correction();
DROP SEQUENCE usage_correction_id_seq;
