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

        /// Whether it is a column of a table.
        public let isStored: Bool

        /// The integers that are allowed; nil if all are.
        public let range: ClosedRange<Int64>?

        /// The table of which it is a column.
        public let table: Table

        /// Whether a record may lack a value.
        public var isOptional: Bool { required.isEmpty }

        init(
            _ name: String, sql: String? = nil, _ kind: Kind,
            in forms: Set<Form> = [.request, .response, .fields, .file],
            required: Set<Form> = [],
            isSortable: Bool = false, isFilterable: Bool = false, isStored: Bool = true,
            range: ClosedRange<Int64>? = nil, of table: Table = .record
        ) {
            self.name = name
            self.sql = sql ?? name
            self.kind = kind
            self.forms = forms
            self.required = required
            self.isSortable = isSortable
            self.isFilterable = isFilterable
            self.isStored = isStored
            self.range = range
            self.table = table
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
        /// Tags as JSON.
        case tags(Place<String?>)
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
        /// The same, without control characters.
        case identifier(Int)
        /// At most this number of mebibytes.
        case mebibytes(Int)
        /// 16 bytes in hexadecimal.
        case digest
    }

    /// A table of the database.
    public enum Table: Sendable {
        /// The table of records.
        case record
        /// The table of attributions, joined.
        case attribution
        /// The corrections of the record, added up.
        case corrections
    }

    /// A form of a record outside the database.
    public enum Form: Sendable {
        /// A message in a request.
        case request
        /// A record in a response that does not name its fields.
        case response
        /// A record in a response, with all fields.
        case fields
        /// A record in a response that names the field; `all` does not include it.
        case named
        /// A record in a file that is exported or imported.
        case file
    }
}

extension UsageRecord.Column {
    /// The columns of `form`, in order.
    public static func columns(of form: UsageRecord.Form) -> [UsageRecord.Column] {
        all.filter { $0.forms.contains(form) }
    }

    /// The fields that a request can name, in order.
    public static let selectable = all.filter { !$0.forms.isDisjoint(with: [.fields, .named]) }

    /// The fields of a record in its receipt, and in the response that recorded it: those of `fields`
    /// without the time of recording, which the sender need not know.
    public static let shown = columns(of: .fields).filter { $0 != .recordedAt }

    /// A digest of the fields of responses, equal in all builds with the same table.
    ///
    /// FNV-1a with 64 bits (draft-eastlake-fnv, section 2).
    public static let digest =
        selectable
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
        case .tags: "tags"
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
        case .tags(let place): place.get(self)
        }
    }
}
