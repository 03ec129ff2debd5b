-- migrate:up

-- The revision is a number that changes whenever a usage record or the price list changes: the
-- sum of these counters. They are ordinary rows, so it is transactional: it changes exactly when
-- a commit becomes visible, and not at all when a transaction rolls back.
--
-- Sixteen rows and not one, so that writers do not wait for each other's commits. Writers under
-- REPEATABLE READ or SERIALIZABLE may meet serialization failures here, and must try again.
CREATE TABLE usage_revision (
    shard smallint CONSTRAINT usage_revision_pkey PRIMARY KEY
        CONSTRAINT usage_revision_shard_check CHECK (shard BETWEEN 0 AND 15),
    changes bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

-- From the clock, so that a schema made anew does not count through numbers that clients know.
INSERT INTO usage_revision (shard, changes)
SELECT shard, CASE shard WHEN 0 THEN floor(extract(epoch FROM now()) * 1000) ELSE 0 END
FROM generate_series(0, 15) AS shard;

COMMENT ON TABLE usage_revision IS 'Counters whose sum is the revision; bumped by triggers only';

CREATE FUNCTION usage_revision() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT sum(changes)::bigint FROM usage_revision);

-- Takes a free row, the backend's own if it can: a session that leaves its transaction open
-- holds that row's lock, and must not make a sixteenth of all other writers wait.
CREATE FUNCTION bump_usage_revision() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    own smallint := pg_backend_pid() % 16;
    free smallint;
BEGIN
    SELECT shard INTO free FROM usage_revision
    ORDER BY shard <> own, shard
    LIMIT 1
    FOR UPDATE SKIP LOCKED;
    UPDATE usage_revision SET changes = changes + 1 WHERE shard = coalesce(free, own);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'usage_revision has lost its rows';
    END IF;
    RETURN NULL;
END
$$;

-- One trigger for each statement, not for each row: a batch of 10,000 bumps once.
CREATE TRIGGER usage_record_revision
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON usage_record
    FOR EACH STATEMENT EXECUTE FUNCTION bump_usage_revision();

CREATE TRIGGER credit_rate_revision
    AFTER INSERT ON credit_rate
    FOR EACH STATEMENT EXECUTE FUNCTION bump_usage_revision();

-- migrate:down
DROP TRIGGER credit_rate_revision ON credit_rate;
DROP TRIGGER usage_record_revision ON usage_record;
DROP FUNCTION bump_usage_revision();
DROP FUNCTION usage_revision();
DROP TABLE usage_revision;
