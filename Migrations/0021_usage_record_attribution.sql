-- migrate:up transaction:false

-- The pages of one user, team, model or tag, newest first; the newest record of a model.
--
-- One statement, which cannot run in a transaction. If it was interrupted, an invalid index remains;
-- `orbitalctl migrate up` drops it first.
CREATE INDEX CONCURRENTLY usage_record_attribution_idx
    ON usage_record (attribution_id, "timestamp", message_id) WHERE attribution_id IS NOT NULL;

-- migrate:down transaction:false
DROP INDEX CONCURRENTLY usage_record_attribution_idx;
