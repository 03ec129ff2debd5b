import Postgres
import Usage

/// The columns of a SELECT list with their types; adding a column returns the field that reads it,
/// so that a statement and its reader cannot differ.
struct SelectList {
    /// The columns in SQL.
    private(set) var columns: [String] = []

    /// The list in SQL.
    var sql: String { columns.joined(separator: ", ") }

    /// Adds an expression, cast to the type of `Value`.
    mutating func add<Value: FieldValue>(
        _ expression: String, as type: Value.Type = Value.self
    ) -> Field<Value> {
        columns.append(Value.sql(expression))
        return Field(index: columns.count - 1)
    }

    /// Adds columns of stored records, for a statement that reads `columns.source`.
    mutating func add(stored columns: [UsageRecord.Column]) -> RecordFields {
        self.columns += columns.map(\.stored)
        return RecordFields(first: self.columns.count - columns.count, columns: columns)
    }

    /// Adds columns of usage records, with `table` as a prefix in joins.
    mutating func add(_ columns: [UsageRecord.Column], of table: String? = nil) -> RecordFields {
        let prefix = table.map { $0 + "." } ?? ""
        self.columns += columns.map { $0.kind.sql(prefix + $0.sql) }
        return RecordFields(first: self.columns.count - columns.count, columns: columns)
    }
}

/// A column of a statement with values of one type.
struct Field<Value: FieldValue> {
    fileprivate let index: Int
}

/// Columns of usage records in a statement.
struct RecordFields {
    fileprivate let first: Int
    fileprivate let columns: [UsageRecord.Column]
}

/// A type of columns.
protocol FieldValue {
    /// `expression`, cast to the type that is sent.
    static func sql(_ expression: String) -> String

    /// Reads the value in `column`; it must not be NULL unless the type is optional.
    static func read(_ row: some RowReader, _ column: Int) -> Self
}

extension Int64: FieldValue {
    static func sql(_ expression: String) -> String { "(\(expression))::bigint" }
    static func read(_ row: some RowReader, _ column: Int) -> Int64 { row.integer(column) }
}

extension Bool: FieldValue {
    static func sql(_ expression: String) -> String { "(\(expression))::integer::bigint" }
    static func read(_ row: some RowReader, _ column: Int) -> Bool { row.integer(column) == 1 }
}

extension Credits: FieldValue {
    static func sql(_ expression: String) -> String { Int64.sql(expression) }
    static func read(_ row: some RowReader, _ column: Int) -> Credits {
        Credits(hundredths: row.integer(column))
    }
}

extension Timestamp: FieldValue {
    static func sql(_ expression: String) -> String { expression }
    static func read(_ row: some RowReader, _ column: Int) -> Timestamp {
        Timestamp(postgresMicroseconds: row.integer(column))
    }
}

extension String: FieldValue {
    static func sql(_ expression: String) -> String { "(\(expression))::text" }
    static func read(_ row: some RowReader, _ column: Int) -> String { row.string(column) ?? "" }
}

/// A `bytea`; empty for NULL.
extension [UInt8]: FieldValue {
    static func sql(_ expression: String) -> String { expression }
    static func read(_ row: some RowReader, _ column: Int) -> [UInt8] {
        row.withText(column) { bytes in
            guard let bytes else { return [] }
            return bytes.indices.map { bytes[$0] }
        }
    }
}

extension Optional: FieldValue where Wrapped: FieldValue {
    static func sql(_ expression: String) -> String { Wrapped.sql(expression) }
    static func read(_ row: some RowReader, _ column: Int) -> Wrapped? {
        row.isNull(column) ? nil : Wrapped.read(row, column)
    }
}

extension RowReader {
    /// The value of `field` in the last row read.
    subscript<Value>(_ field: Field<Value>) -> Value { Value.read(self, field.index) }

    /// The record in the last row read, with the values of its columns.
    subscript(_ fields: RecordFields) -> UsageRecord {
        var record = UsageRecord()
        read(fields, into: &record)
        return record
    }

    /// Sets the values of `record` that the row has.
    func read(_ fields: RecordFields, into record: inout UsageRecord) {
        for (offset, column) in fields.columns.enumerated() {
            let index = fields.first + offset
            switch column.kind {
            case .integer(let place): place.set(&record, .read(self, index))
            case .timestamp(let place): place.set(&record, .read(self, index))
            case .text(let place, _): place.set(&record, .read(self, index))
            case .credits(let place): place.set(&record, .read(self, index))
            case .flag(let place): place.set(&record, Bool?.read(self, index) ?? false)
            case .tags(let place): place.set(&record, .read(self, index))
            }
        }
    }
}

extension UsageRecord.Column {
    /// The value in `source`.
    fileprivate var stored: String {
        switch table {
        case .record: kind.sql(sql)
        case .attribution: "attribution.\(sql)"
        case .corrections: "corrections.\(sql)"
        }
    }

    /// The value in the table of attributions, where '' and '{}' mean "without".
    fileprivate var ofAttribution: String {
        if case .tags = kind { return "tags_text AS \(sql)" }
        return "nullif(\(sql), '') AS \(sql)"
    }
}

extension [UsageRecord.Column] {
    /// Whether one of them is a column of the table of attributions.
    var needAttributions: Bool { contains { $0.table == .attribution } }

    /// Whether one of them is not a column of the table of records.
    var needJoin: Bool { contains { $0.table != .record } }

    /// The source of these columns of stored records; `records` is the table or a part of it,
    /// called `name`.
    ///
    /// OFFSET keeps the records in their order: a join by a hash table would have to sort all of
    /// them before the first one is sent.
    func source(_ records: String = "usage_record", name: String = "usage_record") -> String {
        var source = records
        if needAttributions {
            let values = filter { $0.table == .attribution }.map(\.ofAttribution)
            source += """
                 LEFT JOIN LATERAL (
                    SELECT \(values.joined(separator: ", ")) FROM usage_attribution
                    WHERE attribution_id = \(name).attribution_id OFFSET 0
                ) AS attribution ON true
                """
        }
        if contains(.corrected) {
            source += """
                 LEFT JOIN LATERAL (
                    SELECT sum(credit_hundredths)::bigint AS \(UsageRecord.Column.corrected.sql)
                    FROM usage_record AS correction WHERE corrects = \(name).message_id OFFSET 0
                ) AS corrections ON true
                """
        }
        return source
    }
}

extension UsageRecord.Kind {
    /// The type of the column in SQL.
    var sqlType: String {
        switch self {
        case .integer, .credits, .flag: "bigint"
        case .timestamp: "timestamptz"
        case .text, .tags: "text"
        }
    }

    /// `expression`, cast to the type that is sent; integers may be smaller than `bigint`.
    fileprivate func sql(_ expression: String) -> String {
        if case .integer = self { Int64.sql(expression) } else { expression }
    }
}

extension Timestamp {
    /// PostgreSQL counts from 2000-01-01.
    private static let postgresEpochMicroseconds: Int64 = 946_684_800_000_000

    /// Makes the instant of so many microseconds after 2000.
    init(postgresMicroseconds: Int64) {
        self.init(microseconds: postgresMicroseconds + Self.postgresEpochMicroseconds)
    }

    /// Microseconds since 2000.
    var postgresMicroseconds: Int64 { microseconds - Self.postgresEpochMicroseconds }
}
