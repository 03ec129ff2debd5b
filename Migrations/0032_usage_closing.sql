-- migrate:up

-- Closing the books: records before a line are archived and deleted; their sums and ids stay. This changes the
-- catalogue only. If a long response holds the table, it gives up instead of letting all others wait behind it;
-- `orbitalctl migrate up` retries.
SET LOCAL lock_timeout = '300ms';

-- One row for each closing. The line is the latest of them.
CREATE TABLE usage_closing (
    -- The first instant that is open. Rollups have quarters of an hour, so sums are exact on both sides of it.
    closed_before timestamptz
        CONSTRAINT usage_closing_pkey PRIMARY KEY
        CONSTRAINT usage_closing_closed_before_check CHECK (
            closed_before >= '2000-01-01 00:00:00+00'
            AND closed_before = date_bin('15 minutes', closed_before, '2000-01-01 00:00:00+00')),

    -- The step that is done:
    --   begun     the line is in force: nothing before it is recorded, changed or listed
    --   summed    the sums before it are in closed_quarter_sum, closed_attribution_sum and closed_value_sum
    --   archived  the archive is written and was read again
    --   closed    usage_closed_id has all ids
    --   done      the records are deleted
    status text COLLATE "C" NOT NULL DEFAULT 'begun'
        CONSTRAINT usage_closing_status_check
            CHECK (status IN ('begun', 'summed', 'archived', 'closed', 'done')),

    -- The sums before this instant are closed.
    summed_before timestamptz
        CONSTRAINT usage_closing_summed_before_check CHECK (summed_before <= closed_before),
    CONSTRAINT usage_closing_summed_check CHECK (
        status = 'begun' OR summed_before IS NOT DISTINCT FROM closed_before),

    -- Where the archive was written, and what is in it.
    directory text NOT NULL,
    records bigint,
    credit_hundredths numeric,
    sha256 bytea CONSTRAINT usage_closing_sha256_check CHECK (octet_length(sha256) = 32),

    begun_at timestamptz NOT NULL DEFAULT now(),
    done_at timestamptz,

    CONSTRAINT usage_closing_archive_check CHECK (
        status IN ('begun', 'summed') OR num_nulls(records, credit_hundredths, sha256) = 0)
);

COMMENT ON TABLE usage_closing IS 'Closings of the books: each line, the step that is done, and the archive';

-- One closing after the other.
CREATE UNIQUE INDEX usage_closing_unfinished_key ON usage_closing ((status <> 'done')) WHERE status <> 'done';

-- The ids of closed records, so that a retry is refused however late it comes.
CREATE TABLE usage_closed_id (
    message_id bigint CONSTRAINT usage_closed_id_pkey PRIMARY KEY,

    -- The first 16 bytes of the SHA-256 of external_id.
    external_digest bytea
        CONSTRAINT usage_closed_id_external_digest_check CHECK (octet_length(external_digest) = 16)
);

COMMENT ON TABLE usage_closed_id IS 'The ids of closed records, which no other record may have';

CREATE INDEX usage_closed_id_external_digest_idx ON usage_closed_id (external_digest)
    WHERE external_digest IS NOT NULL;

-- A line changes responses. All counters and not one: a transaction whose snapshot is of before the line meets
-- a serialization failure at its next change of a record, whichever counter it takes.
CREATE FUNCTION raise_usage_revisions() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE usage_revision SET changes = changes + 1;
    RETURN NULL;
END
$$;

CREATE TRIGGER usage_closing_revision
    AFTER INSERT OR UPDATE OF closed_before OR DELETE OR TRUNCATE ON usage_closing
    FOR EACH STATEMENT EXECUTE FUNCTION raise_usage_revisions();
ALTER TABLE usage_closing ENABLE ALWAYS TRIGGER usage_closing_revision;

-- Refuses records before the line, and closed ids, from everyone. Whoever sets orbital.closing may change and
-- delete records before the line, but not their ids, nor move them over the line, because their sums are
-- closed; that is orbitalctl.
--
-- Once for each statement: a trigger for each row costs 8 µs a row. LIMIT makes each look-up use its index,
-- however many rows the first statement had, whose plan is reused. TRUNCATE has to wait until a closing is done,
-- which needs the records.
CREATE FUNCTION refuse_closed_usage() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    line timestamptz := (SELECT max(closed_before) FROM usage_closing);
    is_closing boolean;
    refused bigint;
