extension MessageImport {
    /// The staged messages with the price list entry in force and the credits by it.
    private static let priced = """
        SELECT staged.*, rate.credit_rate_id,
               usage_credits(char_length(message_text), NULL, rate.tokenizer,
                   rate.hundredths_per_100_tokens, rate.minimum_hundredths) AS price
        FROM staged_message AS staged
        JOIN (
            SELECT *, lead(effective_from, 1, 'infinity') OVER (ORDER BY effective_from) AS until
            FROM credit_rate
        ) AS rate ON staged."timestamp" >= effective_from AND staged."timestamp" < until
        """

    /// Of messages with one id, the first in the source counts.
    static let record = """
        INSERT INTO usage_record
            (message_id, "timestamp", report_name, message_text, credit_rate_id, credit_hundredths)
        SELECT DISTINCT ON (message_id)
            message_id, "timestamp", report_name, message_text, credit_rate_id, price
        FROM (\(priced)) AS priced
        WHERE credit_hundredths IS NULL OR credit_hundredths = price
        ORDER BY message_id, line
        ON CONFLICT (message_id) DO NOTHING
        """

    /// The staged messages that are not in the table as they are, with the price if that is why.
    static let rejected = """
        COPY (
            SELECT line, message_id, priced."timestamp", priced.report_name, priced.message_text,
                   (priced.credit_hundredths / 100.0)::numeric(20, 2)::text,
                   CASE WHEN priced.credit_hundredths <> price
                       THEN (price / 100.0)::numeric(20, 2)::text END
            FROM (\(priced)) AS priced
            LEFT JOIN usage_record AS recorded USING (message_id)
            WHERE priced.credit_hundredths <> price
               OR recorded."timestamp" IS DISTINCT FROM priced."timestamp"
               OR recorded.report_name IS DISTINCT FROM priced.report_name
               OR recorded.message_text IS DISTINCT FROM priced.message_text
            ORDER BY line
        ) TO STDOUT (FORMAT binary)
        """

    /// The next id that PostgreSQL chooses must not be one that was imported.
    static let advanceIdentity = """
        SELECT setval(pg_get_serial_sequence('usage_record', 'message_id'), greatest(newest, 1))
        FROM (SELECT max(message_id) AS newest FROM staged_message) AS staged
        WHERE newest >= (
            SELECT coalesce(pg_sequence_last_value(
                pg_get_serial_sequence('usage_record', 'message_id')::regclass), 0))
        """
}
