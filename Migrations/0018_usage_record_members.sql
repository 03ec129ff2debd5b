-- migrate:up

-- Whose a record is, the sender's own id, the reported tokens, and an optional text. All of this changes
-- the catalogue only and takes milliseconds, whatever the size of the table; 0019 to 0022 do the rest beside
-- readers and writers. If a long response holds the table, this gives up instead of letting all
-- others wait behind it; `orbitalctl migrate up` retries.
SET LOCAL lock_timeout = '300ms';

ALTER TABLE usage_record
    -- When the recording transaction began; NULL for records of before this migration. Readers that ask
    -- "what arrived since?" overlap by their longest writing transaction. First, because values of 8 bytes
    -- before those of 4 need no padding.
    ADD COLUMN recorded_at timestamptz,

    -- The record of which a correction takes back credits; 0036 has its rules.
    ADD COLUMN corrects bigint,

    -- Without a foreign key, whose check would cost a third of an insert: see credit_rate_id.
    ADD COLUMN attribution_id integer,

    -- The sender's own id, an idempotency key as good as message_id.
    ADD COLUMN external_id text COLLATE "C",

    -- As the provider reports them: input_tokens includes both kinds of cached tokens.
    ADD COLUMN input_tokens integer,
    ADD COLUMN output_tokens integer,
    ADD COLUMN cache_read_input_tokens integer,
    ADD COLUMN cache_creation_input_tokens integer,

    -- The first 16 bytes of the text's SHA-256, where the text itself is not stored.
    ADD COLUMN text_digest bytea,

    -- Why a correction was made.
    ADD COLUMN reason text,

    ALTER COLUMN recorded_at SET DEFAULT now(),
    ALTER COLUMN message_text DROP NOT NULL,
    ALTER COLUMN character_count DROP EXPRESSION,
    ALTER COLUMN character_count DROP NOT NULL;

-- Not valid, because checking the existing rows would take its time under this lock; 0019 does it.
ALTER TABLE usage_record
    DROP CONSTRAINT usage_record_credit_hundredths_check,
    ADD CONSTRAINT usage_record_credit_hundredths_check CHECK (
        CASE WHEN corrects IS NULL THEN credit_hundredths >= 0 ELSE credit_hundredths < 0 END) NOT VALID,
    ADD CONSTRAINT usage_record_correction_check CHECK (
        CASE WHEN corrects IS NULL THEN reason IS NULL
            ELSE corrects <> message_id AND reason IS NOT NULL
                AND char_length(reason) >= 1 AND char_length(reason) <= 500
                AND num_nonnulls(credit_rate_id, message_text, character_count, text_digest, token_count,
                    input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens) = 0
        END) NOT VALID,
    ADD CONSTRAINT usage_record_external_id_check CHECK (
        char_length(external_id) >= 1 AND char_length(external_id) <= 255
        AND external_id !~ '[\u0001-\u001f\u007f-\u009f]') NOT VALID,
    ADD CONSTRAINT usage_record_reported_tokens_check CHECK (
        least(input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens) >= 0
        AND coalesce(cache_read_input_tokens, 0)::bigint + coalesce(cache_creation_input_tokens, 0)
            <= coalesce(input_tokens, 0)) NOT VALID,
    ADD CONSTRAINT usage_record_character_count_check CHECK (
        character_count >= 0 AND (message_text IS NULL OR character_count = char_length(message_text)))
        NOT VALID,
    ADD CONSTRAINT usage_record_text_digest_check CHECK (
        text_digest IS NULL OR octet_length(text_digest) = 16 AND message_text IS NULL) NOT VALID,
    -- Credits need a measure, a text or reported tokens, or another record that they correct.
    ADD CONSTRAINT usage_record_measure_check CHECK (
        character_count IS NOT NULL OR input_tokens IS NOT NULL OR output_tokens IS NOT NULL
        OR corrects IS NOT NULL) NOT VALID;

-- Plain SQL writes the text only. Its name comes before that of the trigger that prices.
CREATE FUNCTION count_usage_characters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.character_count := char_length(NEW.message_text);
    RETURN NEW;
END
$$;

CREATE TRIGGER usage_record_characters_insert
    BEFORE INSERT ON usage_record
    FOR EACH ROW WHEN (NEW.character_count IS NULL AND NEW.message_text IS NOT NULL)
    EXECUTE FUNCTION count_usage_characters();

-- Also for rows that are replicated from a database where the column was generated.
ALTER TABLE usage_record ENABLE ALWAYS TRIGGER usage_record_characters_insert;

CREATE TRIGGER usage_record_characters_update
    BEFORE UPDATE OF message_text ON usage_record
    FOR EACH ROW WHEN (NEW.message_text IS NOT NULL
        AND NEW.character_count IS NOT DISTINCT FROM OLD.character_count)
    EXECUTE FUNCTION count_usage_characters();

-- migrate:down
DROP TRIGGER usage_record_characters_update ON usage_record;
DROP TRIGGER usage_record_characters_insert ON usage_record;
DROP FUNCTION count_usage_characters();
ALTER TABLE usage_record
    DROP CONSTRAINT usage_record_measure_check,
    DROP CONSTRAINT usage_record_text_digest_check,
    DROP CONSTRAINT usage_record_character_count_check,
    DROP CONSTRAINT usage_record_reported_tokens_check,
    DROP CONSTRAINT usage_record_external_id_check,
    DROP CONSTRAINT usage_record_correction_check,
    DROP CONSTRAINT usage_record_credit_hundredths_check,
    ADD CONSTRAINT usage_record_credit_hundredths_check CHECK (credit_hundredths >= 0),
    DROP COLUMN reason,
    DROP COLUMN text_digest,
    DROP COLUMN cache_creation_input_tokens,
    DROP COLUMN cache_read_input_tokens,
    DROP COLUMN output_tokens,
    DROP COLUMN input_tokens,
    DROP COLUMN corrects,
    DROP COLUMN recorded_at,
    DROP COLUMN external_id,
    DROP COLUMN attribution_id,
    DROP COLUMN character_count,
    ALTER COLUMN message_text SET NOT NULL;
-- At the end of the row, so a table that was migrated down differs from one that never was up.
ALTER TABLE usage_record
    ADD COLUMN character_count integer NOT NULL GENERATED ALWAYS AS (char_length(message_text)) STORED;
