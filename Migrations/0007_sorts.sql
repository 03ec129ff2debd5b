-- migrate:up

-- Text sorts by code point, the same on every server, in every format and in psql.
ALTER TABLE usage_record ALTER COLUMN report_name TYPE text COLLATE "C";

-- The dearest messages and the reports in order, page by page: each page is a range of the index.
-- One index serves both directions, because records that are alike are fetched as a range of
-- their own, in the order of message_id. The second one finds the records of a report, too.
CREATE INDEX usage_record_credits_idx ON usage_record (credit_hundredths, message_id);
CREATE INDEX usage_record_report_name_idx ON usage_record (report_name, message_id);

-- migrate:down
DROP INDEX usage_record_report_name_idx;
DROP INDEX usage_record_credits_idx;
ALTER TABLE usage_record ALTER COLUMN report_name TYPE text COLLATE "default";
