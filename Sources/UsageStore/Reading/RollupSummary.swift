import Usage

/// The statements of a summary from rollups, each of which needs the rows of the one before.
struct RollupSummary {
    let rollups: Rollups

    /// The buckets of the summary.
    let ranges: [Range<Timestamp>]

    /// One or two parts by which sums are grouped.
    let parts: [GroupPart]

    private var names: [String] { SummaryFields.names(parts.count) }

    /// All buckets together.
    private var period: [Range<Timestamp>] {
        guard let first = ranges.first, let last = ranges.last else { return [] }
        return [first.lowerBound..<last.upperBound]
    }

    /// Whether the level has no sums of records without a value.
    var leavesOutBlank: Bool { rollups.filter.level(by: parts) != .attributions }

    /// The statement of the sums by bucket.
    func ofBuckets() -> SummaryStatement {
        SummaryStatement(partCount: 0) { bindings in
            """
            SELECT \(SummaryFields.row(.bucket, 0, bucket: "bucket")), \(SumFields.Columns.all.list())
            FROM (\(rollups.whole(ranges, &bindings) ?? "")) AS whole
            """
        }
    }

    /// The statement of the messages and credits by group: of the `top` ones, after the sum of all; or
    /// without `top`, of all report names.
    func ofGroups(top: Int?) -> SummaryStatement {
        SummaryStatement(partCount: parts.count) { bindings in
            let sums = SumFields.Columns.few
            let group = names.joined(separator: ", ")
            let source = rollups.groups(period, by: parts, sums)?.sql(by: parts, &bindings) ?? ""
            let order = SummaryStatement.order(isReport: top == nil, names)
            let row = SummaryFields.row(
                .group, parts.count, rank: "row_number() OVER (ORDER BY \(order))", isNamed: true)
            // PostgreSQL sorts only as many as LIMIT needs.
            let shown = top.map { "ORDER BY \(order) LIMIT \(bindings.bind(Int64($0)))" } ?? ""
            let all = """
                UNION ALL
                SELECT \(SummaryFields.row(.named, parts.count, groups: "groups")), \(sums.complete)
                FROM (SELECT count(*) AS groups, \(sums.ofSums()) FROM source) AS source
                """
            return """
                WITH source AS MATERIALIZED (
                    SELECT * FROM (\(source)) AS sums WHERE messages > 0
                )
                SELECT \(row), \(sums.complete)
                FROM (SELECT \(group), \(sums.list()) FROM source \(shown)) AS shown
                \(top == nil ? "" : all)
                """
        }
    }

    /// The conditions of the attributions of `groups`.
    func conditions(of groups: [SummaryRow], _ bindings: inout Bindings) -> [String] {
        let row = parts.map { $0.sql(&bindings) }.joined(separator: ", ")
        let values = parts.indices.map { part in groups.map { $0.values[part] ?? "" } }
        let arrays = values.map { bindings.bind(array: $0) }.joined(separator: ", ")
        let isMatch = rollups.attributions.map {
            ["attribution_id = ANY (\(bindings.bind(numbers: $0)))"]
        }
        return ["(\(row)) IN (SELECT * FROM unnest(\(arrays)))"] + (isMatch ?? [])
    }

    /// The number that stands for records without an attribution, if `groups` have them.
    func blank(in groups: [SummaryRow]) -> [Int64] {
        rollups.filter.matchesBlank && groups.contains(where: \.isBlank) ? [0] : []
    }

    /// The statement of the series of `groups`, which have these `attributions` if these are their level.
    ///
    /// At a level of values, the one of records without a value is the difference between all and
    /// those that have one, which are the first rows then.
    func ofSeries(_ groups: [SummaryRow], attributions: [Int64]?) -> SummaryStatement {
        SummaryStatement(partCount: parts.count) { bindings in
            let sums = SumFields.Columns.all
            let shown = groups.filter { !$0.isBlank || !leavesOutBlank }
            let values = parts.indices.map { part in shown.map { $0.values[part] ?? "" } }
            let source = rollups.groups(
                ranges, by: parts, matchesBlank: shown.contains(where: \.isBlank),
                of: attributions
            ) { value, bindings in ["\(value) = ANY (\(bindings.bind(array: values[0])))"] }
            let sql =
                leavesOutBlank
                ? source?.rows(by: parts, &bindings) : source?.sql(by: parts, &bindings)
            let arrays =
                values.map { bindings.bind(array: $0) }
                + [bindings.bind(numbers: shown.map(\.rank))]
            let group = names.joined(separator: ", ")
            let row = SummaryFields.row(.series, parts.count, bucket: "bucket", rank: "rank")
            let text = """
                SELECT \(row), \(sums.list(of: "source"))
                FROM (\(sql ?? "")) AS source
                JOIN unnest(\(arrays.joined(separator: ", "))) AS shown(\(group), rank) USING (\(group))
                """
            guard shown.count < groups.count else { return text }
            let named = rollups.groups(ranges, by: parts)?.sql(&bindings) ?? ""
            return """
                \(text)
                UNION ALL
                SELECT \(SummaryFields.row(.named, parts.count, bucket: "bucket")), \(sums.list())
                FROM (\(named)) AS named
                """
        }
    }
}

extension SummaryRow {
    /// Whether the group has no value.
    var isBlank: Bool { values.allSatisfy { $0 == nil } }
}

extension [SummaryRow] {
    /// Inserts the group of records without a value, after those with as many credits.
    mutating func insert(blank sum: UsageSum, _ partCount: Int) {
        let place = firstIndex { $0.sum.hundredths < sum.hundredths } ?? count
        let none = [String?](repeating: nil, count: partCount)
        insert(SummaryRow(kind: .group, values: none, sum: sum), at: place)
    }
}
