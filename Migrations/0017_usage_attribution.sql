-- migrate:up

-- Who and what records belong to: one row for each combination of user, team, model and tags. A record
-- holds its number of 4 bytes, and a group of records is a join with this small table.
--
-- '' and '{}' mean "without", so that equality needs no special case for NULL.
CREATE TABLE usage_attribution (
    attribution_id integer GENERATED ALWAYS AS IDENTITY
        CONSTRAINT usage_attribution_pkey PRIMARY KEY,

    -- SHA-256 of the four values. They may be longer than an index row (2,704 bytes).
    digest bytea NOT NULL
        CONSTRAINT usage_attribution_digest_key UNIQUE
        CONSTRAINT usage_attribution_digest_check CHECK (octet_length(digest) = 32),

    user_id text COLLATE "C" NOT NULL
        CONSTRAINT usage_attribution_user_id_check
            CHECK (char_length(user_id) <= 200 AND user_id !~ '[\u0001-\u001f\u007f-\u009f]'),
    team_id text COLLATE "C" NOT NULL
        CONSTRAINT usage_attribution_team_id_check
            CHECK (char_length(team_id) <= 200 AND team_id !~ '[\u0001-\u001f\u007f-\u009f]'),
    model text COLLATE "C" NOT NULL
        CONSTRAINT usage_attribution_model_check
            CHECK (char_length(model) <= 200 AND model !~ '[\u0001-\u001f\u007f-\u009f]'),

    -- Up to 8 pairs of key and value, for things with few values (feature, environment).
    tags jsonb NOT NULL
);

COMMENT ON TABLE usage_attribution IS 'Who and what records belong to: user, team, model and tags';

-- Tags as the API shows them: sorted by key, without blanks.
CREATE FUNCTION usage_tags_text(tags jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT '{' || coalesce(
        string_agg(to_json(key)::text || ':' || to_json(value)::text, ',' ORDER BY key COLLATE "C"),
        '') || '}'
    FROM jsonb_each_text(tags);
END;

-- Whether tags have at most 8 pairs with valid keys and values.
CREATE FUNCTION usage_tags_are_valid(tags jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN jsonb_typeof(tags) = 'object' THEN (
        SELECT count(*) <= 8 AND coalesce(bool_and(
            key ~ '^[A-Za-z0-9_.-]{1,64}$' AND jsonb_typeof(value) = 'string'
            AND char_length(value #>> '{}') BETWEEN 1 AND 200
            AND value #>> '{}' !~ '[\u0001-\u001f\u007f-\u009f]'), true)
        FROM jsonb_each(tags))
    ELSE false END;
END;

ALTER TABLE usage_attribution ADD CONSTRAINT usage_attribution_tags_check
    CHECK (usage_tags_are_valid(tags));

-- The digest of a combination; absent values are NULL, '' or '{}'. A JSON array is an unambiguous
-- form of four texts.
CREATE FUNCTION usage_attribution_digest(user_id text, team_id text, model text, tags jsonb)
RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN sha256(convert_to(jsonb_build_array(
    coalesce(user_id, ''), coalesce(team_id, ''), coalesce(model, ''),
    usage_tags_text(coalesce(tags, '{}')))::text, 'UTF8'));

-- The number of a combination, which is created if it is new; NULL if all four values are absent.
--
-- SELECT comes first, because ON CONFLICT uses up a number at every call. If another transaction has
-- created the combination, and the snapshot of this one does not see it, the error is 40001: retry.
CREATE FUNCTION usage_attribution(user_id text, team_id text, model text, tags jsonb)
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

COMMENT ON FUNCTION usage_attribution IS 'The number of a user, team, model and tags for usage_record';

-- A changed attribution changes responses; a new one does not, until a record has it.
CREATE TRIGGER usage_attribution_revision
    AFTER UPDATE OR DELETE OR TRUNCATE ON usage_attribution
    FOR EACH STATEMENT EXECUTE FUNCTION bump_usage_revision();
ALTER TABLE usage_attribution ENABLE ALWAYS TRIGGER usage_attribution_revision;

-- migrate:down
DROP FUNCTION usage_attribution(text, text, text, jsonb);
DROP FUNCTION usage_attribution_digest(text, text, text, jsonb);
DROP TABLE usage_attribution;
DROP FUNCTION usage_tags_are_valid(jsonb);
DROP FUNCTION usage_tags_text(jsonb);
