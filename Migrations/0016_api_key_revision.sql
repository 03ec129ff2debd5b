-- migrate:up

-- A number that changes with every change of a key: programs that cache keys need one query to see
-- that the cache is current. One row: keys change rarely, and readers never wait for it.
CREATE TABLE api_key_revision (
    is_only boolean DEFAULT true CONSTRAINT api_key_revision_pkey PRIMARY KEY
        CONSTRAINT api_key_revision_is_only_check CHECK (is_only),
    changes bigint NOT NULL
) WITH (fillfactor = 10);

-- Starts at the clock, so that a recreated schema never reuses a number that programs have cached.
INSERT INTO api_key_revision (changes) VALUES (floor(extract(epoch FROM now()) * 1000));

COMMENT ON TABLE api_key_revision IS 'Changes with every change of api_key; raised by triggers only';

CREATE FUNCTION raise_api_key_revision() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE api_key_revision SET changes = changes + 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'api_key_revision has lost its row';
    END IF;
    RETURN NULL;
END
$$;

-- For each row: logical replication does not fire statement triggers. TRUNCATE has no rows.
CREATE TRIGGER api_key_change
    AFTER INSERT OR UPDATE OR DELETE ON api_key
    FOR EACH ROW EXECUTE FUNCTION raise_api_key_revision();

CREATE TRIGGER api_key_truncate
    AFTER TRUNCATE ON api_key
    FOR EACH STATEMENT EXECUTE FUNCTION raise_api_key_revision();

-- As for usage_revision: a number that was read must survive a crash.
CREATE CONSTRAINT TRIGGER api_key_revision_durable
    AFTER UPDATE ON api_key_revision
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION commit_durably();

ALTER TABLE api_key ENABLE ALWAYS TRIGGER api_key_change;
ALTER TABLE api_key ENABLE ALWAYS TRIGGER api_key_truncate;
ALTER TABLE api_key_revision ENABLE ALWAYS TRIGGER api_key_revision_durable;

-- migrate:down
DROP TRIGGER api_key_truncate ON api_key;
DROP TRIGGER api_key_change ON api_key;
DROP FUNCTION raise_api_key_revision();
DROP TABLE api_key_revision;
