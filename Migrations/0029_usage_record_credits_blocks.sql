-- migrate:up transaction:false

-- Pages by credits. Records of the same credits in a block of 131,072 ids share an entry, which has 6 bytes
-- for each of them. Where a page begins or ends, it reads a block as a whole, or the records of all credits in
-- the order of their ids if many have these.
--
-- One statement, which cannot run in a transaction. If it was interrupted, an invalid index remains;
-- `orbitalctl migrate up` drops it first.
CREATE INDEX CONCURRENTLY usage_record_credits_block_idx
    ON usage_record (credit_hundredths, (message_id >> 17));

-- migrate:down transaction:false
DROP INDEX CONCURRENTLY usage_record_credits_block_idx;
