-- migrate:up

-- Ids that the database chooses are exact in JavaScript, whose numbers are up to 2^53 - 1. After the
-- last one, choosing is an error. A sequence that has gone further goes on after the records below
-- 2^52, as in the statements that record.
SELECT setval('usage_record_message_id_seq', (
    SELECT coalesce(max(message_id), 1) FROM usage_record
    WHERE message_id BETWEEN 1 AND 4503599627370496))
FROM usage_record_message_id_seq
WHERE last_value > 9007199254740991;

ALTER SEQUENCE usage_record_message_id_seq MAXVALUE 9007199254740991;

-- migrate:down
ALTER SEQUENCE usage_record_message_id_seq NO MAXVALUE;
