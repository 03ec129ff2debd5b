-- migrate:up

-- Plain SQL cannot count exact tokens. At a rate with an exact tokenizer, a record without a token
-- count is an estimate: priced by the characters rule at that rate, until `orbitalctl recount`
-- counts it. Nothing else marks it: its rate's tokenizer is not 'characters', its token_count is
-- NULL, and its credit_rate_id is not.
CREATE OR REPLACE FUNCTION usage_credits(
    character_count bigint, token_count bigint, tokenizer text,
    hundredths_per_100_tokens bigint, minimum_hundredths bigint
) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN tokenizer <> 'characters' AND token_count IS NOT NULL
        THEN greatest(minimum_hundredths, (token_count * hundredths_per_100_tokens + 50) / 100)
    WHEN tokenizer IS NOT NULL
        THEN greatest(minimum_hundredths, (character_count * hundredths_per_100_tokens + 200) / 400)
END;

-- Tokens that the writer claims are discarded: nobody has counted them.
CREATE OR REPLACE FUNCTION price_usage_record() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    rate credit_rate;
BEGIN
    SELECT * INTO rate FROM credit_rate_at(NEW."timestamp");
    NEW.credit_rate_id := rate.credit_rate_id;
    NEW.token_count := NULL;
    NEW.token_encoding := NULL;
    -- Not NEW.character_count: generated columns are computed after this trigger.
    NEW.credit_hundredths := usage_credits(
        char_length(NEW.message_text), NULL, rate.tokenizer,
        rate.hundredths_per_100_tokens, rate.minimum_hundredths);
    RETURN NEW;
END
$$;

-- migrate:down
CREATE OR REPLACE FUNCTION price_usage_record() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    rate credit_rate;
BEGIN
    SELECT * INTO rate FROM credit_rate_at(NEW."timestamp");
    NEW.credit_rate_id := rate.credit_rate_id;
    NEW.credit_hundredths := usage_credits(
        char_length(NEW.message_text),
        CASE WHEN NEW.token_encoding = rate.tokenizer THEN NEW.token_count END, rate.tokenizer,
        rate.hundredths_per_100_tokens, rate.minimum_hundredths);
    RETURN NEW;
END
$$;
CREATE OR REPLACE FUNCTION usage_credits(
    character_count bigint, token_count bigint, tokenizer text,
    hundredths_per_100_tokens bigint, minimum_hundredths bigint
) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN tokenizer = 'characters'
        THEN greatest(minimum_hundredths, (character_count * hundredths_per_100_tokens + 200) / 400)
    WHEN token_count IS NOT NULL
        THEN greatest(minimum_hundredths, (token_count * hundredths_per_100_tokens + 50) / 100)
END;
