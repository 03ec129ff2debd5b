import Postgres
import Usage

/// The results of messages: recorded, duplicate, conflict or refused.
extension RecordingStatements {
    /// Something for messages that are all plain, and the same for others.
    struct Choice<Value: Sendable>: Sendable {
        private let plain: Value
        private let full: Value

        init(_ make: (Bool) -> Value) { (plain, full) = (make(true), make(false)) }

        subscript(isPlain isPlain: Bool) -> Value { isPlain ? plain : full }
    }

    /// The columns that are returned for each recorded message.
    static let created = {
        var list = SelectList()
        let record = list.add([.messageID, .timestamp, .creditsUsed])
        return (list: list, record: record)
    }()

    /// The columns in which a message and the record under its id must agree.
    private var compared: [UsageRecord.Column] {
        let columns: [UsageRecord.Column] = [
            .messageID, .externalID, .timestamp, .reportName, .attributionID, .inputTokens,
            .outputTokens, .cacheReadInputTokens, .cacheCreationInputTokens, .text,
        ]
        return columns + (isStaged ? [.creditsUsed, .corrects, .reason] : [])
    }

    /// The names of the columns in which a message differs from `recorded`, separated by commas.
    private var differing: String {
        let names = compared.map { "CASE WHEN \(differs($0)) THEN '\($0.name)' END" }
        return "concat_ws(',', \(names.joined(separator: ", ")))"
    }

    /// Absent ids and times agree with anything; in other columns, absent means "no value".
    private func differs(_ column: UsageRecord.Column) -> String {
        let (recorded, item) = ("recorded.\(column.sql)", "item.\(column.sql)")
        return switch column {
        case .messageID, .timestamp, .creditsUsed: "\(recorded) <> \(item)"
        case .externalID: "\(item) IS NOT NULL AND \(recorded) IS DISTINCT FROM \(item)"
        case .text: Self.textDiffers
        // A correction has those of its record, whatever the file says.
        case .reportName where isStaged, .attributionID where isStaged:
            "item.corrects IS NULL AND \(recorded) IS DISTINCT FROM \(item)"
        default: "\(recorded) IS DISTINCT FROM \(item)"
        }
    }

    /// Texts are compared by their digests if one of them is not stored; a text without a digest
    /// agrees with any other.
    private static let textDiffers = """
        CASE WHEN recorded.character_count IS NULL OR item.character_count IS NULL
            THEN recorded.character_count IS NOT NULL OR item.character_count IS NOT NULL
            WHEN recorded.message_text IS NOT NULL AND item.message_text IS NOT NULL
            THEN recorded.message_text <> item.message_text
            ELSE coalesce(recorded.text_digest, \(digest(of: "recorded")))
                <> coalesce(decode(item.text_digest, 'hex'), \(digest(of: "item")))
        END
        """

    /// What is stored of a text that is not.
    static func digest(of table: String) -> String {
        "substr(sha256(convert_to(\(table).message_text, 'UTF8')), 1, 16)"
    }

    /// What a message is compared with; the attribution is joined where it differs.
    struct Comparison {
        /// The names of the columns that differ.
        let differing: Field<String>
        /// The other attribution.
        let attribution: RecordFields

        /// Whether the attribution differs.
        fileprivate static let isOther =
            "recorded.attribution_id IS DISTINCT FROM item.attribution_id"

        fileprivate static let join = """
            LEFT JOIN \(attributionRows) AS attribution
                ON attribution.attribution_id = recorded.attribution_id AND \(isOther)
            """

        fileprivate init(_ list: inout SelectList, _ differing: String) {
            self.differing = list.add(differing)
            attribution = list.add(UsageRecord.Column.ofAttributions, of: "attribution")
        }
    }

