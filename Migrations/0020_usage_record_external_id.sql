-- migrate:up transaction:false

-- A retry by the sender's own id finds the existing record.
--
-- One statement, which cannot run in a transaction. If it was interrupted, an invalid index remains;
-- `orbitalctl migrate up` drops it first.
CREATE UNIQUE INDEX CONCURRENTLY usage_record_external_id_key
    ON usage_record (external_id) WHERE external_id IS NOT NULL;

-- migrate:down transaction:false
DROP INDEX CONCURRENTLY usage_record_external_id_key;
