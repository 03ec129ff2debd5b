-- migrate:up

-- A revision that somebody has read must survive a crash, or the next change would be given the same
-- number. A transaction that commits asynchronously is visible before it is on disk, so one that
-- changes the revision commits synchronously, at least locally.
--
-- Deferred to the commit itself: whatever SET the transaction runs after its changes, and whoever
-- changes the counters, this comes last.
CREATE FUNCTION commit_durably() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER usage_revision_durable
    AFTER UPDATE ON usage_revision
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION commit_durably();

-- Also where session_replication_role is 'replica'.
ALTER TABLE usage_revision ENABLE ALWAYS TRIGGER usage_revision_durable;
ALTER TABLE usage_record ENABLE ALWAYS TRIGGER usage_record_revision;
ALTER TABLE credit_rate ENABLE ALWAYS TRIGGER credit_rate_revision;

-- migrate:down
ALTER TABLE credit_rate ENABLE TRIGGER credit_rate_revision;
ALTER TABLE usage_record ENABLE TRIGGER usage_record_revision;
DROP TRIGGER usage_revision_durable ON usage_revision;
DROP FUNCTION commit_durably();
