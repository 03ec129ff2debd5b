import Postgres
public import Usage

/// How the credits of a text were calculated.
public struct Receipt: Sendable {
    /// The text's length in Unicode scalars.
    public let characters: Int64

    /// The tokens counted by an exact tokenizer; nil if characters are the measure.
    public let countedTokens: Int64?

    /// The rate that applied; nil if no rate priced the record.
    public let rate: Rate?

    /// A rate as it was applied.
    public struct Rate: Sendable {
        /// How tokens are counted.
        public let tokenizer: String
        /// The price of 100 tokens.
        public let creditsPer100Tokens: Credits
        /// The minimum for a message.
        public let minimum: Credits
        /// The price of the tokens, before the minimum.
        public let calculated: Credits
        /// When the rate begins; nil for the first one, which covers all of the past.
        public let effectiveFrom: Timestamp?
    }

    /// Whether the rate was applied to characters / 4, because plain SQL recorded no exact count.
    public var isEstimated: Bool {
        countedTokens == nil && rate.map { $0.tokenizer != "characters" } ?? false
    }

    /// The tokens with two decimals; four characters are one.
    public var tokens: Credits {
        Credits(hundredths: countedTokens.map { $0 * 100 } ?? characters * 25)
    }
}

/// The columns of a receipt in a statement that joins the records or messages with `rate`.
struct ReceiptFields {
    private let characters: Field<Int64>
    private let countedTokens: Field<Int64?>
    private let tokenizer: Field<String?>
    private let creditsPer100Tokens: Field<Credits>
    private let minimum: Field<Credits>
    private let calculated: Field<Credits?>
    private let effectiveFrom: Field<Timestamp?>

    /// Adds them to `list`; `characters` and `tokens` are SQL expressions.
    init(_ list: inout SelectList, characters: String, tokens: String) {
        self.characters = list.add(characters)
        countedTokens = list.add(tokens)
        tokenizer = list.add("rate.tokenizer")
        creditsPer100Tokens = list.add("rate.hundredths_per_100_tokens")
        minimum = list.add("rate.minimum_hundredths")
        calculated = list.add(
            """
            usage_credits(\(characters), \(tokens), rate.tokenizer,
                rate.hundredths_per_100_tokens, 0)
            """)
        effectiveFrom = list.add(
            "CASE WHEN isfinite(rate.effective_from) THEN rate.effective_from END")
    }

    /// The receipt in a row.
    func receipt(_ row: QueryReader) -> Receipt {
        var rate: Receipt.Rate?
        if let tokenizer = row[tokenizer], let calculated = row[calculated] {
            rate = Receipt.Rate(
                tokenizer: tokenizer, creditsPer100Tokens: row[creditsPer100Tokens],
                minimum: row[minimum], calculated: calculated, effectiveFrom: row[effectiveFrom])
        }
        return Receipt(
            characters: row[characters], countedTokens: row[countedTokens], rate: rate)
    }
}

extension Snapshot {
    /// The record of a message, with its receipt; nil if there is none within the bounds.
    public func record(_ messageID: Int64) throws -> (record: UsageRecord, receipt: Receipt)? {
        try reportingUnavailability {
            var bindings = Bindings()
            let named = "message_id = \(bindings.bind(messageID))"
            let conditions = [named] + bounds.conditions(&bindings)
            var list = SelectList()
            let record = list.add(UsageRows.columns)
            let receipt = ReceiptFields(&list, characters: "character_count", tokens: "token_count")
            let reader = try QueryReader(
                connection, "record",
                """
                SELECT \(list.sql)
                FROM usage_record LEFT JOIN credit_rate AS rate USING (credit_rate_id)
                \(whereClause(conditions))
                """, bindings.values, isStreamed: false)
            return try reader.next() ? (reader[record], receipt.receipt(reader)) : nil
        }
    }
}
