-- migrate:up transaction:false

-- The pages of records without a user, team, model or tag, newest first: where nearly all records have an
-- attribution, the index of time would be walked to its end to find the others. A record with an
-- attribution costs nothing here, one without 22 bytes.
--
-- One statement, which cannot run in a transaction. If it was interrupted, an invalid index remains;
-- `orbitalctl migrate up` drops it first.
CREATE INDEX CONCURRENTLY usage_record_unattributed_idx
    ON usage_record ("timestamp") WHERE attribution_id IS NULL;

-- migrate:down transaction:false
DROP INDEX CONCURRENTLY usage_record_unattributed_idx;
