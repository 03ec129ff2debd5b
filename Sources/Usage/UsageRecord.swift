/// The usage record of one message, or the message that is to be recorded.
public struct UsageRecord: Hashable, Sendable {
    /// The id, which makes retries idempotent; nil lets the database choose one.
    public var messageID: Int64?

    /// The time of the message; nil for now.
    public var timestamp: Timestamp?

    /// The report that it produced; nil if none.
    public var reportName: String?

    /// Its text.
    public var text: String?

    /// Its price.
    public var creditsUsed: Credits?

    /// The tokens counted by an exact tokenizer, if the price depends on them.
    public var tokenCount: Int64?

    /// The name of that tokenizer in the price list.
    public var tokenizer: String?

    /// What a message of a text alone does not have; nil if there is none of it.
    var details: Details?

    // Not among the details, because to set it would copy them. Four bytes, as in the database: to copy
    // a record of more than 128 bytes takes a call.
    private var attributionNumber: Int32?

    /// Makes an empty record.
    public init() {}

    /// The number of its attribution in the database, once that is known.
    public var attributionID: Int64? {
        get { attributionNumber.map { Int64($0) } }
        set { attributionNumber = newValue.map { Int32($0) } }
    }

    /// Who and what a record belongs to.
    public struct Attribution: Hashable, Sendable {
        /// The user; nil if none.
        public var userID: String?
        /// The team; nil if none.
        public var teamID: String?
        /// The model; nil if none.
        public var model: String?
        /// The tags as a JSON object of texts, sorted by key, without blanks; nil if none.
        public var tags: String?

        /// Makes an attribution to nobody.
        public init() {}
    }

    /// Tokens as the provider reported them, in OpenTelemetry's meaning.
    public struct ReportedTokens: Hashable, Sendable {
        /// All tokens of the input, including both kinds of cached ones.
        public var input: Int64?
        /// The tokens of the output.
        public var output: Int64?
        /// The input tokens that were read from the provider's cache.
        public var cacheRead: Int64?
        /// The input tokens that were written to the provider's cache.
        public var cacheCreation: Int64?

        /// Makes an empty report.
        public init() {}
    }
}

/// The table of columns, which drives reading, writing, sorting, filtering and storing records.
extension UsageRecord.Column {
    /// The id, by which a retry finds the existing record.
    public static let messageID = UsageRecord.Column(
        "message_id", .integer(.init({ $0.messageID }, { $0.messageID = $1 })),
        required: [.response, .file], isSortable: true)

    /// The sender's own id.
    public static let externalID = UsageRecord.Column(
        "external_id",
        .text(.init({ $0.externalID }, { $0.externalID = $1 }), .identifier(255)),
        in: [.request, .fields, .file])

    /// The time.
    public static let timestamp = UsageRecord.Column(
        "timestamp", sql: #""timestamp""#,
        .timestamp(.init({ $0.timestamp }, { $0.timestamp = $1 })),
        required: [.response, .file], isSortable: true)

    /// When it was recorded.
    public static let recordedAt = UsageRecord.Column(
        "recorded_at", .timestamp(.init({ $0.recordedAt }, { $0.recordedAt = $1 })),
        in: [.fields, .file])

    /// The report name.
    public static let reportName = UsageRecord.Column(
        "report_name", .text(.init({ $0.reportName }, { $0.reportName = $1 }), .characters(500)),
        isSortable: true, isFilterable: true)

    /// The user.
    public static let userID = UsageRecord.Column(
        "user_id",
        .text(.init({ $0.attribution.userID }, { $0.attribution.userID = $1 }), .identifier(200)),
        in: [.request, .fields, .file], isFilterable: true, of: .attribution)

    /// The team.
    public static let teamID = UsageRecord.Column(
        "team_id",
        .text(.init({ $0.attribution.teamID }, { $0.attribution.teamID = $1 }), .identifier(200)),
        in: [.request, .fields, .file], isFilterable: true, of: .attribution)

    /// The model.
    public static let model = UsageRecord.Column(
        "model",
        .text(.init({ $0.attribution.model }, { $0.attribution.model = $1 }), .identifier(200)),
        in: [.request, .fields, .file], isFilterable: true, of: .attribution)

    /// The tags.
    public static let tags = UsageRecord.Column(
        "tags", .tags(.init({ $0.attribution.tags }, { $0.attribution.tags = $1 })),
        in: [.request, .fields, .file], of: .attribution)

