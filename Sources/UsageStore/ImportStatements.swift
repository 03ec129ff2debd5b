/// The statements that turn staged messages into usage records.
struct ImportStatements {
    /// Whether credits that a message brings count even where the price list differs.
    let keepsCredits: Bool

    /// Creates the table of staged messages; a missing value is NULL, and 1 is true.
    static let createStaging = """
        CREATE TEMPORARY TABLE staged_message (
            line bigint, message_id bigint, "timestamp" timestamptz, report_name text,
            message_text text, token_count bigint, token_encoding text, credit_hundredths bigint,
            exported_rate_id bigint, is_estimate bigint, has_own_credits bigint
        ) ON COMMIT DROP
        """

    /// The staged messages with the price list entry in force and the credits by it, if any.
    private static let priced = """
        SELECT staged.*, rate.credit_rate_id, \(Pricing.tokens("staged")) AS tokens,
               CASE WHEN is_estimate = 1
                   THEN usage_credits(char_length(staged.message_text), NULL, rate.tokenizer,
                       rate.hundredths_per_100_tokens, rate.minimum_hundredths)
                   ELSE \(Pricing.price("staged")) END AS price,
               coalesce(\(MessageRefusal.column("staged")),
                   CASE WHEN exported_rate_id <> rate.credit_rate_id THEN 'rate' END) AS refusal
        FROM staged_message AS staged
        LEFT JOIN \(creditRatePeriods) AS rate ON staged."timestamp" >= effective_from AND staged."timestamp" < until
        """

    /// Which of the priced messages may be recorded.
    private var acceptable: String {
        keepsCredits
            ? "refusal IS NULL AND coalesce(credit_hundredths, price) IS NOT NULL"
            : "refusal IS NULL AND coalesce(credit_hundredths, price) = price"
    }

    /// Of messages with one id, the first in the source counts.
    var record: String {
        """
        INSERT INTO usage_record
            (message_id, "timestamp", report_name, message_text, token_count, token_encoding,
             credit_rate_id, credit_hundredths)
        SELECT DISTINCT ON (message_id)
            message_id, "timestamp", report_name, message_text,
            tokens, CASE WHEN tokens IS NOT NULL THEN token_encoding END,
            CASE WHEN coalesce(credit_hundredths, price) = price AND has_own_credits IS NULL
                THEN credit_rate_id END,
            coalesce(credit_hundredths, price)
        FROM (\(Self.priced)) AS priced
        WHERE \(acceptable)
        ORDER BY message_id, line
        ON CONFLICT (message_id) DO NOTHING
        """
    }

    /// The staged messages that are not recorded as they are, and why.
    ///
    /// A record keeps its credits when the price list changes, so those decide, where there is one.
    let rejected = """
        COPY (
            SELECT line, message_id, priced."timestamp", priced.report_name, priced.message_text,
                   (priced.credit_hundredths / 100.0)::numeric(20, 2)::text,
                   CASE WHEN recorded.message_id IS NOT NULL THEN 'conflict'
                        ELSE coalesce(refusal, 'credits') END,
                   (price / 100.0)::numeric(20, 2)::text
            FROM (\(priced)) AS priced
            LEFT JOIN usage_record AS recorded USING (message_id)
            WHERE recorded.message_id IS NULL
               OR recorded."timestamp" <> priced."timestamp"
               OR recorded.report_name IS DISTINCT FROM priced.report_name
               OR recorded.message_text <> priced.message_text
               OR recorded.credit_hundredths <> priced.credit_hundredths
            ORDER BY line
        ) TO STDOUT (FORMAT binary)
        """

    /// Moves the ids that PostgreSQL chooses past those that are about to be recorded.
    ///
    /// A sequence must never go back, and `setval` could cause that. So a short distance is covered
    /// with `nextval`; over a long one, other transactions cannot get ahead in the meantime.
    var advanceIdentity: String {
        """
        SELECT CASE WHEN newest - last > 1000000 THEN setval(sequence, newest)
                    ELSE (
                        SELECT max(step)
                        FROM (SELECT nextval(sequence) AS step
                              FROM generate_series(1, newest - last)) AS steps
                    ) END
        FROM (
            SELECT max(message_id) AS newest FROM (\(Self.priced)) AS priced
            WHERE \(acceptable) AND message_id BETWEEN 1 AND \(RecordingStatements.followedIDLimit)
        ) AS staged, (
            SELECT sequence, coalesce(pg_sequence_last_value(sequence), 0) AS last
            FROM (SELECT pg_get_serial_sequence('usage_record', 'message_id')::regclass AS sequence)
                AS named
        ) AS identity
        WHERE newest > last
        """
    }
}
