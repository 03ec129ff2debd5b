-- migrate:up transaction:false

-- The corrections of a record, for its receipt and for what is left of it.
--
-- One statement, which cannot run in a transaction. If it was interrupted, an invalid index remains;
-- `orbitalctl migrate up` drops it first.
CREATE INDEX CONCURRENTLY usage_record_corrects_idx
    ON usage_record (corrects) WHERE corrects IS NOT NULL;

-- migrate:down transaction:false
DROP INDEX CONCURRENTLY usage_record_corrects_idx;
