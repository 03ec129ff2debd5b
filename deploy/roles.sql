-- Roles with minimal privileges, for databases that the programs do not own. Run this as a superuser (it creates
-- roles) after each `orbitalctl migrate up`:
--
--     sudo -u postgres psql -v ON_ERROR_STOP=1 -f deploy/roles.sql orbital
--     GRANT orbital_responder TO the_user_of_the_responder;
--     GRANT orbital_writer TO another_program;
--     GRANT orbital_notifier TO the_user_of_orbitalctl_notify;
--
-- Roles belong to the whole server, so they are created only if they are missing.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'orbital_responder') THEN
        CREATE ROLE orbital_responder NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'orbital_writer') THEN
        CREATE ROLE orbital_writer NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'orbital_notifier') THEN
        CREATE ROLE orbital_notifier NOLOGIN;
    END IF;
END
$$;

-- Functions of the schema run with their owner's privileges, so nobody else may create one in the schema. Before
-- PostgreSQL 15 everybody could.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- The responder reads everything and records messages. It cannot change records, rates, keys or the schema.
GRANT SELECT ON usage_record, usage_attribution, credit_rate, usage_revision, usage_closing, usage_closed_id,
    api_key, api_key_revision, schema_migrations, usage_rollup_state, usage_delta, usage_zone, usage_bucket, usage_value,
    usage_quarter_sum, usage_attribution_sum, usage_value_sum,
    closed_quarter_sum, closed_attribution_sum, closed_value_sum,
    usage_quarter_sums, usage_attribution_sums, usage_value_sums, budget TO orbital_responder;
GRANT INSERT (message_id, external_id, "timestamp", report_name, attribution_id, message_text, character_count,
    text_digest, token_count, token_encoding, input_tokens, output_tokens, cache_read_input_tokens,
    cache_creation_input_tokens, credit_rate_id, credit_hundredths) ON usage_record TO orbital_responder;
GRANT SELECT, USAGE, UPDATE ON SEQUENCE usage_record_message_id_seq TO orbital_responder;

GRANT SELECT ON budget_event TO orbital_responder;

-- The notifier reads as the responder does, and keeps the events. It locks budgets, which needs a privilege to change
-- them: it could end one, and nothing else.
GRANT orbital_responder TO orbital_notifier;
GRANT INSERT, UPDATE, DELETE ON budget_event TO orbital_notifier;
GRANT UPDATE (ends_at) ON budget TO orbital_notifier;

-- A program that inserts with plain SQL does not decide the price, so it may not set the other columns. It may
-- read its ids, for ON CONFLICT and RETURNING.
GRANT INSERT (message_id, external_id, "timestamp", report_name, attribution_id, message_text, input_tokens,
    output_tokens, cache_read_input_tokens, cache_creation_input_tokens) ON usage_record TO orbital_writer;
GRANT SELECT (message_id, external_id) ON usage_record TO orbital_writer;

-- Only these two create attributions; the function runs with its owner's privileges.
REVOKE EXECUTE ON FUNCTION usage_attribution FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_attribution TO orbital_responder, orbital_writer;

-- Only the responder corrects records, for keys with the scope usage:correct.
REVOKE EXECUTE ON FUNCTION correct_usage_record FROM PUBLIC;
GRANT EXECUTE ON FUNCTION correct_usage_record TO orbital_responder;

-- The responder merges rollups and builds them again where time zones have changed; these, too, run with their
-- owner's privileges.
REVOKE EXECUTE ON FUNCTION merge_usage_deltas, remove_lost_usage_sums, build_usage_days, build_usage_months,
    build_usage_years, end_usage_rollups FROM PUBLIC;
GRANT EXECUTE ON FUNCTION merge_usage_deltas, build_usage_days, build_usage_months, build_usage_years,
    end_usage_rollups TO orbital_responder;
