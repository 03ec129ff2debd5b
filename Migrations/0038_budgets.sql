-- migrate:up

-- Budgets: credits that everybody, a team or a user may use in a period. Nothing is refused when one is used up.
-- A row is never rewritten: to change a budget, end it and add another one with the same name.
CREATE TABLE budget (
    budget_id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT budget_pkey PRIMARY KEY,
    -- A segment of a URL.
    name text COLLATE "C" NOT NULL CONSTRAINT budget_name_check
        CHECK (name ~ '^[^/\u0001-\u001f\u007f-\u009f]{1,200}$' AND name NOT IN ('.', '..')),
    -- The user or the team; without both, the budget is of everybody. The rules are those of usage_attribution.
    user_id text COLLATE "C" NOT NULL DEFAULT '' CONSTRAINT budget_user_id_check
        CHECK (char_length(user_id) <= 200 AND user_id !~ '[\u0001-\u001f\u007f-\u009f]'),
    team_id text COLLATE "C" NOT NULL DEFAULT '' CONSTRAINT budget_team_id_check
        CHECK (char_length(team_id) <= 200 AND team_id !~ '[\u0001-\u001f\u007f-\u009f]'),
    credit_hundredths bigint NOT NULL CONSTRAINT budget_credit_hundredths_check
        CHECK (credit_hundredths BETWEEN 1 AND 9007199254740991),
    every text COLLATE "C" NOT NULL CONSTRAINT budget_every_check CHECK (every IN ('day', 'week', 'month')),
    -- The day on which months start: all months have it.
    month_start smallint NOT NULL DEFAULT 1 CONSTRAINT budget_month_start_check
        CHECK (month_start BETWEEN 1 AND CASE every WHEN 'month' THEN 28 ELSE 1 END),
    -- The reporting zone of its days; while a budget has it, it cannot be removed.
    zone_id smallint NOT NULL CONSTRAINT budget_zone_id_fkey REFERENCES usage_zone,
    -- Its life. Periods are whole: they may begin before it and end after it.
    begins_at timestamptz NOT NULL DEFAULT now(),
    ends_at timestamptz,
    -- In percent of the credits, ascending.
    thresholds smallint[] NOT NULL CONSTRAINT budget_thresholds_check
        CHECK (cardinality(thresholds) >= 1 AND cardinality(thresholds) <= 10
            AND 1 <= ALL (thresholds) AND 1000 >= ALL (thresholds)),
    added_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT budget_target_check CHECK (user_id = '' OR team_id = ''),
    CONSTRAINT budget_life_check CHECK (ends_at >= begins_at)
);

COMMENT ON TABLE budget IS 'Credits that everybody, a team or a user may use in a period; never rewritten';

-- At most one budget with a name at a time, and at most 1,000 that have not ended: each response has all of them.
-- Afterwards, only the end of a budget may change, to a time that has not passed; an erasure changes the user.
CREATE FUNCTION check_budget() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a budget cannot be deleted, only ended' USING ERRCODE = 'restrict_violation';
    ELSIF TG_OP = 'INSERT' THEN
        -- One after the other; a lock of the table would deadlock with that of the INSERT.
        PERFORM pg_advisory_xact_lock(7110416216);
        IF EXISTS (SELECT FROM budget WHERE name = NEW.name AND begins_at < coalesce(NEW.ends_at, 'infinity')
                AND greatest(begins_at, NEW.begins_at) < coalesce(ends_at, 'infinity')) THEN
            RAISE EXCEPTION 'there is a budget "%" at that time', NEW.name
                USING ERRCODE = 'unique_violation', TABLE = 'budget', CONSTRAINT = 'budget_name_key';
        ELSIF (SELECT count(*) FROM budget WHERE coalesce(ends_at, 'infinity') > now()) >= 1000 THEN
            RAISE EXCEPTION 'there are 1,000 budgets: end some first'
                USING ERRCODE = 'program_limit_exceeded', TABLE = 'budget', CONSTRAINT = 'budget_limit';
        ELSIF NEW.thresholds <> ARRAY(SELECT DISTINCT unnest(NEW.thresholds) ORDER BY 1) THEN
            RAISE EXCEPTION 'thresholds must ascend'
                USING ERRCODE = 'check_violation', TABLE = 'budget', CONSTRAINT = 'budget_thresholds_check';
        END IF;
    ELSIF to_jsonb(NEW) - '{ends_at,user_id}'::text[] <> to_jsonb(OLD) - '{ends_at,user_id}'::text[]
        OR NEW.user_id <> OLD.user_id AND NOT (OLD.user_id <> '' AND starts_with(NEW.user_id, 'erased-'))
        OR NEW.ends_at IS DISTINCT FROM OLD.ends_at
            AND (NEW.ends_at >= now() AND NEW.ends_at < coalesce(OLD.ends_at, 'infinity')) IS NOT TRUE
    THEN
        RAISE EXCEPTION 'of a budget, only the end can change, to a time that is earlier and has not passed'
            USING ERRCODE = 'restrict_violation', TABLE = 'budget', CONSTRAINT = 'budget_life_check';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER budget_check
    BEFORE INSERT OR UPDATE OR DELETE ON budget
    FOR EACH ROW EXECUTE FUNCTION check_budget();

