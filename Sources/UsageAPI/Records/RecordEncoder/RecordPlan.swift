import Usage
import UsageStore

/// The layout of a record in one format, derived once from its fields.
struct RecordPlan: Sendable {
    enum Kind { case integer, timestamp, text, credits }

    /// A column, with the bytes before its value.
    struct Step {
        let kind: Kind
        /// The column's position in a row.
        let column: Int
        let prefix: ShortText
        /// The text of an absent value.
        let absence: ShortText
        /// Whether the value must be tested for NULL; `withText` does that for texts.
        let isNullable: Bool
        /// Whether the text is JSON already.
        let isJSON: Bool
    }

    /// The format.
    let format: RecordFormat

    /// The fields, in order.
    let columns: [UsageRecord.Column]

    /// The bytes before the records.
    let opening: [UInt8]

    /// The columns in order.
    let steps: [Step]

    /// The text after the last value.
    let ending: ShortText

    /// Whether the first column may lack a value in JSON, so that `{` depends on the record.
    let mayLackFirst: Bool

    /// The columns of text.
    let texts: [Int]

    /// The maximum length of a record without its texts.
    let fixedLength: Int

    /// The maximum length of a value: a local time with its offset, and the quote after it.
    private static let valueLength = 33

    /// Makes the plan of `columns`, which are at least one.
    init(_ format: RecordFormat, _ columns: [UsageRecord.Column]) {
        let mayLackFirst = format != .csv && columns[0].isOptional
        self.format = format
        self.columns = columns
        self.mayLackFirst = mayLackFirst
        opening = format.opening(columns)
        steps = columns.enumerated().map { index, column in
            Step(
                column, at: index, prefix: format.prefix(column, index, opens: !mayLackFirst),
                absence: format.absence(index, of: columns.count))
        }
        ending = ShortText(format.recordEnding)
        texts = steps.filter { $0.kind == .text }.map(\.column)
        fixedLength =
            steps.reduce(ShortText.capacity + 2) { $0 + $1.prefix.count + Self.valueLength }
    }

    /// The plan of the standard fields.
    static func standard(_ format: RecordFormat) -> RecordPlan {
        switch format {
        case .json: standardJSON
        case .ndjson: standardLines
        case .csv: standardCSV
        }
    }

    private static let standardJSON = RecordPlan(.json, UsageRows.standardFields)
    private static let standardLines = RecordPlan(.ndjson, UsageRows.standardFields)
    private static let standardCSV = RecordPlan(.csv, UsageRows.standardFields)
}

extension RecordPlan.Step {
    fileprivate init(
        _ column: UsageRecord.Column, at index: Int, prefix: String, absence: String
    ) {
        switch column.kind {
        case .integer: kind = .integer
        case .timestamp: kind = .timestamp
        case .credits: kind = .credits
        case .text, .tags: kind = .text
        case .flag: preconditionFailure("\(column.name) is not in responses")
        }
        if case .tags = column.kind { isJSON = true } else { isJSON = false }
        self.column = index
        self.prefix = ShortText(prefix)
        self.absence = ShortText(absence)
        isNullable = column.isOptional && kind != .text
    }
}

extension RecordFormat {
    /// The bytes before the value of the column at `index`; `{` only if the first one `opens`.
    fileprivate func prefix(_ column: UsageRecord.Column, _ index: Int, opens: Bool) -> String {
        if self == .csv { return index == 0 ? "" : "," }
        let quote = column.kind.isQuoted ? "\"" : ""
        return "\(index == 0 && opens ? "{" : ",")\"\(column.name)\":\(quote)"
    }

    /// The text of an absent value; a line of CSV that is empty would be skipped by many readers.
    fileprivate func absence(_ index: Int, of count: Int) -> String {
        if self != .csv { return "" }
        return index > 0 ? "," : count == 1 ? "\"\"" : ""
    }

    /// The bytes after the last value of a record.
    fileprivate var recordEnding: String {
        switch self {
        case .json: "}"
        case .ndjson: "}\n"
        case .csv: "\r\n"
        }
    }
}

/// Up to 32 bytes, written with one store, which is faster than a loop.
struct ShortText: Sendable {
    /// The bytes, followed by zeros.
    let bytes: SIMD32<UInt8>

    /// The number of bytes.
    let count: Int

    /// The number of bytes that a store writes, for which there must be room.
    static let capacity = 32

    /// Makes the text; traps if it is longer.
    init(_ text: String) {
        var bytes = SIMD32<UInt8>()
        for (index, byte) in text.utf8.enumerated() { bytes[index] = byte }
        self.bytes = bytes
        count = text.utf8.count
    }
}
