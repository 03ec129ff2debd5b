import Postgres
import Usage

/// Sums of reported tokens.
public struct TokenSums: Equatable, Sendable {
    /// The input tokens, including cached ones.
    public internal(set) var input: Int64 = 0

    /// The output tokens.
    public internal(set) var output: Int64 = 0

    /// The input tokens that were read from a cache.
    public internal(set) var cacheRead: Int64 = 0

    /// The input tokens that were written to a cache.
    public internal(set) var cacheCreation: Int64 = 0
}

/// Sums of usage: messages, messages with a report name, corrections, credits and reported tokens.
public struct UsageSum: Equatable, Sendable {
    /// The number of messages.
    public internal(set) var messages: Int64 = 0

    /// The number of messages with a report name.
    public internal(set) var reports: Int64 = 0

    /// The number of corrections.
    public internal(set) var corrections: Int64 = 0

    /// The credits in hundredths.
    var hundredths: Int128 = 0

    /// The reported tokens.
    public internal(set) var tokens = TokenSums()

    /// The credits with two decimals, exact at any size.
    public var creditsUsed: String { Credits.text(hundredths: hundredths) }

    /// Nothing.
    public static let zero = UsageSum()

    /// Whether it is of no records: the credits of each correction are negative.
    var isEmpty: Bool { messages == 0 && hundredths == 0 }

    static func += (sum: inout UsageSum, other: UsageSum) { sum.add(other, times: 1) }

    static func -= (sum: inout UsageSum, other: UsageSum) { sum.add(other, times: -1) }

    private mutating func add(_ other: UsageSum, times sign: Int64) {
        messages += sign * other.messages
        reports += sign * other.reports
        corrections += sign * other.corrections
        hundredths += Int128(sign) * other.hundredths
        tokens.input += sign * other.tokens.input
        tokens.output += sign * other.tokens.output
        tokens.cacheRead += sign * other.tokens.cacheRead
        tokens.cacheCreation += sign * other.tokens.cacheCreation
    }
}

/// The columns of sums, which have the same names wherever sums are added up.
struct SumFields {
    /// Some of the columns.
    struct Columns {
        fileprivate let names: [String]

        private static let isMessage = "credit_hundredths >= 0"

        /// All sums.
        static let all = Columns(names: SumFields.counts + ["credit_hundredths"] + tokens)

        /// The sums by which groups are chosen; adding these up takes half as long.
        static let few = Columns(names: ["messages", "credit_hundredths"])

        /// Whether sums are of records and not of deltas that cancel each other out.
        static let isUsed = "(messages > 0 OR credit_hundredths <> 0)"

        /// The columns of `table`.
        func list(of table: String? = nil, isSubtracted: Bool = false) -> String {
            let columns = names.map { (table.map { $0 + "." } ?? "") + $0 }
            guard isSubtracted else { return columns.joined(separator: ", ") }
            return zip(columns, names).map { "-\($0) AS \($1)" }.joined(separator: ", ")
        }

        /// All columns, of which the others are 0.
        var complete: String {
            Self.all.names.map { names.contains($0) ? $0 : "0 AS \($0)" }.joined(separator: ", ")
        }

        /// Sums of sums.
        func ofSums(isSubtracted: Bool = false) -> String {
            let sign = isSubtracted ? "-" : ""
            return names.map { "\(sign)usage_sum(\($0)) AS \($0)" }.joined(separator: ", ")
        }

        /// Sums of records; without the column `corrects`, so that an index has all that is needed.
        func ofRecords(isSubtracted: Bool = false) -> String {
            names.map { name in
                let sum =
                    switch name {
                    case "messages": "count(*) FILTER (WHERE \(Self.isMessage))"
                    case "reports": "count(report_name) FILTER (WHERE \(Self.isMessage))"
                    case "corrections": "count(*) FILTER (WHERE NOT \(Self.isMessage))"
                    default: "coalesce(sum(\(name)), 0)"
                    }
                return "\(isSubtracted ? "-" : "")\(sum) AS \(name)"
            }.joined(separator: ", ")
        }
    }

    fileprivate static let counts = ["messages", "reports", "corrections"]

    private static let tokens = [
        UsageRecord.Column.inputTokens, .outputTokens, .cacheReadInputTokens,
        .cacheCreationInputTokens,
    ].map(\.sql)

    private let counts: [Field<Int64>]
    private let hundredths: Field<Int128>

    /// Adds the columns to `list`.
    init(_ list: inout SelectList) {
        counts = (Self.counts + Self.tokens).map { list.add("coalesce(\($0), 0)") }
        hundredths = list.add("coalesce(credit_hundredths, 0)")
    }

    /// The sum in a row.
    func sum(_ row: QueryReader) -> UsageSum {
        UsageSum(
            messages: row[counts[0]], reports: row[counts[1]], corrections: row[counts[2]],
            hundredths: row[hundredths],
            tokens: TokenSums(
                input: row[counts[3]], output: row[counts[4]], cacheRead: row[counts[5]],
                cacheCreation: row[counts[6]]))
    }
}

/// A `numeric` without decimals, which may be beyond 64 bits.
extension Int128: FieldValue {
    static func sql(_ expression: String) -> String { "(\(expression))::numeric(38)::text" }

    static func read(_ row: some RowReader, _ column: Int) -> Int128 {
        guard let number = Int128(String.read(row, column)) else {
            preconditionFailure("column \(column) is not an integer")
        }
        return number
    }
}
