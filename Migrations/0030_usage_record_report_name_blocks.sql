-- migrate:up transaction:false

-- Pages by report name, and the records of a report; with blocks of ids as in 0029.
--
-- One statement, which cannot run in a transaction. If it was interrupted, an invalid index remains;
-- `orbitalctl migrate up` drops it first.
CREATE INDEX CONCURRENTLY usage_record_report_name_block_idx
    ON usage_record (report_name, (message_id >> 17));

-- migrate:down transaction:false
DROP INDEX CONCURRENTLY usage_record_report_name_block_idx;
