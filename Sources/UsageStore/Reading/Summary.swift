import Postgres
public import Usage

/// The sum of one group of records.
public struct SummaryGroup: Sendable {
    /// The value of each part, nil for records without one; empty for the other groups together.
    public let values: [String?]

    /// How many other groups it is the sum of; nil for one group.
    public let otherCount: Int64?

    /// The sum of its records.
    public let sum: UsageSum

    /// Their sums by bucket.
    public let series: [UsageSum]
}

/// The sums of one period: in total, by bucket, and by report name or group.
public final class Summary {
    /// The sum of all records.
    public private(set) var totals = UsageSum.zero

    /// The sums of the requested buckets, in order.
    public private(set) var buckets: [UsageSum]

    private let rows: SummaryRows
    private var row: SummaryRow?

    /// The groups that are not read yet.
    private var groups: ArraySlice<SummaryRow> = []
    private var other: SummaryGroup?

    fileprivate init(_ rows: SummaryRows, bucketCount: Int, isGrouped: Bool) throws {
        self.rows = rows
        buckets = Array(repeating: .zero, count: bucketCount)
        row = try rows.next()
        while let bucket = row, bucket.kind == .bucket {
            buckets[bucket.bucket - 1] = bucket.sum
            totals += bucket.sum
            row = try rows.next()
        }
        guard isGrouped else { return }
        while let group = row, group.kind == .group {
            groups.append(group)
            row = try rows.next()
        }
        let left = (groups.first?.groupCount ?? 0) - Int64(groups.count)
        if left > 0 {
            other = SummaryGroup(values: [], otherCount: left, sum: totals, series: buckets)
        }
    }

    /// The next report name and its sum: most credits first, records without a name last.
    ///
    /// Nil after the last one, and for a summary that is grouped.
    public func nextReport() throws -> (reportName: String?, sum: UsageSum)? {
        guard let report = row, report.kind == .group else { return nil }
        row = try reportingUnavailability { try rows.next() }
        return (report.values[0], report.sum)
    }

    /// The next group: most credits first, among equals by the value of the first part, then of the
    /// second, by code point, groups without it last; then the sum of the groups left out, if any.
    ///
    /// Nil after the last one, and for a summary that is not grouped.
    public func nextGroup() throws -> SummaryGroup? {
        guard let group = groups.popFirst() else {
            defer { other = nil }
            return other
        }
        var series = Array(repeating: UsageSum.zero, count: buckets.count)
        while let bucket = row, bucket.rank == group.rank {
            series[bucket.bucket - 1] = bucket.sum
            row = try reportingUnavailability { try rows.next() }
        }
        other?.remove(group.sum, series)
        return SummaryGroup(
            values: group.values, otherCount: nil, sum: group.sum, series: series)
    }
}

extension SummaryGroup {
    /// Leaves out one of the groups.
    fileprivate mutating func remove(_ sum: UsageSum, _ series: [UsageSum]) {
        var left = (sum: self.sum, series: self.series)
        left.sum -= sum
        for (bucket, sum) in series.enumerated() { left.series[bucket] -= sum }
        self = SummaryGroup(
            values: values, otherCount: otherCount, sum: left.sum, series: left.series)
    }
}

extension Snapshot {
    /// The sums of the records that match `filter`, for each of `buckets`, which must be contiguous
    /// and are parts of `zone`; by group, or by report name without `grouping`.
    public func summary(
        _ filter: UsageFilter, buckets: [Range<Timestamp>], zone: String = "UTC",
        grouping: SummaryGrouping? = nil
    ) throws -> Summary {
        try reportingUnavailability {
            let statement = SummaryStatement(
                filter.and(bounds), buckets: buckets, grouping: grouping)
            let reader = try QueryReader(
                connection, "summary", statement.text, statement.bindings.values, isStreamed: true)
            return try Summary(
                SummaryRows(reader, statement.fields), bucketCount: buckets.count,
                isGrouped: grouping != nil)
        }
    }

    /// The first and the last instant of the records that match `filter`; nil without records.
    public func extent(_ filter: UsageFilter) throws -> ClosedRange<Timestamp>? {
        try reportingUnavailability {
            var bindings = Bindings()
            let conditions = filter.and(bounds).conditions(&bindings)
            var list = SelectList()
            let first = list.add("min(\"timestamp\")", as: Timestamp?.self)
            let last = list.add("max(\"timestamp\")", as: Timestamp?.self)
            let reader = try QueryReader(
                connection, "extent",
                "SELECT \(list.sql) FROM usage_record \(whereClause(conditions))",
                bindings.values)
            guard try reader.next(), let first = reader[first], let last = reader[last] else {
                return nil
            }
            return first...last
        }
    }
}
