-- migrate:up

-- The indexes that 0029 and 0030 replace, which took 91 bytes a record instead of 21. This changes the catalogue
-- only; if a long response holds the table, it gives up instead of letting all others wait behind it, and
-- `orbitalctl migrate up` retries.
SET LOCAL lock_timeout = '300ms';
DROP INDEX usage_record_credits_idx, usage_record_report_name_idx;

COMMENT ON INDEX usage_record_pkey IS 'One record; retries by message_id; pages by id';
COMMENT ON INDEX usage_record_timestamp_idx IS
    'Full reads, ranges and pages by time, sums: all columns of the contract, without reading the table';
COMMENT ON INDEX usage_record_credits_block_idx IS 'Pages by credits, and records between two prices';
COMMENT ON INDEX usage_record_report_name_block_idx IS 'Pages by report name, and the records of a report';
COMMENT ON INDEX usage_record_attribution_idx IS
    'Pages and sums of a user, team, model or tag; the newest record that a rate''s pattern matches';
COMMENT ON INDEX usage_record_recorded_at_idx IS 'What arrived since: recorded_from and recorded_to';
COMMENT ON INDEX usage_record_external_id_key IS 'Retries and queries by external_id';

-- migrate:down
CREATE INDEX usage_record_credits_idx ON usage_record (credit_hundredths, message_id);
CREATE INDEX usage_record_report_name_idx ON usage_record (report_name, message_id);
