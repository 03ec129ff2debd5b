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

    /// Whether it is an estimate: priced by characters although its rate counts exact tokens.
    public var isEstimated = false

    /// The number of its rate in an export; nil if no rate priced it.
    public var rate: Int64?

    /// Makes an empty record.
    public init() {}
}

/// The table of columns, which drives reading, writing, sorting, filtering and storing records.
extension UsageRecord.Column {
    /// The id, by which a retry finds the existing record.
    public static let messageID = UsageRecord.Column(
        "message_id", .integer(.init({ $0.messageID }, { $0.messageID = $1 })),
        required: [.response, .file], isSortable: true)

    /// The time.
    public static let timestamp = UsageRecord.Column(
        "timestamp", sql: #""timestamp""#,
        .timestamp(.init({ $0.timestamp }, { $0.timestamp = $1 })),
        required: [.response, .file], isSortable: true)

    /// The report name.
    public static let reportName = UsageRecord.Column(
        "report_name", .text(.init({ $0.reportName }, { $0.reportName = $1 }), .characters(500)),
        isSortable: true, isFilterable: true)

    /// The text, which is not in responses.
    public static let text = UsageRecord.Column(
        "message_text", .text(.init({ $0.text }, { $0.text = $1 }), .mebibytes(8)),
        in: [.request, .file], required: [.request, .file])

    /// The credits.
    public static let creditsUsed = UsageRecord.Column(
        "credits_used", sql: "credit_hundredths",
        .credits(.init({ $0.creditsUsed }, { $0.creditsUsed = $1 })),
        in: [.response, .file], required: [.response], isSortable: true)

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
        messageID, timestamp, reportName, text, creditsUsed, tokenCount, tokenizer, estimated, rate,
    ]
}

extension UsageRecord {
    /// A column of usage records: a member in JSON, and a column of CSV and of the table.
    public final class Column: Hashable, Sendable {
        /// Its name in JSON, CSV and queries.
        public let name: String

        /// Its name in SQL.
        public let sql: String

        /// The kind of its values.
        public let kind: Kind

        /// The forms that have it.
        public let forms: Set<Form>

        /// The forms in which it must have a value.
        public let required: Set<Form>

        /// Whether records can be sorted by it.
        public let isSortable: Bool

        /// Whether queries can filter by its texts.
        public let isFilterable: Bool

        /// Whether it is a column of the table.
        public let isStored: Bool

        /// Whether a record may lack a value.
        public var isOptional: Bool { required.isEmpty }

        init(
            _ name: String, sql: String? = nil, _ kind: Kind,
            in forms: Set<Form> = [.request, .response, .file],
            required: Set<Form> = [],
            isSortable: Bool = false, isFilterable: Bool = false, isStored: Bool = true
        ) {
            self.name = name
            self.sql = sql ?? name
            self.kind = kind
            self.forms = forms
            self.required = required
            self.isSortable = isSortable
            self.isFilterable = isFilterable
            self.isStored = isStored
        }

        /// Whether both have the same name.
        public static func == (left: Column, right: Column) -> Bool { left.name == right.name }

        /// Hashes the name.
        public func hash(into hasher: inout Hasher) { hasher.combine(name) }
    }

    /// The kind of a column's values, and how to access them; indirect, to be cheap to copy.
    public indirect enum Kind: Sendable {
        /// An integer of 64 bits.
        case integer(Place<Int64?>)
        /// An instant.
        case timestamp(Place<Timestamp?>)
        /// A text without NUL, with a limit for all sources.
        case text(Place<String?>, TextLimit?)
        /// An amount of credits.
        case credits(Place<Credits?>)
        /// True, or absent.
        case flag(Place<Bool>)
    }

    /// Access to a column's value in a record.
    public struct Place<Value: Sendable>: Sendable {
        /// Reads the value.
        public let get: @Sendable (UsageRecord) -> Value
        /// Sets the value.
        public let set: @Sendable (inout UsageRecord, Value) -> Void
        /// Reads the values of many records, and copies none of the records.
        public let values: @Sendable ([UsageRecord]) -> [Value]

        // Key paths would make parsing a message a third more expensive. Inlined, so that each
        // place gets a loop of its own.
        @inline(__always)
        init(
            _ get: @escaping @Sendable (UsageRecord) -> Value,
            _ set: @escaping @Sendable (inout UsageRecord, Value) -> Void
        ) {
            self.get = get
            self.set = set
            values = { $0.map(get) }
        }
    }

    /// The maximum length of a text; the table has the same constraints.
    public enum TextLimit: Equatable, Sendable {
        /// From 1 to this number of Unicode scalars.
        case characters(Int)
        /// At most this number of mebibytes.
        case mebibytes(Int)
    }

    /// A form of a record outside the database.
    public enum Form: Sendable {
        /// A message in a request.
        case request
        /// A record in a response.
        case response
        /// A record in a file that is exported or imported.
        case file
    }
}

extension UsageRecord.Column {
    /// The columns of `form`, in order.
    public static func columns(of form: UsageRecord.Form) -> [UsageRecord.Column] {
        all.filter { $0.forms.contains(form) }
    }

    /// A digest of the columns in responses, equal in all builds with the same table.
    ///
    /// FNV-1a with 64 bits (draft-eastlake-fnv, section 2).
    public static let digest = columns(of: .response)
        .map { "\($0.name) \($0.kind.name) \($0.isOptional)\n" }.joined().utf8
        .reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
}

extension UsageRecord.Kind {
    /// The kind's name.
    public var name: String {
        switch self {
        case .integer: "integer"
        case .timestamp: "timestamp"
        case .text: "text"
        case .credits: "credits"
        case .flag: "flag"
        }
    }

    /// Whether the value is quoted in JSON.
    public var isQuoted: Bool { name == "timestamp" || name == "text" }
}

extension UsageRecord {
    /// The value in `column` as in CSV, and in JSON without quotes; nil if there is none.
    public func value(in column: Column) -> String? {
        switch column.kind {
        case .integer(let place): place.get(self).map { String($0) }
        case .timestamp(let place): place.get(self)?.description
        case .text(let place, _): place.get(self)
        case .credits(let place): place.get(self)?.description
        case .flag(let place): place.get(self) ? "true" : nil
        }
    }
}
