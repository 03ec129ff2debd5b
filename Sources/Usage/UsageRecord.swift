/// The account of one message: what its sender says, and what was recorded of it.
public struct UsageRecord: Hashable, Sendable {
    /// The id that makes a retry safe; nil lets the database choose one.
    public var messageID: Int64?

    /// When the message was handled; nil for now.
    public var timestamp: Timestamp?

    /// The report that it produced; nil for an ordinary message.
    public var reportName: String?

    /// Its text.
    public var text: String?

    /// The credits that it used.
    public var creditsUsed: Credits?

    /// The tokens that an exact tokenizer counted, if the price depends on them.
    public var tokenCount: Int64?

    /// The name of that tokenizer, as the price list has it.
    public var tokenizer: String?

    /// Whether it was priced by characters although its rate counts exact tokens.
    public var isEstimated = false

    /// The number of its rate in an export; nil when the record brought its own credits.
    public var rate: Int64?

    /// Makes a record of which nothing is known.
    public init() {}
}

/// The table of columns: whatever shows, reads, sorts, filters or stores records goes by it.
extension UsageRecord.Column {
    /// The id; when a message is recorded twice, both meet in it.
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

    /// The text, which no response shows.
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

    /// What counted them.
    public static let tokenizer = UsageRecord.Column(
        "tokenizer", sql: "token_encoding",
        .text(.init({ $0.tokenizer }, { $0.tokenizer = $1 }), nil), in: [.file])

    /// Whether the record is an estimate, which its rate and its tokens tell: it is not stored.
    public static let estimated = UsageRecord.Column(
        "estimated", .flag(.init({ $0.isEstimated }, { $0.isEstimated = $1 })), in: [.file],
        isStored: false)

    /// The rate: its id in the database, its number in a file.
    public static let rate = UsageRecord.Column(
        "rate", sql: "credit_rate_id", .integer(.init({ $0.rate }, { $0.rate = $1 })), in: [.file])

    /// All columns, in the order in which every form has them.
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

        /// What its values are.
        public let kind: Kind

        /// The forms that have it.
        public let forms: Set<Form>

        /// Those of them in which it must have a value.
        public let required: Set<Form>

        /// Whether records can be sorted by it.
        public let isSortable: Bool

        /// Whether a query can name the texts that it may have.
        public let isFilterable: Bool

        /// Whether the table has it.
        public let isStored: Bool

        /// Whether a record need not have a value.
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

    /// What the values of a column are, and where a record holds them.
    public enum Kind: Sendable {
        /// An integer of 64 bits.
        case integer(Place<Int64?>)
        /// An instant.
        case timestamp(Place<Timestamp?>)
        /// A text without NUL; with a limit that every source must keep.
        case text(Place<String?>, TextLimit?)
        /// An amount of credits.
        case credits(Place<Credits?>)
        /// True, or absent.
        case flag(Place<Bool>)
    }

    /// Where a record holds the values of a column.
    public struct Place<Value: Sendable>: Sendable {
        /// Reads the value.
        public let get: @Sendable (UsageRecord) -> Value
        /// Sets the value.
        public let set: @Sendable (inout UsageRecord, Value) -> Void

        // Key paths would be shorter, and make a message a third more expensive to read.
        init(
            _ get: @escaping @Sendable (UsageRecord) -> Value,
            _ set: @escaping @Sendable (inout UsageRecord, Value) -> Void
        ) {
            self.get = get
            self.set = set
        }
    }

    /// How long a text may be; the table has the same constraints.
    public enum TextLimit: Equatable, Sendable {
        /// From 1 to this number of Unicode scalars.
        case characters(Int)
        /// At most this number of mebibytes.
        case mebibytes(Int)
    }

    /// A form that a record has outside the database.
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
    /// The columns that `form` has, in order.
    public static func columns(of form: UsageRecord.Form) -> [UsageRecord.Column] {
        all.filter { $0.forms.contains(form) }
    }

    /// A digest of what responses show, the same in every build of the same table.
    ///
    /// FNV-1a with 64 bits (draft-eastlake-fnv, section 2).
    public static let digest = columns(of: .response)
        .map { "\($0.name) \($0.kind.name) \($0.isOptional)\n" }.joined().utf8
        .reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }

    /// What is wrong with a text for this column, from whatever source.
    public func faults(_ text: String) -> [MessageFault] {
        guard case .text(_, let limit?) = kind else { return [] }
        var faults: [MessageFault] = []
        switch limit {
        case .characters(let most) where !(1...most).contains(text.unicodeScalars.count):
            faults = [MessageFault(name, .malformed, "\(name) must have 1 to \(most) characters.")]
        case .mebibytes(let most) where text.utf8.count > most << 20:
            return [MessageFault(name, .outOfRange, "\(name) must be at most \(most) MiB.")]
        default: break
        }
        let holdsNUL = text.utf8.withContiguousStorageIfAvailable { $0.contains(0) }
        guard holdsNUL ?? text.utf8.contains(0) else { return faults }
        let reason = "\(name) contains a NUL character (U+0000), which PostgreSQL cannot store."
        return faults + [MessageFault(name, .malformed, reason)]
    }
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

    /// Whether JSON has the value in quotes.
    public var isQuoted: Bool { name == "timestamp" || name == "text" }
}

extension UsageRecord {
    /// The value in `column` as JSON without quotes and CSV have it; nil where there is none.
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
