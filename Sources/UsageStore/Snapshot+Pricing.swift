import Postgres
import Tokenizer
public import Usage

/// A record as it is recorded, beside what its price should be.
public struct RecordedPrice: Sendable {
    /// The record without its text; its rate is the id of the price list entry.
    public let record: UsageRecord
    /// The length of the text that is recorded, and its length counted anew.
    public let characters: (recorded: Int64, counted: Int64)
    /// The tokens that the recorded tokenizer counts anew.
    public let countedTokens: Int64?
    /// The price list entry in force at the record's time.
    public let rateInForce: Int64?
    /// Whether plain SQL recorded no exact count, which `orbitalctl recount` can add.
    public let isEstimate: Bool
    /// The credits by the entry in force; nil where it has no price for the record.
    public let price: Credits?
}

/// The columns of the statement that prices records anew.
private struct PriceFields {
    private var list = SelectList()
    private let record: RecordFields
    private let recordedCharacters: Field<Int64>
    private let countedCharacters: Field<Int64>
    private let text: Field<String?>
    private let rateInForce: Field<Int64?>
    private let isEstimate: Field<Bool?>
    private let price: Field<Credits?>

    init() {
        record = list.add(
            [.messageID, .reportName, .creditsUsed, .tokenCount, .tokenizer, .rate], of: "record")
        recordedCharacters = list.add("character_count")
        countedCharacters = list.add("char_length(message_text)")
        text = list.add("CASE WHEN token_encoding IS NOT NULL THEN message_text END")
        rateInForce = list.add("rate.credit_rate_id")
        isEstimate = list.add(
            """
            token_count IS NULL AND record.credit_rate_id IS NOT NULL
                AND rate.tokenizer <> 'characters'
            """)
        price = list.add(
            """
            CASE WHEN rate.tokenizer = 'characters' OR token_encoding IS NULL
                    OR token_encoding = rate.tokenizer
                THEN usage_credits(char_length(message_text), token_count::bigint,
                    rate.tokenizer, rate.hundredths_per_100_tokens, rate.minimum_hundredths) END
            """)
    }

    var statement: String {
        """
        SELECT \(list.sql)
        FROM usage_record AS record
        LEFT JOIN record_dated_ahead AS ahead USING (message_id)
        LEFT JOIN \(creditRatePeriods) AS period
            ON "timestamp" >= period.effective_from AND "timestamp" < period.until
        LEFT JOIN credit_rate AS rate
            ON rate.credit_rate_id = coalesce(ahead.credit_rate_id, period.credit_rate_id)
        ORDER BY message_id
        """
    }

    /// Reads a row, and counts the tokens of its text.
    func price(_ row: QueryReader, _ tokenizers: Tokenizers) throws -> RecordedPrice {
        let record = row[record]
        return RecordedPrice(
            record: record, characters: (row[recordedCharacters], row[countedCharacters]),
            countedTokens: try record.tokenizer.flatMap(TokenEncoding.init(rawValue:)).map {
                try tokenizers.count(row[text] ?? "", by: $0)
            },
            rateInForce: row[rateInForce], isEstimate: row[isEstimate] ?? false, price: row[price])
    }
}

extension Snapshot {
    /// Prices every record anew, in the order of their ids, one at a time.
    public func forEachPrice(
        _ tokenizers: Tokenizers, _ body: (RecordedPrice) throws -> Void
    ) throws {
        try reportingUnavailability {
            let fields = PriceFields()
            let reader = try QueryReader(
                connection, fields.statement, [String](), isStreamed: true)
            while try reader.next() { try body(fields.price(reader, tokenizers)) }
        }
    }
}
