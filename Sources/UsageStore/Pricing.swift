/// The price list with the end of each entry's time, as `until`: for joins with many records at
/// once, where calling credit_rate_at() for each would take long.
let creditRatePeriods = """
    (SELECT *, lead(effective_from, 1, 'infinity') OVER (ORDER BY effective_from) AS until
     FROM credit_rate)
    """

/// Messages that the responder or an import has counted, priced in SQL.
///
/// `item` stands for rows with `message_text`, `token_count` and `token_encoding`, joined with `rate`.
enum Pricing {
    /// The tokens, if the rate's own tokenizer counted them: others do not count.
    static func tokens(_ item: String) -> String {
        "CASE WHEN \(item).token_encoding = rate.tokenizer THEN \(item).token_count END"
    }

    /// The credits; NULL where the rate's tokenizer has not counted the text, because the price list
    /// changed in between: such a message is counted again, and never recorded as an estimate.
    static func price(_ item: String) -> String {
        """
        CASE WHEN rate.tokenizer = 'characters' OR \(item).token_encoding = rate.tokenizer
            THEN usage_credits(char_length(\(item).message_text), \(tokens(item)), rate.tokenizer,
                rate.hundredths_per_100_tokens, rate.minimum_hundredths) END
        """
    }
}

/// Why a message cannot be recorded, though nothing is wrong with its form.
public enum MessageRefusal: String, Sendable {
    /// The price list has no rate for its time.
    case unpriced
    /// It is dated before 2000.
    case outOfRange = "out_of_range"
    /// It is dated more than five minutes ahead.
    case inTheFuture = "in_the_future"

    /// What is wrong and what was expected; without a full stop.
    public var reason: String {
        switch self {
        case .unpriced: "the price list has no rate for this timestamp"
        case .outOfRange, .inTheFuture:
            "timestamp must be from 2000-01-01T00:00:00Z to five minutes ahead of now"
        }
    }

    /// Why an item is refused whose time is at fault, or else has no rate; NULL for any other.
    static func column(_ item: String) -> String {
        """
        coalesce(usage_timestamp_fault(\(item)."timestamp"),
            CASE WHEN rate.tokenizer IS NULL THEN 'unpriced' END)
        """
    }
}
