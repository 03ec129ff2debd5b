-- migrate:up transaction:false

-- What arrived since?
--
-- One statement, which cannot run in a transaction. If it was interrupted, an invalid index remains;
-- `orbitalctl migrate up` drops it first.
CREATE INDEX CONCURRENTLY usage_record_recorded_at_idx
    ON usage_record (recorded_at) WHERE recorded_at IS NOT NULL;

-- migrate:down transaction:false
DROP INDEX CONCURRENTLY usage_record_recorded_at_idx;
