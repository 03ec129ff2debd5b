/// The statements that record messages as they are sent, in one batch each.
///
/// Those for many take them as arrays: ids, times, report names, texts, tokens and their encodings.
/// What has no time is of now.
enum RecordingStatements {
    /// The messages of a batch as rows.
    private static let items = """
        (SELECT message_id, coalesce("timestamp", now()) AS "timestamp", report_name, message_text,
                token_count, token_encoding, item_number
         FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::bigint[], $6::text[])
            WITH ORDINALITY AS item(message_id, "timestamp", report_name, message_text,
                token_count, token_encoding, item_number)) AS item
        """

    /// The price list, joined by the items' times.
    private static let rates = """
        \(creditRatePeriods) AS rate
            ON item."timestamp" >= rate.effective_from AND item."timestamp" < rate.until
        """

    private static let tokens = Pricing.tokens("item")

    private static let price = Pricing.price("item")

    private static let isInRange = "usage_timestamp_fault(item.\"timestamp\") IS NULL"

    /// Records what is not recorded yet, and says which messages that were; no id may stand twice.
    ///
    /// In the order of ids, so that two batches with the same ids wait for each other in the same
    /// order. A message that has no price or is dated outside the range is left out.
    static let record = record(from: "")

    /// The same for messages of different clients, none of which may hold the others up for long.
    ///
    /// The limit holds for this statement alone, which is a transaction of its own.
    static let recordTogether = record(from: "\(patience),")

    private static let patience = "(SELECT set_config('lock_timeout', '250ms', true)) AS patience"

    private static func record(from first: String) -> String {
        """
        INSERT INTO usage_record (message_id, "timestamp", report_name, message_text,
            token_count, token_encoding, credit_rate_id, credit_hundredths)
        SELECT message_id, "timestamp", report_name, message_text,
            tokens, CASE WHEN tokens IS NOT NULL THEN token_encoding END, credit_rate_id, price
        FROM (
            SELECT item.*, rate.credit_rate_id, \(tokens) AS tokens, \(price) AS price
            FROM \(first) \(items) JOIN \(rates)
            WHERE \(isInRange)
            OFFSET 0 -- so that it is priced once, not again to find out whether it was
        ) AS priced
        WHERE price IS NOT NULL
        ORDER BY message_id
        ON CONFLICT (message_id) DO NOTHING
        RETURNING message_id, "timestamp", credit_hundredths
        """
    }

    /// The same for a single message, which the database may choose an id for, in half the time.
    static let recordOne = recordOne(from: "")

    /// The same again, with little patience.
    static let recordOneTogether = recordOne(from: ", \(patience)")

    private static func recordOne(from last: String) -> String {
        """
        INSERT INTO usage_record (message_id, "timestamp", report_name, message_text,
            token_count, token_encoding, credit_rate_id, credit_hundredths)
        SELECT coalesce(message_id, nextval(\(sequence))), "timestamp", report_name, message_text,
            \(tokens), CASE WHEN \(tokens) IS NOT NULL THEN token_encoding END,
            rate.credit_rate_id, \(price)
        FROM (SELECT $1::bigint AS message_id, coalesce($2::timestamptz, now()) AS "timestamp",
                $3::text AS report_name, $4::text AS message_text,
                $5::bigint AS token_count, $6::text AS token_encoding) AS item,
            LATERAL (
                SELECT * FROM credit_rate
                WHERE effective_from <= item."timestamp"
                ORDER BY effective_from DESC
                LIMIT 1
            ) AS rate \(last)
        WHERE \(price) IS NOT NULL AND \(isInRange)
        ON CONFLICT (message_id) DO NOTHING
        RETURNING message_id, "timestamp", credit_hundredths
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

    /// The messages that must be refused, with the reasons.
    static let refused = """
        SELECT item_number, \(MessageRefusal.column("item"))
        FROM \(items) LEFT JOIN \(rates)
        WHERE \(MessageRefusal.column("item")) IS NOT NULL
        """

    /// The receipts of messages, in their order, without recording them.
    static let estimate = """
        SELECT item_number, \(price), \(MessageRefusal.column("item")),
            \(Receipt.columns(characters: "char_length(message_text)", tokens: tokens, rate: "rate"))
        FROM \(items) LEFT JOIN \(rates)
        ORDER BY item_number
        """

    /// The largest client id after which the database continues its own ids: 2^52.
    static let followedIDLimit: Int64 = 1 << 52

    /// The sequence that ids are taken from, as the identity column has named it.
    private static let sequence = "'usage_record_message_id_seq'"

    /// The next $1 ids.
    static let chooseIDs = "SELECT nextval(\(sequence)) FROM generate_series(1, $1::bigint)"

    /// Moves the ids that the database chooses past those that clients have chosen, and on by $1.
    ///
    /// They end before 2^53, above which JavaScript rounds integers. Client ids above 2^52 do not
    /// advance the sequence: one id close to the end would leave none to assign.
    static let advance = """
        SELECT setval(\(sequence), greatest(newest, last + $1::bigint, 1))
        FROM (SELECT pg_advisory_xact_lock(7110416212)) AS one_at_a_time,
            (SELECT max(message_id) AS newest FROM usage_record
             WHERE message_id <= \(followedIDLimit)) AS recorded,
            (SELECT coalesce(pg_sequence_last_value(\(sequence)::regclass), 0) AS last) AS sequence
        """
}
