-- migrate:up

-- The price list. A record is priced by the entry in force at its timestamp, once, when it is
-- written; so the list may grow but never change, or receipts would no longer explain credits.
CREATE TABLE credit_rate (
    credit_rate_id integer GENERATED ALWAYS AS IDENTITY
        CONSTRAINT credit_rate_pkey PRIMARY KEY,

    -- From this instant until the next entry's. The first one, -infinity, covers all of the past.
    effective_from timestamptz NOT NULL
        CONSTRAINT credit_rate_effective_from_key UNIQUE,

    -- How tokens are counted: four characters are one token, or an exact byte-pair encoding.
    tokenizer text NOT NULL
        CONSTRAINT credit_rate_tokenizer_check
            CHECK (tokenizer IN ('characters', 'cl100k_base', 'o200k_base')),

    -- Money is integer hundredths of a credit, here and everywhere. The upper bounds keep the
    -- arithmetic of usage_credits() far inside bigint for the longest text PostgreSQL can hold.
    hundredths_per_100_tokens bigint NOT NULL
        CONSTRAINT credit_rate_hundredths_per_100_tokens_check
            CHECK (hundredths_per_100_tokens BETWEEN 0 AND 1000000000),
    minimum_hundredths bigint NOT NULL
        CONSTRAINT credit_rate_minimum_hundredths_check
            CHECK (minimum_hundredths BETWEEN 0 AND 1000000000),

    created_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE credit_rate IS 'The price list: append-only, each entry in force from its date';

-- The rules hold for everyone, not just for our own programs. Like all functions of triggers
-- here, they run with their own search_path: a dump is restored with an empty one.
CREATE FUNCTION refuse_credit_rate_change() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.effective_from > (SELECT max(effective_from) FROM credit_rate) IS NOT FALSE THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'credit_rate is append-only: add an entry with a later effective_from'
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER credit_rate_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON credit_rate
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_credit_rate_change();

-- An entry in between would reprice a time whose records are priced already.
CREATE TRIGGER credit_rate_in_order
    BEFORE INSERT ON credit_rate
    FOR EACH ROW EXECUTE FUNCTION refuse_credit_rate_change();

-- 40 credits for 100 tokens, at least 1.00.
INSERT INTO credit_rate (effective_from, tokenizer, hundredths_per_100_tokens, minimum_hundredths)
VALUES ('-infinity', 'characters', 4000, 100);

-- migrate:down
DROP TABLE credit_rate;
DROP FUNCTION refuse_credit_rate_change();
