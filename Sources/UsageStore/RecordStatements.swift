/// The statements that record messages as they are sent, in one batch each.
enum RecordStatements {
    /// The messages of a batch as rows; what has no timestamp is of now.
    private static let items = """
        (SELECT message_id, coalesce("timestamp", now()) AS "timestamp", report_name, message_text,
                item_number
         FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[]) WITH ORDINALITY
            AS item(message_id, "timestamp", report_name, message_text, item_number)) AS item
        """

    /// The price list, joined by the items' times.
    private static let rates = """
        \(creditRatePeriods) AS rate
            ON item."timestamp" >= rate.effective_from AND item."timestamp" < rate.until
        """

    /// The sequence that ids are taken from, as the identity column has named it.
    private static let sequence = "'usage_record_message_id_seq'"

    /// Records what is not recorded yet, and says which items that were; of messages with one id,
    /// the first counts.
    ///
    /// In the order of ids, so that two batches with the same ids wait for each other in the same
    /// order; those that the database chooses come last, and take none from their neighbours. A message
    /// that the price list has no price for is left out.
    static let record = record(from: "")

    /// The same for messages of different clients, none of which may hold the others up for long.
    ///
    /// The limit holds for this statement alone, which is a transaction of its own.
    static let recordTogether = record(from: "\(patience),")

    private static let patience = "(SELECT set_config('lock_timeout', '250ms', true)) AS patience"

    private static func record(from first: String) -> String {
        """
        WITH priced AS MATERIALIZED (
            SELECT coalesce(message_id, nextval(\(sequence))) AS message_id,
                message_id IS NULL AS is_chosen, item."timestamp",
                report_name, message_text, item_number, rate.credit_rate_id,
                usage_credits(char_length(message_text), NULL, rate.tokenizer,
                    rate.hundredths_per_100_tokens, rate.minimum_hundredths) AS price
            FROM \(first) \(items) JOIN \(rates)
        ), recorded AS (
            INSERT INTO usage_record (message_id, "timestamp", report_name, message_text,
                credit_rate_id, credit_hundredths)
            SELECT message_id, "timestamp", report_name, message_text, credit_rate_id, price
            FROM priced
            WHERE price IS NOT NULL
            ORDER BY is_chosen, message_id, item_number
            ON CONFLICT (message_id) DO NOTHING
            RETURNING message_id, "timestamp", credit_hundredths
        )
        SELECT DISTINCT ON (message_id)
            message_id, recorded."timestamp", credit_hundredths, item_number
        FROM recorded JOIN priced USING (message_id)
        WHERE price IS NOT NULL
        ORDER BY message_id, is_chosen, item_number
        """
    }

    /// The same for a single message, in a quarter of the time.
    static let recordOne = recordOne(from: "")

    /// The same again, with little patience.
    static let recordOneTogether = recordOne(from: ", \(patience)")

    private static func recordOne(from last: String) -> String {
        """
        INSERT INTO usage_record
            (message_id, "timestamp", report_name, message_text, credit_rate_id, credit_hundredths)
        SELECT coalesce($1::bigint, nextval(\(sequence))), coalesce($2::timestamptz, now()), $3::text,
            $4::text, rate.credit_rate_id,
            usage_credits(char_length($4::text), NULL, rate.tokenizer,
                rate.hundredths_per_100_tokens, rate.minimum_hundredths)
        FROM (
            SELECT * FROM credit_rate
            WHERE effective_from <= coalesce($2::timestamptz, now())
            ORDER BY effective_from DESC
            LIMIT 1
        ) AS rate \(last)
        WHERE rate.tokenizer = 'characters'
        ON CONFLICT (message_id) DO NOTHING
        RETURNING message_id, "timestamp", credit_hundredths, 1::bigint
        """
    }

    /// What is recorded under the ids of a batch, and whether it is the same message.
    ///
    /// A retry that leaves the time to us agrees with whatever time was recorded.
    static let compare = """
        SELECT item_number,
            (($2::timestamptz[])[item_number] IS NULL OR recorded."timestamp" = item."timestamp")::int
                ::bigint
            * (recorded.report_name IS NOT DISTINCT FROM item.report_name)::int
            * (recorded.message_text = item.message_text)::int,
            recorded."timestamp", recorded.credit_hundredths
        FROM \(items) JOIN usage_record AS recorded USING (message_id)
        """

    /// The receipts of messages, in their order, without recording them.
    static let estimate = """
        SELECT item_number, usage_credits(char_length(message_text), NULL, rate.tokenizer,
                rate.hundredths_per_100_tokens, rate.minimum_hundredths),
            \(Receipt.columns(characters: "char_length(message_text)", tokens: "NULL::bigint", rate: "rate"))
        FROM \(items) LEFT JOIN \(rates)
        ORDER BY item_number
        """

    /// Moves the ids that the database chooses past those that clients have chosen, and on by $1.
    ///
    /// Ids beyond 2^53, which not every JSON parser can hold, are not followed.
    static let advance = """
        SELECT setval(\(sequence), greatest(newest, last + $1::bigint, 1))
        FROM (SELECT pg_advisory_xact_lock(7110416212)) AS one_at_a_time,
            (SELECT max(message_id) AS newest FROM usage_record
             WHERE message_id <= 9007199254740992) AS recorded,
            (SELECT coalesce(pg_sequence_last_value(\(sequence)::regclass), 0) AS last) AS sequence
        """
}
