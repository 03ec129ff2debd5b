-- migrate:up

-- What an attribution must be, whoever writes it.
SET LOCAL lock_timeout = '300ms';

-- The digest is calculated here only, so that an UPDATE cannot leave an old one behind, by which a
-- message of the former user would find the row. Two equal rows violate usage_attribution_digest_key.
CREATE FUNCTION set_usage_attribution_digest() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
    NEW.digest := usage_attribution_digest(NEW.user_id, NEW.team_id, NEW.model, NEW.tags);
    RETURN NEW;
END
$$;

CREATE TRIGGER usage_attribution_digest
    BEFORE INSERT OR UPDATE ON usage_attribution
    FOR EACH ROW EXECUTE FUNCTION set_usage_attribution_digest();

-- Refuses to delete attributions of records, which would be nobody's. It waits for the transactions that
-- are recording, but not for long, because others wait behind it.
--
-- At the end of the statement, so that records and attributions can be truncated together.
CREATE FUNCTION refuse_used_attribution() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp SET lock_timeout = '300ms' AS $$
DECLARE
    is_used boolean;
BEGIN
    LOCK TABLE usage_record IN SHARE ROW EXCLUSIVE MODE;
    IF TG_OP = 'TRUNCATE' THEN
        is_used := EXISTS (SELECT FROM usage_record WHERE attribution_id IS NOT NULL);
    ELSE
        is_used := EXISTS (
            SELECT FROM deleted CROSS JOIN LATERAL (
                SELECT FROM usage_record
                WHERE attribution_id = deleted.attribution_id LIMIT 1) AS record);
    END IF;
    IF is_used THEN
        RAISE EXCEPTION 'records have this attribution' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER usage_attribution_delete
    AFTER DELETE ON usage_attribution REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_used_attribution();
CREATE TRIGGER usage_attribution_truncate
    AFTER TRUNCATE ON usage_attribution
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_used_attribution();

-- Tags as responses have them, NULL for "without". Making the text takes 18 µs, too long for each of a
-- million records of a full read.
ALTER TABLE usage_attribution
    ADD COLUMN tags_text text GENERATED ALWAYS AS (nullif(usage_tags_text(tags), '{}')) STORED;

-- As in 0017, but values that the table refuses use up no number. Their number is 0, which the last of the
-- constraints by name refuses if no other one does.
ALTER TABLE usage_attribution
    ADD CONSTRAINT usage_attribution_valid_check CHECK (attribution_id > 0);

CREATE OR REPLACE FUNCTION usage_attribution(user_id text, team_id text, model text, tags jsonb)
RETURNS integer LANGUAGE plpgsql VOLATILE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    key bytea := usage_attribution_digest($1, $2, $3, $4);
    found_id integer;
BEGIN
    IF coalesce($1, '') = '' AND coalesce($2, '') = '' AND coalesce($3, '') = ''
        AND coalesce($4, '{}') = '{}' THEN
        RETURN NULL;
    END IF;
    SELECT attribution_id INTO found_id FROM usage_attribution WHERE digest = key;
    IF FOUND THEN
        RETURN found_id;
    END IF;
    -- With the digest, because a replica's session does not fire the trigger.
    INSERT INTO usage_attribution (attribution_id, digest, user_id, team_id, model, tags)
    OVERRIDING SYSTEM VALUE
    SELECT CASE
            WHEN coalesce(greatest(char_length($1), char_length($2), char_length($3)), 0) <= 200
                AND concat($1, $2, $3) !~ '[\u0001-\u001f\u007f-\u009f]'
                AND usage_tags_are_valid(coalesce($4, '{}'))
            THEN nextval('usage_attribution_attribution_id_seq')
            ELSE 0 -- a constraint refuses the row
        END, key, coalesce($1, ''), coalesce($2, ''), coalesce($3, ''), coalesce($4, '{}')
    ON CONFLICT (digest) DO NOTHING
    RETURNING attribution_id INTO found_id;
    IF FOUND THEN
        RETURN found_id;
    END IF;
    SELECT attribution_id INTO found_id FROM usage_attribution WHERE digest = key;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another transaction has created this attribution'
            USING ERRCODE = 'serialization_failure', HINT = 'Retry the transaction.';
    END IF;
    RETURN found_id;
END
$$;

-- migrate:down
ALTER TABLE usage_attribution DROP COLUMN tags_text;
DROP TRIGGER usage_attribution_truncate ON usage_attribution;
DROP TRIGGER usage_attribution_delete ON usage_attribution;
DROP TRIGGER usage_attribution_digest ON usage_attribution;
DROP FUNCTION refuse_used_attribution();
DROP FUNCTION set_usage_attribution_digest();
ALTER TABLE usage_attribution DROP CONSTRAINT usage_attribution_valid_check;

CREATE OR REPLACE FUNCTION usage_attribution(user_id text, team_id text, model text, tags jsonb)
RETURNS integer LANGUAGE plpgsql VOLATILE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    key bytea := usage_attribution_digest($1, $2, $3, $4);
    found_id integer;
BEGIN
    IF coalesce($1, '') = '' AND coalesce($2, '') = '' AND coalesce($3, '') = ''
        AND coalesce($4, '{}') = '{}' THEN
        RETURN NULL;
    END IF;
    SELECT attribution_id INTO found_id FROM usage_attribution WHERE digest = key;
    IF FOUND THEN
        RETURN found_id;
    END IF;
    INSERT INTO usage_attribution (digest, user_id, team_id, model, tags)
    VALUES (key, coalesce($1, ''), coalesce($2, ''), coalesce($3, ''), coalesce($4, '{}'))
    ON CONFLICT (digest) DO NOTHING
    RETURNING attribution_id INTO found_id;
    IF FOUND THEN
        RETURN found_id;
    END IF;
    SELECT attribution_id INTO found_id FROM usage_attribution WHERE digest = key;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another transaction has created this attribution'
            USING ERRCODE = 'serialization_failure', HINT = 'Retry the transaction.';
    END IF;
    RETURN found_id;
END
$$;
