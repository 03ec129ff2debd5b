import Usage

/// Pricing in SQL, for rows named `item` with the columns of messages, joined with `rate`.
enum Pricing {
    /// The columns of a rate's prices: input, output, cache read, cache creation.
    static let prices = ["input_price", "output_price", "cache_read_price", "cache_creation_price"]

    /// The time of the message; now, if absent.
    static let time = "coalesce(item.\"timestamp\", now())"

    /// The model of the message; NULL or empty if it has none.
    static let model = "item.model"

    /// What a message is priced by: the tokens that it reports; otherwise its text.
    static let measure = MeasureColumns(
        characters: "item.character_count", tokens: tokens,
        reported: [
            "item.input_tokens", "item.output_tokens", "item.cache_read_input_tokens",
            "item.cache_creation_input_tokens",
        ])

    /// The tokens, if the rate's tokenizer counted them; otherwise NULL.
    static let tokens = "CASE WHEN item.token_encoding = rate.tokenizer THEN item.token_count END"

    /// The credits by the number of characters, unless the message reports tokens.
    static let estimate = MeasureColumns(
        characters: measure.characters, tokens: "NULL", reported: measure.reported
    ).credits()

    /// The credits; NULL if the rate's tokenizer did not count the tokens.
    ///
    /// This happens if the price list changed in the meantime. The message is counted again; it is
    /// never recorded as an estimate.
    static let price = "CASE WHEN \(isMeasured) THEN \(measure.credits()) END"

    /// Whether the message is counted as its rate requires.
    static let isMeasured = """
        (rate.tokenizer = 'characters' OR item.token_encoding = rate.tokenizer
            OR \(measure.isReported))
        """

    /// Why a message is refused: it is closed, or its time is out of range or has no rate, `unless` it
    /// needs none; NULL if it is not.
    static func refusal(unless isPriced: String = "false") -> String {
        """
        coalesce(usage_timestamp_fault(\(time)), \(ClosedRecords.refusal(time: time)),
            CASE WHEN rate.tokenizer IS NULL AND NOT \(isPriced) THEN 'unpriced' END)
        """
    }

    /// Why a message is refused whose `refusal` is NULL and that is measured, if it has no `price`.
    static let overflow = "'credits_out_of_range'"
}

/// What a message or record is priced by, as SQL expressions.
struct MeasureColumns {
    /// The number of characters of its text.
    let characters: String

    /// The number of tokens of its text that the rate's tokenizer counted.
    let tokens: String

    /// The reported tokens: input (with both kinds of cached ones), output, cache read, cache creation.
    let reported: [String]

    /// The columns of the table `record`.
    static func stored(
        characters: String = "record.character_count", tokens: String = "record.token_count"
    ) -> MeasureColumns {
        MeasureColumns(
            characters: characters, tokens: tokens,
            reported: [
                "record.input_tokens", "record.output_tokens", "record.cache_read_input_tokens",
                "record.cache_creation_input_tokens",
            ])
    }

    /// Whether reported tokens are the measure, and not the text.
    var isReported: String { "\(reported[0]) IS NOT NULL OR \(reported[1]) IS NOT NULL" }

    /// The credits at the rate `rate`; NULL if there is none, or above 2^53 hundredths.
    func credits(minimum: String = "rate.minimum_hundredths") -> String {
        let arguments =
            [characters, tokens, "rate.tokenizer"] + reported
            + Pricing.prices.map { "rate.\($0)" } + [minimum]
        return "usage_credits(\(arguments.joined(separator: ", ")))"
    }
}

/// What the price of a message depends on beside its time.
extension UsageRecord {
    /// The model; empty if it has none.
    var pricedModel: String { attribution.model ?? "" }

    /// Whether reported tokens are the measure, and not the text.
    var reportsTokens: Bool { !isPlain && (reported.input != nil || reported.output != nil) }
}

/// Why a well-formed message cannot be recorded.
public enum MessageRefusal: String, Sendable {
    /// The price list has no rate for its time.
    case unpriced
    /// It is dated before 2000.
    case outOfRange = "out_of_range"
    /// It is dated more than five minutes ahead.
    case inTheFuture = "in_the_future"
    /// It is dated before the line of the last closing.
    case closed
    /// A closed record has its `message_id`.
    case closedMessageID = "closed_message_id"
    /// A closed record has its `external_id`.
    case closedExternalID = "closed_external_id"
    /// Its credits are above 2^53 hundredths, beyond which JavaScript rounds integers.
    case creditsOutOfRange = "credits_out_of_range"
    /// Its attribution is new, and there are too many.
    case tooManyAttributions = "too_many"
    /// It corrects a closed record.
    case closedOriginal = "closed_original"
    /// It corrects a correction, a later record, more credits than are left, or a refused message.
    case wrongCorrection = "wrong_correction"

    /// The fault and the expected value; without a full stop.
    public var reason: String {
        switch self {
        case .unpriced: "the price list has no rate for this timestamp"
        case .outOfRange, .inTheFuture:
            "timestamp must be from 2000-01-01T00:00:00Z to five minutes ahead of now"
        case .closed:
            "the books are closed at this timestamp; X-Usage-Closed-Before of GET /usage is the "
                + "first one that is open"
        case .closedMessageID: "the record with this message_id is closed; nothing is charged"
        case .closedExternalID: "the record with this external_id is closed; nothing is charged"
        case .creditsOutOfRange: "the credits must be at most 90071992547409.92"
        case .tooManyAttributions:
            "this combination of user_id, team_id, model and tags is new, and there are already as "
                + "many as ATTRIBUTION_LIMIT allows"
        case .closedOriginal: "the record that it corrects is closed"
        case .wrongCorrection:
            "it corrects a correction, a later record, more credits than are left, or a message of "
                + "the file that was refused"
        }
    }
}
