-- migrate:up

-- The one home of the formula: hundredths of a credit for a message.
--
--     tokens  = characters / 4, or what an exact tokenizer counted
--     credits = tokens / 100 * rate, rounded to two decimals, halves up, and not below the minimum
--
-- Characters are Unicode code points, as char_length() counts them. Integers only: the divisor
-- is 4 * 100 or 100, and half of it, added first, makes the division round halves up. With
-- tokenizer 'characters' the token count is ignored; with another it must be there, and the
-- result is NULL when it is not, which the table refuses.
CREATE FUNCTION usage_credits(
    character_count bigint, token_count bigint, tokenizer text,
    hundredths_per_100_tokens bigint, minimum_hundredths bigint
) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN tokenizer = 'characters'
        THEN greatest(minimum_hundredths, (character_count * hundredths_per_100_tokens + 200) / 400)
    WHEN token_count IS NOT NULL
        THEN greatest(minimum_hundredths, (token_count * hundredths_per_100_tokens + 50) / 100)
END;

COMMENT ON FUNCTION usage_credits IS 'Hundredths of a credit that a message costs at a rate';

-- The entry of the price list in force at an instant; no row before the first one.
CREATE FUNCTION credit_rate_at(instant timestamptz) RETURNS SETOF credit_rate
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT * FROM credit_rate
    WHERE effective_from <= instant
    ORDER BY effective_from DESC
    LIMIT 1;
END;

-- migrate:down
DROP FUNCTION credit_rate_at(timestamptz);
DROP FUNCTION usage_credits(bigint, bigint, text, bigint, bigint);
