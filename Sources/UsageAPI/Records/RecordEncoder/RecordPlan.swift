import Usage

/// The layout of a record in one format, derived once from the table of columns.
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
    }

    /// The columns in order.
    let steps: [Step]

    /// The text after the last value.
    let ending: ShortText

    /// The columns of text.
    let texts: [Int]

    /// The maximum length of a record without its texts.
    let fixedLength: Int

    /// The maximum length of a value: the smallest integer in hundredths, or a time in quotes.
    private static let valueLength = 32

    /// Makes the plan for a format in which `prefix` begins a column, and `ending` ends a record.
    init(
        ending: String, absence: String,
        prefix: (_ column: UsageRecord.Column, _ isFirst: Bool) -> String
    ) {
        steps = RecordFormat.columns.enumerated().map { index, column in
            let kind: Kind
            switch column.kind {
            case .integer: kind = .integer
            case .timestamp: kind = .timestamp
            case .credits: kind = .credits
            case .text: kind = .text
            case .flag, .tags: preconditionFailure("\(column.name) is not in responses")
            }
            return Step(
                kind: kind, column: index, prefix: ShortText(prefix(column, index == 0)),
                absence: ShortText(absence), isNullable: column.isOptional && kind != .text)
        }
        self.ending = ShortText(ending)
        texts = steps.filter { $0.kind == .text }.map(\.column)
        fixedLength =
            steps.reduce(ShortText.capacity + 2) { $0 + $1.prefix.count + Self.valueLength }
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

extension RecordFormat {
    /// Its layout of a record.
    var plan: RecordPlan {
        switch self {
        case .json: Self.jsonPlan
        case .ndjson: Self.linePlan
        case .csv: Self.csvPlan
        }
    }

    private static let jsonPlan = RecordPlan(ending: "}", absence: "", prefix: jsonPrefix)
    private static let linePlan = RecordPlan(ending: "}\n", absence: "", prefix: jsonPrefix)
    private static let csvPlan = RecordPlan(ending: "\r\n", absence: ",") { $1 ? "" : "," }

    private static func jsonPrefix(_ column: UsageRecord.Column, isFirst: Bool) -> String {
        "\(isFirst ? "{" : ",")\"\(column.name)\":\(column.kind.isQuoted ? "\"" : "")"
    }
}
