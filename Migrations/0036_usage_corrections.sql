-- migrate:up

-- Corrections: records with negative credits that take back all or part of another record. The record that is
-- corrected stays as it is.
SET LOCAL lock_timeout = '300ms';

-- A correction belongs to whom its record does, whoever writes it.
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

-- Refuses a correction of more than what is left, of a correction, or dated before its record, from everybody.
-- After the insertion, so that a retry is a duplicate before it is too much. A correction whose record is
-- absent, because only a part of an export was imported, has nothing to agree with.
--
-- The update changes nothing, but is one: of two transactions that correct a record at once, the second sees
-- what the first has committed, or fails with 40001. It also meets the triggers that refuse closed records.
CREATE FUNCTION check_usage_correction() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    original usage_record;
    fault text;
BEGIN
    UPDATE usage_record SET reason = reason WHERE message_id = coalesce(NEW.corrects, NEW.message_id)
    RETURNING * INTO original;
    IF NOT FOUND THEN
        IF EXISTS (SELECT FROM usage_closed_id WHERE message_id = NEW.corrects) THEN
            RAISE EXCEPTION 'the record % is closed', NEW.corrects
                USING ERRCODE = 'restrict_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
                    CONSTRAINT = 'usage_record_closed';
        END IF;
        RETURN NULL;
    END IF;
    fault := CASE
        WHEN original.corrects IS NOT NULL THEN 'a correction cannot be corrected'
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

-- Corrects a record: by so many hundredths of a credit, or without them by all that is left; now, or at the
-- time of the record. Returns the hundredths, the number of the correction if there is one, what is left of the
-- record, and:
--   created    the correction
--   duplicate  it exists: under this external id, or, without one, nothing was left to correct
--   conflict   the external id belongs to another record
--   unknown    there is no such record
--   closed, closed_external_id
--   correction it is a correction itself
--   exceeded   less is left, or nothing
--   out_of_range  its time is from before 2000
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
                AND existing.credit_hundredths = coalesce(-hundredths, existing.credit_hundredths)
                AND NOT (at_its_time AND existing."timestamp" <> original."timestamp")
                THEN 'duplicate' ELSE 'conflict' END;
            RETURN;
        ELSIF EXISTS (SELECT FROM usage_closed_id
            WHERE external_digest = substr(sha256(convert_to(sender_id, 'UTF8')), 1, 16)) THEN
            status := 'closed_external_id';
            RETURN;
        END IF;
    ELSIF hundredths IS NULL AND credits_left = 0 THEN
        SELECT message_id INTO correction FROM usage_record WHERE corrects = corrected
        ORDER BY recorded_at DESC NULLS LAST, message_id DESC LIMIT 1;
    END IF;
    status := CASE
        WHEN original.corrects IS NOT NULL THEN 'correction'
        WHEN correction IS NOT NULL THEN 'duplicate'
        WHEN credits_left = 0 OR hundredths > credits_left THEN 'exceeded'
        WHEN at_its_time AND original."timestamp" < usage_timestamp_first() THEN 'out_of_range'
    END;
    IF status IS NOT NULL THEN
        RETURN;
    END IF;
    LOOP
        correction := nextval('usage_record_message_id_seq');
        EXIT WHEN NOT EXISTS (SELECT FROM usage_record WHERE message_id = correction)
            AND NOT EXISTS (SELECT FROM usage_closed_id WHERE message_id = correction);
        attempts := attempts + 1;
        IF attempts = 16 THEN
            -- Senders have chosen the next ones. Nobody else advances it meanwhile: it must not go back.
            PERFORM pg_advisory_xact_lock(7110416212);
            PERFORM setval('usage_record_message_id_seq', greatest(
                nextval('usage_record_message_id_seq'),
                (SELECT max(message_id) FROM usage_record WHERE message_id <= 4503599627370496),
                (SELECT max(message_id) FROM usage_closed_id WHERE message_id <= 4503599627370496)));
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