CREATE TRIGGER budget_revision
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON budget
    FOR EACH STATEMENT EXECUTE FUNCTION bump_usage_revision();
ALTER TABLE budget ENABLE ALWAYS TRIGGER budget_revision;

-- The periods of some budgets that had begun by `instant`: those that have an instant from `since` (by default,
-- `instant`) to `instant` in the life of the budget. After its life: the last one. The offsets are seconds ahead
-- of UTC.
CREATE FUNCTION budget_periods(instant timestamptz, since timestamptz, budgets integer[])
RETURNS TABLE (budget_id integer, zone_id smallint, starts_at timestamptz, ends_at timestamptz,
    starts_offset integer, ends_offset integer)
LANGUAGE plpgsql VOLATILE ROWS 1000 SET search_path = public, pg_temp AS $$
DECLARE
    setting text := current_setting('TimeZone');
    zone usage_zone;
BEGIN
    FOR zone IN SELECT * FROM usage_zone AS used
        WHERE EXISTS (SELECT FROM budget WHERE budget.zone_id = used.zone_id AND budget.budget_id = ANY (budgets))
    LOOP
        PERFORM set_config('TimeZone', zone.name, true);
        RETURN QUERY
        WITH life AS (
            SELECT budget.budget_id, every, month_start, last,
                least(last, greatest(begins_at, coalesce(since, last))) AS first
            FROM budget, LATERAL (SELECT least(instant, budget.ends_at - interval '1 microsecond') AS last) AS until
            WHERE budget.zone_id = zone.zone_id AND budget.budget_id = ANY (budgets)
                AND begins_at <= instant AND begins_at < coalesce(budget.ends_at, 'infinity')
        ), local AS MATERIALIZED (
            -- If clocks go back over midnight, the day after the local date has already begun.
            SELECT moment, moment::date + (moment >= usage_day_start(moment::date + 1))::integer AS date
            FROM (SELECT last AS moment FROM life UNION SELECT first FROM life) AS moments
        ), period AS (
            SELECT life.budget_id, day::date AS first, (day + step)::date AS after
            FROM life JOIN local AS early ON early.moment = life.first JOIN local AS late ON late.moment = last,
                LATERAL (SELECT ('1 ' || every)::interval AS step, month_start - 1 AS shift) AS kind,
                generate_series(date_trunc(every, (early.date - shift)::timestamp) + shift * interval '1 day',
                    date_trunc(every, (late.date - shift)::timestamp) + shift * interval '1 day', step) AS day
        ), edge AS MATERIALIZED (
            SELECT date, usage_day_start(date) AS moment
            FROM (SELECT first AS date FROM period UNION SELECT after FROM period) AS dates
        )
        SELECT period.budget_id, zone.zone_id, start.moment, finish.moment,
            extract(timezone FROM start.moment)::integer, extract(timezone FROM finish.moment)::integer
        FROM period JOIN edge AS start ON start.date = first JOIN edge AS finish ON finish.date = after
        -- A day that the zone skipped is empty.
        WHERE start.moment < finish.moment;
    END LOOP;
    PERFORM set_config('TimeZone', setting, true);
END
$$;

COMMENT ON FUNCTION budget_periods IS 'The periods of budgets, in their zones';

-- migrate:down
DROP FUNCTION budget_periods(timestamptz, timestamptz, integer[]);
DROP TABLE budget;
DROP FUNCTION check_budget();
