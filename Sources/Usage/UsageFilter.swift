/// Which usage records are asked for; without a condition, all.
public struct UsageFilter: Sendable {
    /// The first instant that counts.
    public var from: Timestamp?

    /// The first instant that no longer counts.
    public var to: Timestamp?

    /// The report names, one of which must be that of the record; empty when it does not matter.
    public var reportNames: [String] = []

    /// Whether the record must have a report name, or must have none.
    public var hasReport: Bool?

    /// The least credits.
    public var minimumCredits: Credits?

    /// The most credits.
    public var maximumCredits: Credits?

    /// Makes a filter that lets everything through.
    public init() {}
}
