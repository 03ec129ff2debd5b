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

    private var rows: SummaryRows
    private var row: SummaryRow?

    /// The groups that are not read yet.
    private var groups: ArraySlice<SummaryRow> = []
    private var other: SummaryGroup?

    /// What the rows leave out of the report names, if they are from rollups: records without one.
    private var unnamed: UsageSum?

    /// The sums by bucket of all records that have a value, if the rows leave out the others.
    private var named: [UsageSum] = []

    /// From one statement.
    fileprivate init(_ rows: SummaryRows, bucketCount: Int, isGrouped: Bool) throws {
        self.rows = rows
        buckets = Array(repeating: .zero, count: bucketCount)
        row = try rows.next()
        try readBuckets()
        guard isGrouped else { return }
        while let group = row, group.kind == .group {
            groups.append(group)
            row = try rows.next()
        }
        prepareOther(groups.first?.groupCount ?? 0)
    }

    /// From rollups, without `top` by report name; `series` returns the statement of those of groups.
    fileprivate init(
        _ summary: RollupSummary, top: Int?,
        _ run: (SummaryStatement, _ isStreamed: Bool) throws -> SummaryRows,
        series: ([SummaryRow]) throws -> SummaryStatement
    ) throws {
        buckets = Array(repeating: .zero, count: summary.ranges.count)
        rows = try run(summary.ofBuckets(), false)
        row = try rows.next()
        try readBuckets()
        rows = try run(summary.ofGroups(top: top), top == nil)
        row = try rows.next()
        guard let top else {
            unnamed = totals
            return
        }
        var shown: [SummaryRow] = []
        var blank = totals
        var groupCount: Int64 = 0
        while let group = row {
            if group.kind == .named {
                blank -= group.sum
                groupCount = group.groupCount
            } else {
                shown.append(group)
            }
            row = try rows.next()
        }
        if summary.leavesOutBlank, !blank.isEmpty {
            shown.insert(blank: blank, summary.parts.count)
            groupCount += 1
        }
        shown = shown.prefix(top).enumerated().map { $1.numbered(Int64($0 + 1)) }
        groups = shown[...]
        prepareOther(groupCount)
        guard !shown.isEmpty else { return }
        rows = try run(series(shown), true)
        row = try rows.next()
        guard summary.leavesOutBlank else { return }
        named = Array(repeating: .zero, count: buckets.count)
        while let bucket = row, bucket.kind == .named {
            named[bucket.bucket - 1] = bucket.sum
            row = try rows.next()
        }
    }

    private func readBuckets() throws {
        while let bucket = row, bucket.kind == .bucket {
            buckets[bucket.bucket - 1] = bucket.sum
            totals += bucket.sum
            row = try rows.next()
        }
    }

    private func prepareOther(_ groupCount: Int64) {
        let left = groupCount - Int64(groups.count)
        if left > 0 {
            other = SummaryGroup(values: [], otherCount: left, sum: totals, series: buckets)
        }
    }

    /// The next report name with its messages and credits: most credits first, records without a name
    /// last.
    ///
    /// Nil after the last one, and for a summary that is grouped.
    public func nextReport() throws -> (reportName: String?, sum: UsageSum)? {
        guard let report = row, report.kind == .group else {
            defer { unnamed = nil }
            return unnamed.flatMap { !$0.isEmpty ? (nil, $0) : nil }
        }
        row = try reportingUnavailability { try rows.next() }
        unnamed? -= report.sum
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
        var sum = UsageSum.zero
        while let bucket = row, bucket.rank == group.rank {
            series[bucket.bucket - 1] += bucket.sum
            sum += bucket.sum
            row = try reportingUnavailability { try rows.next() }
        }
        if group.isBlank, !named.isEmpty {
            series = buckets
            sum = totals
            for (bucket, named) in named.enumerated() {
                series[bucket] -= named
                sum -= named
            }
        }
        other?.remove(sum, series)
        return SummaryGroup(
            values: group.values, otherCount: nil, sum: sum, series: series)
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
        var period = UsageFilter()
        period.from = buckets.first?.lowerBound
        period.to = buckets.last?.upperBound
        let all = filter.and(bounds).and(period)
        let parts = grouping?.parts ?? [.reportName]
        return try reportingUnavailability {
            guard let rollups = try rollups(all, zone: zone, by: parts) else {
                try requireSums(nil, of: all)
                try becomeLong()
                return try recordSummary(filter, buckets: buckets, grouping: grouping)
            }
            let ranges = rollups.ranges(buckets)
            try requireSums(
                rollups, of: all, in: ranges, hasGroups: true, hasSeries: grouping != nil)
            try expect(
                isShort: rollups.isShort(ranges, by: parts, hasSeries: grouping != nil),
                hasManyRecords: rollups.hasManyRecords(ranges))
            let summary = RollupSummary(rollups: rollups, ranges: ranges, parts: parts)
            return try Summary(summary, top: grouping?.top, run) { try series(of: $0, summary) }
        }
    }

    /// The same from the records.
    func recordSummary(
        _ filter: UsageFilter, buckets: [Range<Timestamp>], grouping: SummaryGrouping?
    ) throws -> Summary {
        let statement = SummaryStatement(filter.and(bounds), buckets: buckets, grouping: grouping)
        return try Summary(
            run(statement, isStreamed: true), bucketCount: buckets.count, isGrouped: grouping != nil
        )
    }

    /// The sum of the records that match `filter`.
    public func total(_ filter: UsageFilter) throws -> UsageSum {
        try reportingUnavailability { try rolledUpTotal(filter) }
    }

    private func rolledUpTotal(_ filter: UsageFilter) throws -> UsageSum {
        let all = filter.and(bounds)
        let rollups = try rollups(all)
        let ranges = rollups.map { $0.ranges([$0.filter.range]) } ?? []
        try requireSums(rollups, of: all, in: ranges)
        guard let rollups else {
            try becomeLong()
            return try recordTotal(all)
        }
        let whole = RollupSummary(rollups: rollups, ranges: ranges, parts: [])
        try expect(
            isShort: rollups.isShort(ranges), hasManyRecords: rollups.hasManyRecords(ranges))
        return try run(whole.ofBuckets(), isStreamed: false).next()?.sum ?? .zero
    }

    /// The same from the records.
    func recordTotal(_ filter: UsageFilter) throws -> UsageSum {
        let statement = SummaryStatement(partCount: 0) { bindings in
            """
            SELECT \(SummaryFields.row(.bucket, 0)), \(SumFields.Columns.all.ofRecords())
            FROM usage_record \(whereClause(filter.conditions(&bindings)))
            """
        }
        return try run(statement, isStreamed: false).next()?.sum ?? .zero
    }

    /// Runs a statement of sums.
    func run(_ statement: SummaryStatement, isStreamed: Bool) throws -> SummaryRows {
        let reader = try QueryReader(
            connection, "summary", statement.text, statement.bindings.values,
            isStreamed: isStreamed)
        return SummaryRows(reader, statement.fields)
    }
}
