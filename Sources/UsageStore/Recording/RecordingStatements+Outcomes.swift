import Usage

/// The results of messages: recorded, duplicate, conflict or refused.
extension RecordingStatements {
    /// The columns that are returned for each recorded message.
    static let created = {
        var list = SelectList()
        let record = list.add([.messageID, .timestamp, .creditsUsed])
        return (list: list, record: record)
    }()

    /// Whether a message differs from `recorded`, the record under its id.
    private var differs: String {
        compared.map { column in
            let different = column.isOptional ? "IS DISTINCT FROM" : "<>"
            return "recorded.\(column.sql) \(different) item.\(column.sql)"
        }.joined(separator: " OR ")
    }

    /// The records under the ids of many messages, and whether they agree with the messages.
    static let compare = {
        var list = SelectList()
        let number = list.add("item_number", as: Int64.self)
        let isSame = list.add("(\(many.differs)) IS NOT TRUE", as: Bool.self)
        let recorded = list.add([.timestamp, .creditsUsed], of: "recorded")
        let text = """
            SELECT \(list.sql)
            FROM \(many.rows) JOIN usage_record AS recorded USING (message_id)
            """
        return (text: text, number: number, isSame: isSame, recorded: recorded)
    }()

    /// The refused ones of many messages, with their reasons.
    static let refused = {
        var list = SelectList()
        let number = list.add("item_number", as: Int64.self)
        let refusal = list.add(refusalOfPriced, as: String.self)
        let text = "SELECT \(list.sql) FROM \(many.priced) WHERE \(refusalOfPriced) IS NOT NULL"
        return (text: text, number: number, refusal: refusal)
    }()

    /// The receipts of many messages, in order, without recording them.
    static let estimate = {
        var list = SelectList()
        let price = list.add(many.price, as: Credits?.self)
        let refusal = list.add(
            """
            coalesce(\(many.refusal),
                CASE WHEN \(Pricing.isMeasured) AND \(many.price) IS NULL THEN \(Pricing.overflow) END)
            """, as: String?.self)
        let receipt = ReceiptFields(&list, Pricing.measure)
        let text = "SELECT \(list.sql) FROM \(many.rows) \(many.rates) ORDER BY item_number"
        return (text: text, price: price, refusal: refusal, receipt: receipt)
    }()

    /// The rejected ones of the staged messages, with their reasons.
    ///
    /// An existing record is compared by its own credits, which it keeps when the price list changes.
    static let rejected = {
        let messages = RecordingStatements.staged(keepsCredits: false)
        var list = SelectList()
        let line = list.add("item_number", as: Int64.self)
        let message = list.add(
            UsageRecord.Column.columns(of: .request) + [.creditsUsed], of: "item")
        let reason = list.add(
            """
            CASE WHEN recorded.message_id IS NOT NULL THEN 'conflict'
                ELSE coalesce(\(refusalOfPriced), 'credits') END
            """, as: String.self)
        let price = list.add("price", as: Credits?.self)
        let text = """
            COPY (
                SELECT \(list.sql) FROM \(messages.priced)
                LEFT JOIN usage_record AS recorded USING (message_id)
                WHERE recorded.message_id IS NULL OR \(messages.differs)
                ORDER BY item_number
            ) TO STDOUT (FORMAT binary)
            """
        return (
            text: text, columnCount: list.columns.count, line: line, message: message,
            reason: reason, price: price
        )
    }()
}

/// The table of staged messages.
extension RecordingStatements {
    /// The columns of messages in it.
    static let stagedColumns = UsageRecord.Column.columns(of: .file)

    /// Creates it; a flag is 1 or NULL.
    static let createStaging = """
        CREATE TEMPORARY TABLE staged_message (
            item_number bigint, has_own_credits bigint,
            \(stagedColumns.map { "\($0.sql) \($0.kind.sqlType)" }.joined(separator: ", "))
        ) ON COMMIT DROP
        """
}

/// Ids that the database chooses.
extension RecordingStatements {
    /// The largest client id past which the sequence is advanced: 2^52.
    private static let followedIDLimit: Int64 = 1 << 52

    /// The sequence of the identity column.
    static let sequence = "'usage_record_message_id_seq'"

    /// The next $1 ids.
    static let chooseIDs = "SELECT nextval(\(sequence)) FROM generate_series(1, $1::bigint)"

    /// Advances the sequence past the ids that clients have chosen, and at least by $1.
    ///
    /// The sequence ends before 2^53, above which JavaScript rounds integers. Client ids above 2^52
    /// do not advance it: one id close to the end would leave none to assign.
    static let advance = """
        SELECT setval(\(sequence), greatest(newest, last + $1::bigint, 1))
        FROM (SELECT pg_advisory_xact_lock(7110416212)) AS one_at_a_time,
            (SELECT max(message_id) AS newest FROM usage_record
             WHERE message_id <= \(followedIDLimit)) AS recorded,
            (SELECT coalesce(pg_sequence_last_value(\(sequence)::regclass), 0) AS last) AS sequence
        """

    /// Advances the sequence past the ids of the staged messages.
    ///
    /// A sequence must never go back, which `setval` could cause. So short distances use `nextval`;
    /// over a long one, other transactions cannot overtake in the meantime.
    var advanceIdentity: String {
        """
        SELECT CASE WHEN newest - last > 1000000 THEN setval(sequence, newest)
                    ELSE (
                        SELECT max(step)
                        FROM (SELECT nextval(sequence) AS step
                              FROM generate_series(1, newest - last)) AS steps
                    ) END
        FROM (
            SELECT max(message_id) AS newest FROM \(priced)
            WHERE \(isAcceptable) AND message_id BETWEEN 1 AND \(Self.followedIDLimit)
        ) AS staged, (
            SELECT sequence, coalesce(pg_sequence_last_value(sequence), 0) AS last
            FROM (SELECT pg_get_serial_sequence('usage_record', 'message_id')::regclass AS sequence)
                AS named
        ) AS identity
        WHERE newest > last
        """
    }
}