BEGIN
    IF line IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        IF EXISTS (SELECT FROM usage_closing WHERE status <> 'done') THEN
            RAISE EXCEPTION 'the closing of the books before % is not finished',
                to_char(line AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                USING ERRCODE = 'restrict_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
                    CONSTRAINT = 'usage_record_closed', HINT = 'Run orbitalctl close again.';
        END IF;
        RETURN NULL;
    END IF;
    is_closing := coalesce(current_setting('orbital.closing', true), '') = 'on';
    IF TG_OP = 'INSERT' THEN
        SELECT message_id INTO refused FROM added
        WHERE "timestamp" < line
            OR (SELECT true FROM usage_closed_id AS closed WHERE closed.message_id = added.message_id LIMIT 1)
            OR external_id IS NOT NULL AND (
                SELECT true FROM usage_closed_id
                WHERE external_digest = substr(sha256(convert_to(added.external_id, 'UTF8')), 1, 16) LIMIT 1)
        LIMIT 1;
    ELSIF TG_OP = 'UPDATE' THEN
        SELECT message_id INTO refused FROM removed
        WHERE "timestamp" < line AND (NOT is_closing
            OR message_id NOT IN (SELECT message_id FROM added WHERE "timestamp" < line))
        LIMIT 1;
        IF refused IS NULL THEN
            SELECT added.message_id INTO refused FROM added LEFT JOIN removed USING (message_id)
            WHERE added."timestamp" < line AND (removed."timestamp" < line) IS NOT TRUE
                OR removed.message_id IS NULL AND (
                    SELECT true FROM usage_closed_id AS closed
                    WHERE closed.message_id = added.message_id LIMIT 1)
                OR added.external_id IS NOT NULL
                    AND added.external_id IS DISTINCT FROM removed.external_id AND (
                        SELECT true FROM usage_closed_id
                        WHERE external_digest = substr(sha256(convert_to(added.external_id, 'UTF8')), 1, 16)
                        LIMIT 1)
            LIMIT 1;
        END IF;
    ELSIF NOT is_closing THEN
        SELECT message_id INTO refused FROM removed WHERE "timestamp" < line LIMIT 1;
    END IF;
    IF refused IS NOT NULL THEN
        RAISE EXCEPTION 'records before % are closed',
            to_char(line AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            USING ERRCODE = 'restrict_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
                CONSTRAINT = 'usage_record_closed',
                DETAIL = format('message_id %s is before the line, or one of its ids is closed.', refused);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER usage_record_closed_insert
    AFTER INSERT ON usage_record REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_closed_usage();
CREATE TRIGGER usage_record_closed_update
    AFTER UPDATE ON usage_record REFERENCING OLD TABLE AS removed NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_closed_usage();
CREATE TRIGGER usage_record_closed_delete
    AFTER DELETE ON usage_record REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_closed_usage();
CREATE TRIGGER usage_record_closed_truncate
    BEFORE TRUNCATE ON usage_record
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_closed_usage();
ALTER TABLE usage_record
    ENABLE ALWAYS TRIGGER usage_record_closed_insert,
    ENABLE ALWAYS TRIGGER usage_record_closed_update,
    ENABLE ALWAYS TRIGGER usage_record_closed_delete,
    ENABLE ALWAYS TRIGGER usage_record_closed_truncate;

-- Closed records have prices, too, although they are deleted. Triggers fire in the order of their names: this
-- one after the one that waits for writers and for a closing.
CREATE FUNCTION refuse_closed_credit_rate() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    line timestamptz := (SELECT max(closed_before) FROM usage_closing);
BEGIN
    IF TG_OP = 'UPDATE' AND line IS NOT NULL OR NEW.effective_from < line THEN
        RAISE EXCEPTION 'records before % are closed, and have their prices',
            to_char(line AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            USING ERRCODE = 'restrict_violation', HINT = 'Add a rate with a later effective_from.';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER credit_rate_open
    BEFORE INSERT OR UPDATE ON credit_rate
    FOR EACH ROW EXECUTE FUNCTION refuse_closed_credit_rate();

-- migrate:down
DO $$
BEGIN
    IF EXISTS (SELECT FROM usage_closing) THEN
        RAISE EXCEPTION 'records are closed: without usage_closed_id, a retry would charge twice';
    END IF;
END
$$;
DROP TRIGGER credit_rate_open ON credit_rate;
DROP FUNCTION refuse_closed_credit_rate();
DROP TRIGGER usage_record_closed_truncate ON usage_record;
DROP TRIGGER usage_record_closed_delete ON usage_record;
DROP TRIGGER usage_record_closed_update ON usage_record;
DROP TRIGGER usage_record_closed_insert ON usage_record;
DROP FUNCTION refuse_closed_usage();
DROP TABLE usage_closed_id;
DROP TABLE usage_closing;
DROP FUNCTION raise_usage_revisions();
