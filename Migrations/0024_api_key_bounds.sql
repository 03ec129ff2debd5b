-- migrate:up

-- What all records have in common that a key may see and record; NULL is any. All bounds must match. The
-- rules are those of usage_attribution, so that a record can match them.
ALTER TABLE api_key
    ADD COLUMN bound_user_id text COLLATE "C"
        CONSTRAINT api_key_bound_user_id_check CHECK (
            bound_user_id <> '' AND char_length(bound_user_id) <= 200
            AND bound_user_id !~ '[\u0001-\u001f\u007f-\u009f]'),
    ADD COLUMN bound_team_id text COLLATE "C"
        CONSTRAINT api_key_bound_team_id_check CHECK (
            bound_team_id <> '' AND char_length(bound_team_id) <= 200
            AND bound_team_id !~ '[\u0001-\u001f\u007f-\u009f]'),
    ADD COLUMN bound_tags jsonb
        CONSTRAINT api_key_bound_tags_check CHECK (
            bound_tags IS NULL OR bound_tags <> '{}' AND usage_tags_are_valid(bound_tags));

-- migrate:down
-- Without its bounds, a key would show all records.
UPDATE api_key SET revoked_at = coalesce(revoked_at, now())
WHERE num_nonnulls(bound_user_id, bound_team_id, bound_tags) > 0;
ALTER TABLE api_key DROP COLUMN bound_user_id, DROP COLUMN bound_team_id, DROP COLUMN bound_tags;
