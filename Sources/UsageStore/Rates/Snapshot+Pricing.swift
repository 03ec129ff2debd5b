import Postgres
import Tokenizer
public import Usage

/// A record, and the credits that it should have.
public struct RecordedPrice: Sendable {
    /// The record without its text; its rate is the id in the database.
    public let record: UsageRecord
    /// The recorded length of the text, and the counted one; nil without a text.
    public let characters: (recorded: Int64?, counted: Int64?)
    /// The tokens that the recorded tokenizer counts now; the recorded ones, if the text is not stored.
    public let countedTokens: Int64?
    /// The id of the rate in force at the record's time for its model.
    public let rateInForce: Int64?
    /// Whether it is an estimate: plain SQL recorded no exact count.
    public let isEstimate: Bool
    /// The credits by the rate in force; nil if it yields none for the record.
    public let price: Credits?
}

extension Snapshot {
    /// Prices every open record again, one at a time, ordered by id.
    public func forEachPrice(
        _ tokenizers: Tokenizers, _ body: (RecordedPrice) throws -> Void
    ) throws {
        var list = SelectList()
        let fields = list.add(
            [.messageID, .reportName, .creditsUsed, .tokenCount, .tokenizer, .rate], of: "record")
        let recorded = list.add("character_count", as: Int64?.self)
        let counted = list.add(Self.characters, as: Int64?.self)
        let text = list.add(
            "CASE WHEN token_encoding IS NOT NULL THEN message_text END", as: String?.self)
        let rate = list.add("rate.credit_rate_id", as: Int64?.self)
        let isEstimate = list.add(
            """
            token_count IS NULL AND record.credit_rate_id IS NOT NULL
                AND rate.tokenizer <> 'characters' AND NOT (\(Self.measure.isReported))
            """, as: Bool?.self)
        let price = list.add(Self.price, as: Credits?.self)
        try reportingUnavailability {
            let row = try QueryReader(
                connection, "verify",
                """
                SELECT \(list.sql) FROM \(Self.pricedAgain)
                WHERE "timestamp" >= coalesce(\(ClosedRecords.line), '-infinity')
                ORDER BY message_id
                """, isStreamed: true)
            while try row.next() {
                let record = row[fields]
                var tokens = record.tokenCount
                if let encoding = record.tokenizer.flatMap(TokenEncoding.init(rawValue:)),
                    let text = row[text]
                {
                    tokens = try tokenizers.count(text, by: encoding)
                }
                try body(
                    RecordedPrice(
                        record: record, characters: (row[recorded], row[counted]),
                        countedTokens: tokens, rateInForce: row[rate],
                        isEstimate: row[isEstimate] ?? false, price: row[price]))
            }
        }
    }

    /// The recorded number, if the text is not stored.
    private static let characters = "coalesce(char_length(message_text), character_count)"

    private static let measure = MeasureColumns.stored(characters: characters)

    private static let price = """
        CASE WHEN rate.tokenizer = 'characters' OR token_encoding IS NULL
                OR token_encoding = rate.tokenizer OR \(measure.isReported)
            THEN \(measure.credits()) END
        """

    private static let pricedAgain = """
        usage_record AS record
        LEFT JOIN record_dated_ahead AS ahead USING (message_id)
        LEFT JOIN usage_attribution AS attribution USING (attribution_id)
        LEFT JOIN credit_rate_periods(ARRAY(SELECT DISTINCT model FROM usage_attribution) || ''::text)
            AS period ON period.used_model = coalesce(attribution.model, '')
            AND "timestamp" >= period.effective_from AND "timestamp" < period.until
        LEFT JOIN credit_rate AS rate
            ON rate.credit_rate_id = coalesce(ahead.credit_rate_id, period.credit_rate_id)
        """
}
