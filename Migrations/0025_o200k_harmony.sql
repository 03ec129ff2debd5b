-- migrate:up

-- A rate may count texts as o200k_harmony does: ordinary text as o200k_base. Changes the catalogue only; if a long
-- response holds the table, this gives up instead of letting all others wait behind it, and
-- `orbitalctl migrate up` retries.
SET LOCAL lock_timeout = '300ms';

ALTER TABLE credit_rate
    DROP CONSTRAINT credit_rate_tokenizer_check,
    ADD CONSTRAINT credit_rate_tokenizer_check
        CHECK (tokenizer IN ('characters', 'cl100k_base', 'o200k_base', 'o200k_harmony'));

-- Not valid, because existing records have only names that the constraint before this one allowed.
ALTER TABLE usage_record
    DROP CONSTRAINT usage_record_token_encoding_check,
    ADD CONSTRAINT usage_record_token_encoding_check
        CHECK (token_encoding IN ('cl100k_base', 'o200k_base', 'o200k_harmony')) NOT VALID;

-- migrate:down
ALTER TABLE usage_record
    DROP CONSTRAINT usage_record_token_encoding_check,
    ADD CONSTRAINT usage_record_token_encoding_check
        CHECK (token_encoding IN ('cl100k_base', 'o200k_base'));
ALTER TABLE credit_rate
    DROP CONSTRAINT credit_rate_tokenizer_check,
    ADD CONSTRAINT credit_rate_tokenizer_check
        CHECK (tokenizer IN ('characters', 'cl100k_base', 'o200k_base'));
