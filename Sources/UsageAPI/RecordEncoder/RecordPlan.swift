import Usage

/// How a format writes a record, derived once from the table of columns: what stands before each value.
struct RecordPlan: Sendable {
    /// What the values of a column are.
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

    private let steps: [Step]

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
        _ columns: [UsageRecord.Column], ending: String, absence: String,
        prefix: (_ column: UsageRecord.Column, _ isFirst: Bool) -> String
    ) {
        steps = columns.enumerated().map { index, column in
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

    /// Lends the steps, without a check for each use.
    @inline(__always)
    func withSteps(_ body: (UnsafeBufferPointer<Step>) -> Void) {
        steps.withUnsafeBufferPointer(body)
    }
}

/// Up to 64 bytes that are written at once, which is faster than a loop over those that it has.
struct ShortText: Sendable {
    /// The bytes, followed by zeros.
    let bytes: SIMD64<UInt8>

    /// How many there are.
    let count: Int

    /// The most bytes, for which there must be room.
    static let capacity = 64

    /// Makes the text; traps if it is longer.
    init(_ text: String) {
        var bytes = SIMD64<UInt8>()
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

    private static let jsonPlan = RecordPlan(
        columns, ending: "}", absence: "", prefix: jsonPrefix)
    private static let linePlan = RecordPlan(
        columns, ending: "}\n", absence: "", prefix: jsonPrefix)
    private static let csvPlan = RecordPlan(columns, ending: "\r\n", absence: ",") {
        $1 ? "" : ","
    }

    private static func jsonPrefix(_ column: UsageRecord.Column, isFirst: Bool) -> String {
        "\(isFirst ? "{" : ",")\"\(column.name)\":\(column.kind.isQuoted ? "\"" : "")"
    }
}
