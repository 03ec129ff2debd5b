public import Usage

/// A question about closed records that the remaining sums cannot answer exactly.
public struct SumsClosed: Error {
    /// The first instant that is open.
    public let before: Timestamp
}

extension Snapshot {
    /// Throws `SumsClosed` unless there are sums of all closed records that match `filter`, for `rollups` or,
    /// if these are nil, for records.
    func requireSums(
        _ rollups: Rollups?, of filter: UsageFilter, in ranges: [Range<Timestamp>] = [],
        hasGroups: Bool = false, hasSeries: Bool = false
    ) throws {
        guard let line = summedBefore else { return }
        let hasSums =
            rollups?.hasClosed(ranges, hasGroups: hasGroups, hasSeries: hasSeries)
            ?? (RollupFilter(filter).range.lowerBound >= line)
        if !hasSums { throw SumsClosed(before: line) }
    }
}
