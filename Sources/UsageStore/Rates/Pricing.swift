/// The price list with the end of each rate's period, as `until`: for joins with many records,
/// where credit_rate_at() for each would be slow.
let creditRatePeriods = """
    (SELECT *, lead(effective_from, 1, 'infinity') OVER (ORDER BY effective_from) AS until
     FROM credit_rate)
    """

/// Pricing in SQL, for rows named `item` with the columns of messages, joined with `rate`.
enum Pricing {
    /// The time of the message; now, if absent.
    static let time = "coalesce(item.\"timestamp\", now())"

    /// The tokens, if the rate's tokenizer counted them; otherwise NULL.
    static let tokens = "CASE WHEN item.token_encoding = rate.tokenizer THEN item.token_count END"

    /// The credits by the number of characters.
    static let estimate = credits(tokens: "NULL")

    /// The credits; NULL if the rate's tokenizer did not count the tokens.
    ///
    /// This happens if the price list changed in the meantime. The message is counted again; it is
    /// never recorded as an estimate.
    static let price = """
        CASE WHEN rate.tokenizer = 'characters' OR item.token_encoding = rate.tokenizer
            THEN \(credits(tokens: tokens)) END
        """

    /// Why a message is refused: its time is out of range or has no rate; NULL if it is not.
    static let refusal = """
        coalesce(usage_timestamp_fault(\(time)),
            CASE WHEN rate.tokenizer IS NULL THEN 'unpriced' END)
        """

    private static func credits(tokens: String) -> String {
        """
        usage_credits(char_length(item.message_text), \(tokens), rate.tokenizer,
            rate.hundredths_per_100_tokens, rate.minimum_hundredths)
        """
    }
}

/// Why a well-formed message cannot be recorded.
public enum MessageRefusal: String, Sendable {
    /// The price list has no rate for its time.
    case unpriced
    /// It is dated before 2000.
    case outOfRange = "out_of_range"
    /// It is dated more than five minutes ahead.
    case inTheFuture = "in_the_future"

    /// The fault and the expected value; without a full stop.
    public var reason: String {
        switch self {
        case .unpriced: "the price list has no rate for this timestamp"
        case .outOfRange, .inTheFuture:
            "timestamp must be from 2000-01-01T00:00:00Z to five minutes ahead of now"
        }
    }
}
