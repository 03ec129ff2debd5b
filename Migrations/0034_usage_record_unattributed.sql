-- migrate:up transaction:false

-- Pages of records without a user, team, model or tag: together with usage_record_attribution_idx, which
-- leaves out those without an attribution. It is empty where all records have one.
--
-- One statement, which cannot run in a transaction. If it was interrupted, an invalid index remains;
-- `orbitalctl migrate up` drops it first.
CREATE INDEX CONCURRENTLY usage_record_unattributed_idx
    ON usage_record ("timestamp") WITH (fillfactor = 96) WHERE attribution_id IS NULL;

-- migrate:down transaction:false
DROP INDEX CONCURRENTLY usage_record_unattributed_idx;
