/// The order of usage records: columns that are compared in sequence.
///
/// Records that are equal in all of them are ordered by `message_id`, ascending. Texts are ordered
/// by code point; records without one come last in both directions.
public struct SortOrder: Hashable, Sendable, CustomStringConvertible {
    /// The columns that records can be sorted by.
    public static let columns = UsageRecord.Column.all.filter(\.isSortable)

    /// One column with its direction.
    public struct Term: Hashable, Sendable {
        /// The column.
        public let column: UsageRecord.Column
        /// Whether the greatest comes first.
        public let isDescending: Bool

        /// Makes a term.
        public init(_ column: UsageRecord.Column, isDescending: Bool = false) {
            self.column = column
            self.isDescending = isDescending
        }
    }

    /// The terms; `message_id` comes last and makes the order total.
    public let terms: [Term]

    /// The order of time.
    public static let standard = SortOrder([Term(.timestamp)])

    private init(_ given: [Term]) {
        if let end = given.firstIndex(where: { $0.column == .messageID }) {
            terms = Array(given[...end])
        } else {
            terms = given + [Term(.messageID)]
        }
    }

    /// Parses `credits_used:desc,report_name:asc`; nil for anything else.
    ///
    /// A column without a direction is ascending; a column twice is an error.
    public init?(_ text: String) {
        var terms: [Term] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let words = part.split(
                separator: ":", maxSplits: 1, omittingEmptySubsequences: false
            ).map(String.init)
            let direction = words.count == 2 ? words[1] : "asc"
            guard let column = Self.columns.first(where: { $0.name == words[0] }),
                ["asc", "desc"].contains(direction),
                !terms.contains(where: { $0.column == column })
            else { return nil }
            terms.append(Term(column, isDescending: direction == "desc"))
        }
        self.init(terms)
    }

    /// The order as text, with all terms and directions.
    public var description: String {
        terms.map { "\($0.column.name):\($0.isDescending ? "desc" : "asc")" }
            .joined(separator: ",")
    }
}
