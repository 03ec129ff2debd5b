-- migrate:up

-- Sums the existing records, beside readers and writers: 0027 left this out. Deltas of records that arrive
-- meanwhile wait. If it is interrupted, nothing has changed.
SELECT build_usage_rollups(NULL);

-- migrate:down
