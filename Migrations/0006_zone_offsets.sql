-- migrate:up

-- How far the clocks of a time zone are ahead of UTC from `first` to `last`: one row for the
-- offset at `first`, and one for each instant at which the clocks are set until `last`.
--
-- PostgreSQL knows the zones, but answers only for one instant at a time. So this asks for each
-- day, and halves a day in which the answer changes down to the second. Two changes within a day
-- would be missed if the second undid the first; in all zones the shortest time between two
-- changes of the clocks is 95 hours (Freetown, 1939).
CREATE FUNCTION zone_offsets(zone text, first timestamptz, last timestamptz)
RETURNS TABLE (since timestamptz, offset_seconds bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE
    before timestamptz := date_trunc('second', first);
    changed timestamptz;
    middle timestamptz;
    offset_before interval := before AT TIME ZONE zone - before AT TIME ZONE 'UTC';
BEGIN
    since := before;
    offset_seconds := extract(epoch FROM offset_before);
    RETURN NEXT;
    WHILE before < last LOOP
        changed := before + interval '24 hours';
        IF changed AT TIME ZONE zone - changed AT TIME ZONE 'UTC' <> offset_before THEN
            WHILE changed - before > interval '1 second' LOOP
                middle := date_trunc('second', before + (changed - before) / 2);
                IF middle AT TIME ZONE zone - middle AT TIME ZONE 'UTC' = offset_before THEN
                    before := middle;
                ELSE
                    changed := middle;
                END IF;
            END LOOP;
            offset_before := changed AT TIME ZONE zone - changed AT TIME ZONE 'UTC';
            since := changed;
            offset_seconds := extract(epoch FROM offset_before);
            RETURN NEXT;
        END IF;
        before := changed;
    END LOOP;
END
$$;

COMMENT ON FUNCTION zone_offsets IS 'Seconds ahead of UTC in a time zone, and when they change';

-- migrate:down
DROP FUNCTION zone_offsets(text, timestamptz, timestamptz);