    /// The records under the ids of many messages, and where they differ from the messages.
    static let compare = Choice { isPlain in
        let messages = many[isPlain: isPlain]
        var list = SelectList()
        let number = list.add("item_number", as: Int64.self)
        let comparison = Comparison(&list, messages.differing)
        let isOther = list.add(Comparison.isOther, as: Bool.self)
        let closed = list.add(ClosedRecords.refusal(recorded: "recorded"), as: String?.self)
        let recorded = list.add(
            [.messageID, .externalID, .timestamp, .creditsUsed], of: "recorded")
        let named =
            isPlain
            ? "SELECT * FROM usage_record WHERE message_id = item.message_id"
            : """
            (SELECT * FROM usage_record WHERE message_id = item.message_id)
            UNION ALL (SELECT * FROM usage_record WHERE external_id = item.external_id)
            LIMIT 1
            """
        let text = """
            SELECT \(list.sql)
            FROM \(messages.rows) JOIN LATERAL (\(named)) AS recorded ON true \(Comparison.join)
            """
        return (
            text: text, number: number, comparison: comparison, isOther: isOther, closed: closed,
            recorded: recorded
        )
    }

    /// The refused ones of many messages, with their reasons.
    static let refused = Choice { isPlain in
        var list = SelectList()
        let number = list.add("item_number", as: Int64.self)
        let refusal = list.add(refusalOfPriced, as: String.self)
        let priced = many[isPlain: isPlain].priced
        let text = "SELECT \(list.sql) FROM \(priced) WHERE \(refusalOfPriced) IS NOT NULL"
        return (text: text, number: number, refusal: refusal)
    }

    /// The receipts of many messages, in order, without recording them.
    static let estimate = Choice { isPlain in
        let many = many[isPlain: isPlain]
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
    }

    private static let closedOther =
        "CASE WHEN other.\"timestamp\" < \(ClosedRecords.line) THEN 'closed_external_id' END"

    /// The rejected ones of the staged messages, with their reasons.
    ///
    /// An existing record is compared by its own credits, which it keeps when the price list changes.
    static let rejected = {
        let messages = RecordingStatements.staged(keepsCredits: false)
        let closed = "coalesce(\(ClosedRecords.refusal(recorded: "recorded")), \(closedOther))"
        var list = SelectList()
        let line = list.add("item_number", as: Int64.self)
        let message = list.add(
            stagedColumns.filter { ![.tokenCount, .tokenizer, .estimated, .rate].contains($0) },
            of: "item")
        let attributionKey = list.add("attribution_key", as: Int64?.self)
        let reason = list.add(
            """
            CASE WHEN \(closed) IS NOT NULL THEN \(closed)
                WHEN other.message_id IS NOT NULL OR recorded.message_id IS NOT NULL
                THEN 'conflict' ELSE coalesce(\(refusalOfPriced), 'credits') END
            """, as: String.self)
        let price = list.add("price", as: Credits?.self)
        let comparison = Comparison(
            &list,
            """
            concat_ws(',', CASE WHEN other.message_id IS NOT NULL THEN 'message_id' END,
                CASE WHEN recorded.message_id IS NOT NULL THEN nullif(\(messages.differing), '') END)
            """)
        let text = """
            COPY (
                SELECT \(list.sql) FROM \(messages.priced)
                LEFT JOIN usage_record AS recorded USING (message_id)
                LEFT JOIN usage_record AS other ON other.external_id = item.external_id
                    AND other.message_id <> item.message_id
                \(Comparison.join)
                WHERE other.message_id IS NOT NULL OR recorded.message_id IS NULL
                    OR \(messages.differing) <> '' OR \(closed) IS NOT NULL
                ORDER BY item_number
            ) TO STDOUT (FORMAT binary)
            """
        return (
            text: text, columnCount: list.columns.count, line: line, message: message,
            attributionKey: attributionKey, reason: reason, price: price, comparison: comparison
        )
    }()
}

extension RowReader {
    /// The members in which `message` differs from the record that it is compared with; none if only
    /// values of an erased user do.
    func names(
        _ comparison: RecordingStatements.Comparison, of message: UsageRecord
    ) -> [String] {
        let names = self[comparison.differing].split(separator: ",").map(String.init)
        guard names.contains(UsageRecord.Column.attributionID.name) else { return names }
        let recorded = self[comparison.attribution].attribution
        let others = UsageRecord.Column.ofAttributions.filter {
            !recorded.agrees(with: message.attribution, in: $0)
        }.map(\.name)
        return names.flatMap { $0 == UsageRecord.Column.attributionID.name ? others : [$0] }
    }
}
