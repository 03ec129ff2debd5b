-- migrate:up transaction:false

-- The pages of one user, team, model or tag, newest first; the newest record of a model. Without
-- message_id: records of one attribution rarely have the same time, and it would cost 14 bytes a record.
--
-- One statement, which cannot run in a transaction. If it was interrupted, an invalid index remains;
-- `orbitalctl migrate up` drops it first.
CREATE INDEX CONCURRENTLY usage_record_attribution_idx
    ON usage_record (attribution_id, "timestamp") WHERE attribution_id IS NOT NULL;

-- migrate:down transaction:false
DROP INDEX CONCURRENTLY usage_record_attribution_idx;
