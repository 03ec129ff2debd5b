import Postgres
public import Usage

/// How the credits of a text come about.
public struct Receipt: Sendable {
    /// The text's length in Unicode scalars.
    public let characters: Int64

    /// The tokens that an exact tokenizer counted; nil where characters are the measure.
    public let countedTokens: Int64?

    /// The price list entry that applied; nil when the writer brought its own credits.
    public let rate: Rate?

    /// An entry of the price list as it was applied.
    public struct Rate: Sendable {
        /// How tokens are counted.
        public let tokenizer: String
        /// The price of 100 tokens.
        public let creditsPer100Tokens: Credits
        /// The least that a message costs.
        public let minimum: Credits
        /// What the tokens cost, before the minimum.
        public let calculated: Credits
        /// From when on the entry applies; nil for the first one, which covers all of the past.
        public let effectiveFrom: Timestamp?
    }

    /// Whether plain SQL recorded no exact count, so that the rate was applied to characters / 4.
    public var isEstimated: Bool {
        countedTokens == nil && rate.map { $0.tokenizer != "characters" } ?? false
    }

    /// The tokens with two decimals; four characters are one.
    public var tokens: Credits {
        Credits(hundredths: countedTokens.map { $0 * 100 } ?? characters * 25)
    }

    /// What the columns are of; `characters`, `tokens` and `rate` stand for SQL expressions.
    static func columns(characters: String, tokens: String, rate: String) -> String {
        """
        \(characters)::bigint, \(tokens)::bigint, \(rate).tokenizer,
        \(rate).hundredths_per_100_tokens, \(rate).minimum_hundredths,
        usage_credits(\(characters), \(tokens), \(rate).tokenizer,
            \(rate).hundredths_per_100_tokens, 0),
        CASE WHEN isfinite(\(rate).effective_from) THEN \(rate).effective_from END
        """
    }

    /// Reads the columns from the one with the characters on.
    init(_ reader: QueryReader, at first: Int) {
        characters = reader.integer(first)
        countedTokens = reader.isNull(first + 1) ? nil : reader.integer(first + 1)
        guard let tokenizer = reader.string(first + 2), !reader.isNull(first + 5) else {
            rate = nil
            return
        }
        rate = Rate(
            tokenizer: tokenizer,
            creditsPer100Tokens: Credits(hundredths: reader.integer(first + 3)),
            minimum: Credits(hundredths: reader.integer(first + 4)),
            calculated: Credits(hundredths: reader.integer(first + 5)),
            effectiveFrom: reader.isNull(first + 6)
                ? nil : Timestamp(postgresMicroseconds: reader.integer(first + 6)))
    }
}

/// A usage record with its receipt.
public struct ReceiptedRecord: Sendable {
    /// The message's id.
    public let messageID: Int64
    /// When the message was handled.
    public let timestamp: Timestamp
    /// The report it produced.
    public let reportName: String?
    /// The credits it used, as they were recorded.
    public let creditsUsed: Credits
    /// How they come about.
    public let receipt: Receipt
}

extension Snapshot {
    /// The record of a message, with its receipt; nil when there is none.
    public func record(_ messageID: Int64) throws -> ReceiptedRecord? {
        try reportingUnavailability {
            var bindings = Bindings()
            let reader = try QueryReader(
                connection,
                """
                SELECT message_id, "timestamp", report_name, credit_hundredths,
                    \(Receipt.columns(characters: "character_count", tokens: "token_count", rate: "rate"))
                FROM usage_record LEFT JOIN credit_rate AS rate USING (credit_rate_id)
                WHERE message_id = \(bindings.bind(messageID))
                """, bindings.values, isStreamed: false)
            guard try reader.next() else { return nil }
            return ReceiptedRecord(
                messageID: reader.integer(0),
                timestamp: Timestamp(postgresMicroseconds: reader.integer(1)),
                reportName: reader.string(2),
                creditsUsed: Credits(hundredths: reader.integer(3)),
                receipt: Receipt(reader, at: 4))
        }
    }
}
