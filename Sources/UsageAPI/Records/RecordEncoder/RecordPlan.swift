import Usage

/// How a format writes a record, derived once from the table of columns: what stands before each value.
struct RecordPlan: Sendable {
    enum Kind { case integer, timestamp, text, credits }

    /// A column, with the bytes before its value.
    struct Step {
        let kind: Kind
        /// The column's position in a row.
        let column: Int
        let prefix: ShortText
        /// What is written where there is no value.
        let absence: ShortText
        /// Whether that must be looked up first; a text says so itself.
        let isNullable: Bool
    }

    /// The columns in order.
    let steps: [Step]

    /// What follows the last value.
    let ending: ShortText

    /// The columns of text.
    let texts: [Int]

    /// The most bytes of a record without its texts.
    let fixedLength: Int

    /// The longest value: the smallest integer in hundredths, and a time in quotes.
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
            case .flag: preconditionFailure("\(column.name): responses have no flags")
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

/// Up to 32 bytes that are written at once, which is faster than a loop over those that it has.
struct ShortText: Sendable {
    /// The bytes, followed by zeros.
    let bytes: SIMD32<UInt8>

    /// How many there are.
    let count: Int

    /// The most bytes, for which there must be room.
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
    /// How it writes a record.
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
