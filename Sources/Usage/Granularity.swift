/// How long the buckets of a summary are.
public enum Granularity: String, CaseIterable, Sendable {
    /// Hours on the local clock; one that is shown twice counts twice.
    case hour
    /// Local days, of 23 to 25 hours where clocks are set.
    case day
    /// Local weeks, from Monday.
    case week
    /// Local months.
    case month
    /// One bucket for the whole range.
    case total

    /// The most buckets that one summary may have.
    public var bucketLimit: Int {
        switch self {
        case .hour: 744
        case .day: 366
        case .week: 260
        case .month: 120
        case .total: 1
        }
    }
}
