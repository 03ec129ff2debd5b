-- migrate:up

-- Crossed thresholds of budgets, which `orbitalctl notify` finds and delivers. An event is never withdrawn, and its
-- body never changes, except that an erasure replaces the user.
CREATE TABLE budget_event (
    event_id uuid DEFAULT gen_random_uuid() CONSTRAINT budget_event_pkey PRIMARY KEY,
    budget_id integer NOT NULL CONSTRAINT budget_event_budget_id_fkey REFERENCES budget,
    period_start timestamptz NOT NULL,
    threshold smallint NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    -- NULL: it is delivered, or has failed for three days.
    next_attempt_at timestamptz DEFAULT now(),
    delivered_at timestamptz,
    -- Why the last attempt failed.
    fault text,
    CONSTRAINT budget_event_key UNIQUE (budget_id, period_start, threshold)
);

COMMENT ON TABLE budget_event IS 'Crossed thresholds of budgets, and their delivery';

-- Which are due?
CREATE INDEX budget_event_next_attempt_at_idx ON budget_event (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

-- Which have failed?
CREATE INDEX budget_event_failed_idx ON budget_event (created_at)
WHERE next_attempt_at IS NULL AND delivered_at IS NULL;

-- How long after so many attempts the next one comes.
CREATE FUNCTION budget_event_backoff(attempts integer) RETURNS interval LANGUAGE sql IMMUTABLE
SET search_path = public, pg_temp AS $$
    SELECT CASE attempts WHEN 0 THEN interval '1 second' WHEN 1 THEN '5 seconds' WHEN 2 THEN '30 seconds'
        WHEN 3 THEN '2 minutes' WHEN 4 THEN '10 minutes' ELSE '1 hour' END
$$;

-- Takes the event that is due first, for an attempt; no row if none is due. The program locks the row during the attempt.
-- If it is killed in the first one, the event is due again after a second; if it is killed in a later one, after the same
-- wait as after a failure, so that an event that ends programs does not hold up the others.
CREATE FUNCTION take_budget_event() RETURNS SETOF budget_event LANGUAGE sql VOLATILE
SET search_path = public, pg_temp AS $$
    UPDATE budget_event SET attempts = attempts + 1, next_attempt_at = now() + budget_event_backoff(attempts)
    WHERE event_id = (
        SELECT event_id FROM budget_event WHERE next_attempt_at <= now()
        ORDER BY next_attempt_at, created_at, threshold LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING *
$$;

-- Notes the result of an attempt, and plans the next one: `failure` is NULL if the receiver has confirmed the event. After
-- three days, a failure is the last one. NULL if another program has delivered the event. Not by now(): the transaction
-- began before the attempt.
CREATE FUNCTION settle_budget_event(event uuid, failure text) RETURNS budget_event LANGUAGE sql VOLATILE
SET search_path = public, pg_temp AS $$
    UPDATE budget_event SET fault = failure,
        delivered_at = CASE WHEN failure IS NULL THEN clock_timestamp() END,
        next_attempt_at = CASE WHEN failure IS NOT NULL AND clock_timestamp() < created_at + interval '71 hours'
            THEN clock_timestamp() + budget_event_backoff(attempts) END
    WHERE event_id = event AND delivered_at IS NULL
    RETURNING *
$$;

-- migrate:down
DROP FUNCTION settle_budget_event(uuid, text);
DROP FUNCTION take_budget_event();
DROP FUNCTION budget_event_backoff(integer);
DROP TABLE budget_event;