    private static let reportedRange: ClosedRange<Int64> = 0...Int64(Int32.max)

    /// The reported input tokens.
    public static let inputTokens = UsageRecord.Column(
        "input_tokens", .integer(.init({ $0.reported.input }, { $0.reported.input = $1 })),
        in: [.request, .fields, .file], range: reportedRange)

    /// The reported output tokens.
    public static let outputTokens = UsageRecord.Column(
        "output_tokens", .integer(.init({ $0.reported.output }, { $0.reported.output = $1 })),
        in: [.request, .fields, .file], range: reportedRange)

    /// The reported input tokens that were read from a cache.
    public static let cacheReadInputTokens = UsageRecord.Column(
        "cache_read_input_tokens",
        .integer(.init({ $0.reported.cacheRead }, { $0.reported.cacheRead = $1 })),
        in: [.request, .fields, .file], range: reportedRange)

    /// The reported input tokens that were written to a cache.
    public static let cacheCreationInputTokens = UsageRecord.Column(
        "cache_creation_input_tokens",
        .integer(.init({ $0.reported.cacheCreation }, { $0.reported.cacheCreation = $1 })),
        in: [.request, .fields, .file], range: reportedRange)

    /// The record of which a correction takes back credits.
    public static let corrects = UsageRecord.Column(
        "corrects", .integer(.init({ $0.corrects }, { $0.corrects = $1 })), in: [.fields, .file])

    /// Why a correction was made.
    public static let reason = UsageRecord.Column(
        "reason", .text(.init({ $0.reason }, { $0.reason = $1 }), .characters(500)),
        in: [.fields, .file])

    /// What its corrections took back: their credits, which are negative, added up.
    public static let corrected = UsageRecord.Column(
        "corrected", .credits(.init({ $0.corrected }, { $0.corrected = $1 })), in: [.named],
        isStored: false, of: .corrections)

    /// The text, which is not in responses.
    public static let text = UsageRecord.Column(
        "message_text", .text(.init({ $0.text }, { $0.text = $1 }), .mebibytes(8)),
        in: [.request, .file])

    /// The length of the text, also where it is not stored.
    public static let characterCount = UsageRecord.Column(
        "character_count", .integer(.init({ $0.characterCount }, { $0.characterCount = $1 })),
        in: [.file], range: reportedRange)

    /// What takes the place of a text that is not stored.
    public static let textDigest = UsageRecord.Column(
        "text_digest", .text(.init({ $0.textDigest }, { $0.textDigest = $1 }), .digest),
        in: [.file])

    /// The credits.
    public static let creditsUsed = UsageRecord.Column(
        "credits_used", sql: "credit_hundredths",
        .credits(.init({ $0.creditsUsed }, { $0.creditsUsed = $1 })),
        in: [.response, .fields, .file], required: [.response], isSortable: true)

    /// The exact tokens.
    public static let tokenCount = UsageRecord.Column(
        "token_count", .integer(.init({ $0.tokenCount }, { $0.tokenCount = $1 })), in: [.file])

    /// The tokenizer that counted them.
    public static let tokenizer = UsageRecord.Column(
        "tokenizer", sql: "token_encoding",
        .text(.init({ $0.tokenizer }, { $0.tokenizer = $1 }), nil), in: [.file])

    /// Whether the record is an estimate; derived from its rate and tokens, not stored.
    public static let estimated = UsageRecord.Column(
        "estimated", .flag(.init({ $0.isEstimated }, { $0.isEstimated = $1 })), in: [.file],
        isStored: false)

    /// The rate: its id in the database, its number in a file.
    public static let rate = UsageRecord.Column(
        "rate", sql: "credit_rate_id", .integer(.init({ $0.rate }, { $0.rate = $1 })), in: [.file])

    /// All columns, in the order of every form.
    public static let all = [
        messageID, externalID, timestamp, recordedAt, reportName, userID, teamID, model, tags,
        inputTokens, outputTokens, cacheReadInputTokens, cacheCreationInputTokens, corrects,
        reason, text, characterCount, textDigest, creditsUsed, corrected, tokenCount, tokenizer,
        estimated, rate,
    ]

    /// The columns of which a record needs one: what its price is calculated from, or what it corrects.
    public static let measures: Set = [text, inputTokens, outputTokens, characterCount, corrects]

    /// The number of the attribution, which no form has.
    public static let attributionID = UsageRecord.Column(
        "attribution_id", .integer(.init({ $0.attributionID }, { $0.attributionID = $1 })), in: [])
}
