-- migrate:up

-- Prices the records of other programs, which insert with plain SQL and leave the credits out.
-- Our own set-based inserts call usage_credits() themselves: a row trigger costs 8 us a row,
-- and the WHEN clause spares them that.
--
-- SECURITY DEFINER: a program that may insert here need not be let into the price list.
CREATE FUNCTION price_usage_record() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    rate credit_rate;
BEGIN
    SELECT * INTO rate FROM credit_rate_at(NEW."timestamp");
    NEW.credit_rate_id := rate.credit_rate_id;
    -- Not NEW.character_count: generated columns are computed after this trigger. Tokens that
    -- another tokenizer counted are no measure: the NULL they lead to is refused.
    NEW.credit_hundredths := usage_credits(
        char_length(NEW.message_text),
        CASE WHEN NEW.token_encoding = rate.tokenizer THEN NEW.token_count END, rate.tokenizer,
        rate.hundredths_per_100_tokens, rate.minimum_hundredths);
    RETURN NEW;
END
$$;

CREATE TRIGGER usage_record_price
    BEFORE INSERT ON usage_record
    FOR EACH ROW WHEN (NEW.credit_hundredths IS NULL)
    EXECUTE FUNCTION price_usage_record();

-- migrate:down
DROP TRIGGER usage_record_price ON usage_record;
DROP FUNCTION price_usage_record();
