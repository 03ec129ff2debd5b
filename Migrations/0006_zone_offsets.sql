-- migrate:up

-- How far the clocks of a time zone are ahead of UTC from `first` to `last`: one row for the
-- offset at `first`, and one for each instant at which the clocks are set until `last`.
--
-- PostgreSQL knows the zones, but answers only for one instant at a time. So this asks for each
-- day, and halves a day in which the answer changes down to the second. Two changes within a day
-- would be missed if the second undid the first; in all zones the shortest time between two
-- changes of the clocks is 95 hours (Freetown, 1939).
--
-- It asks by way of the setting TimeZone, and puts that back in the end: AT TIME ZONE takes CET,
-- EET, MET and WET for abbreviations, which know no summer time.
CREATE FUNCTION zone_offsets(zone text, first timestamptz, last timestamptz)
RETURNS TABLE (since timestamptz, offset_seconds bigint) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    setting text := current_setting('TimeZone');
    before timestamptz := date_trunc('second', first);
    changed timestamptz;
    middle timestamptz;
BEGIN
    PERFORM set_config('TimeZone', zone, true);
    since := before;
    offset_seconds := extract(timezone FROM before);
    RETURN NEXT;
    WHILE before < last LOOP
        changed := before + interval '24 hours';
        IF extract(timezone FROM changed) <> offset_seconds THEN
            WHILE changed - before > interval '1 second' LOOP
                middle := date_trunc('second', before + (changed - before) / 2);
                IF extract(timezone FROM middle) = offset_seconds THEN
                    before := middle;
                ELSE
                    changed := middle;
                END IF;
            END LOOP;
            since := changed;
            offset_seconds := extract(timezone FROM changed);
            RETURN NEXT;
        END IF;
        before := changed;
    END LOOP;
    PERFORM set_config('TimeZone', setting, true);
END
$$;

COMMENT ON FUNCTION zone_offsets IS 'Seconds ahead of UTC in a time zone, and when they change';

-- migrate:down
DROP FUNCTION zone_offsets(text, timestamptz, timestamptz);
