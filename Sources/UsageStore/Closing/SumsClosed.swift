import Usage

/// A question about closed records that the remaining sums cannot answer exactly.
public struct SumsClosed: Error {
    /// The first instant that is open.
    public let before: Timestamp
}

extension Snapshot {
    /// Throws `SumsClosed` if records that match `filter`, from `start` on, are closed; for sums of records.
    func requireOpen(_ filter: UsageFilter, from start: Timestamp? = nil) throws {
        guard let line = closedBefore else { return }
        let starts = [filter.start, start].compactMap(\.self)
        if (starts.max() ?? Timestamp.representable.lowerBound) < line {
            throw SumsClosed(before: line)
        }
    }
}

extension UsageFilter {
    /// The first instant that matches all of its parts; nil if there is none.
    fileprivate var start: Timestamp? { ([from] + others.map(\.start)).compactMap(\.self).max() }
}
