/// A filter of usage records; without conditions, all match.
public struct UsageFilter: Sendable {
    /// The first instant that matches.
    public var from: Timestamp?

    /// The first instant after those that match.
    public var to: Timestamp?

    /// Text columns, each with its accepted values.
    public var texts: [(column: UsageRecord.Column, values: [String])] = []

    /// Whether the record must have a report name (true) or must not (false).
    public var hasReport: Bool?

    /// The minimum credits.
    public var minimumCredits: Credits?

    /// The maximum credits.
    public var maximumCredits: Credits?

    /// Filters that a record must match, too.
    public private(set) var others: [UsageFilter] = []

    /// Makes a filter that all records match.
    public init() {}

    /// A filter that matches what both this one and `other` match.
    public func and(_ other: UsageFilter) -> UsageFilter {
        var both = self
        both.others.append(other)
        return both
    }
}
