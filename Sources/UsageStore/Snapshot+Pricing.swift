import Postgres
import Tokenizer
public import Usage

/// A record's price as it is recorded, beside what it should be.
public struct RecordedPrice: Sendable {
    /// The message's id.
    public let messageID: Int64
    /// Whether the record has a report name.
    public let hasReport: Bool
    /// The credits that are recorded.
    public let credits: Credits
    /// The length of the text that is recorded, and its length counted anew.
    public let characters: (recorded: Int64, counted: Int64)
    /// The exact tokens that are recorded, and what the same tokenizer counts anew.
    public let tokens: (recorded: Int64?, counted: Int64?)
    /// The price list entry that is recorded, and the one in force at the record's time.
    public let rateID: (recorded: Int64?, inForce: Int64?)
    /// Whether plain SQL recorded no exact count, which `orbitalctl recount` can add.
    public let isEstimate: Bool
    /// The credits by the entry in force; nil where it has no price for the record.
    public let price: Credits?
}

extension Snapshot {
    /// Prices every record anew, in the order of their ids, one at a time.
    public func forEachPrice(
        _ tokenizers: Tokenizers, _ body: (RecordedPrice) throws -> Void
    ) throws {
        try reportingUnavailability {
            let reader = try QueryReader(
                connection,
                """
                SELECT message_id, (report_name IS NOT NULL)::int::bigint, credit_hundredths,
                    character_count::bigint, char_length(message_text)::bigint,
                    record.credit_rate_id::bigint, rate.credit_rate_id::bigint,
                    CASE WHEN rate.tokenizer = 'characters' OR token_encoding IS NULL
                            OR token_encoding = rate.tokenizer
                        THEN usage_credits(char_length(message_text), token_count::bigint,
                            rate.tokenizer, rate.hundredths_per_100_tokens,
                            rate.minimum_hundredths) END,
                    token_count::bigint, token_encoding,
                    CASE WHEN token_encoding IS NOT NULL THEN message_text END,
                    (token_count IS NULL AND record.credit_rate_id IS NOT NULL
                        AND rate.tokenizer <> 'characters')::int::bigint
                FROM usage_record AS record
                LEFT JOIN record_dated_ahead AS ahead USING (message_id)
                LEFT JOIN \(creditRatePeriods) AS period
                    ON "timestamp" >= period.effective_from AND "timestamp" < period.until
                LEFT JOIN credit_rate AS rate
                    ON rate.credit_rate_id = coalesce(ahead.credit_rate_id, period.credit_rate_id)
                ORDER BY message_id
                """, [String](), isStreamed: true)
            let integer = { (column: Int) in reader.isNull(column) ? nil : reader.integer(column) }
            while try reader.next() {
                let counted = try reader.string(9).flatMap(TokenEncoding.init(rawValue:)).map {
                    try tokenizers.count(reader.string(10) ?? "", by: $0)
                }
                try body(
                    RecordedPrice(
                        messageID: reader.integer(0), hasReport: reader.integer(1) == 1,
                        credits: Credits(hundredths: reader.integer(2)),
                        characters: (reader.integer(3), reader.integer(4)),
                        tokens: (integer(8), counted),
                        rateID: (integer(5), integer(6)), isEstimate: integer(11) == 1,
                        price: integer(7).map { Credits(hundredths: $0) }))
            }
        }
    }
}
