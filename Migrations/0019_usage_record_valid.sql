-- migrate:up

-- Checks the existing records, beside readers and writers and in one pass: 0018 left this out.
ALTER TABLE usage_record
    VALIDATE CONSTRAINT usage_record_credit_hundredths_check,
    VALIDATE CONSTRAINT usage_record_correction_check,
    VALIDATE CONSTRAINT usage_record_external_id_check,
    VALIDATE CONSTRAINT usage_record_reported_tokens_check,
    VALIDATE CONSTRAINT usage_record_character_count_check,
    VALIDATE CONSTRAINT usage_record_text_digest_check,
    VALIDATE CONSTRAINT usage_record_measure_check;

-- migrate:down
