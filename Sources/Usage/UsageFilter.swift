/// Which usage records are asked for; without a condition, all.
public struct UsageFilter: Sendable {
    /// The first instant that counts.
    public var from: Timestamp?

    /// The first instant that no longer counts.
    public var to: Timestamp?

    /// Columns of text, each with the values of which a record must have one.
    public var texts: [(column: UsageRecord.Column, values: [String])] = []

    /// Whether the record must have a report name, or must have none.
    public var hasReport: Bool?

    /// The least credits.
    public var minimumCredits: Credits?

    /// The most credits.
    public var maximumCredits: Credits?

    /// Filters that must let a record through, too.
    public private(set) var others: [UsageFilter] = []

    /// Makes a filter that lets everything through.
    public init() {}

    /// What both this filter and `other` let through.
    public func and(_ other: UsageFilter) -> UsageFilter {
        var both = self
        both.others.append(other)
        return both
    }
}
