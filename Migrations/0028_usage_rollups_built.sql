-- migrate:up transaction:false

-- Sums the existing records, beside readers and writers: 0027 left this out. A month, or a day of a large month,
-- in each transaction. If it is interrupted, `orbitalctl migrate up` continues it.
--
-- One statement, which cannot run in a transaction.
CALL build_usage_rollups(NULL, true);

-- migrate:down
