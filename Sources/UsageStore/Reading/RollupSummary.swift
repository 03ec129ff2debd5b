import Postgres
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
                    SELECT * FROM (\(source)) AS sums WHERE \(SumFields.Columns.isUsed)
                )
                SELECT \(row), \(sums.complete)
                FROM (SELECT \(group), \(sums.list()) FROM source \(shown)) AS shown
                \(top == nil ? "" : all)
                """
        }
    }

    /// The statement of the attributions of `groups`, with the rank of the group.
    fileprivate func attributions(of groups: [SummaryRow], _ bindings: inout Bindings) -> String {
        let group = names.joined(separator: ", ")
        let values = parts.map { $0.sql(&bindings) }.joined(separator: ", ")
        let isMatch = rollups.attributions.map {
            ["attribution_id = ANY (\(bindings.bind(numbers: $0)))"]
        }
        return """
            SELECT attribution_id::bigint, rank::bigint
            FROM usage_attribution JOIN \(shown(groups, &bindings)) ON (\(values)) = (\(group))
            \(whereClause(isMatch ?? []))
            """
    }

    /// The values and ranks of `groups` as a table.
    private func shown(_ groups: [SummaryRow], _ bindings: inout Bindings) -> String {
        let values = parts.indices.map { part in
            bindings.bind(array: groups.map { $0.values[part] ?? "" })
        }
        let arrays = (values + [bindings.bind(numbers: groups.map(\.rank))]).joined(separator: ", ")
        return "unnest(\(arrays)) AS shown(\((names + ["rank"]).joined(separator: ", ")))"
    }

    /// The rank of records without an attribution, if they match and `groups` have them.
    fileprivate func blankRank(in groups: [SummaryRow]) -> Int64? {
        rollups.filter.matchesBlank ? groups.first(where: \.isBlank)?.rank : nil
    }

    /// The statement of the series of groups that have these attributions, each with the group's rank.
    fileprivate func ofSeries(_ attributions: [(number: Int64, rank: Int64)]) -> SummaryStatement {
        SummaryStatement(partCount: parts.count) { bindings in
            let source = rollups.groups(
                ranges, by: parts, matchesBlank: attributions.contains { $0.number == 0 },
                of: attributions.map(\.number))
            let row = SummaryFields.row(.series, parts.count, bucket: "bucket", rank: "rank")
            return """
                SELECT \(row), \(SumFields.Columns.all.list())
                FROM (\(source?.sql(ranks: attributions.map(\.rank), &bindings) ?? "")) AS source
                """
        }
    }

    /// The statement of the series of `groups` at a level of values.
    ///
    /// That of records without a value is the difference between all and those that have one, which are
    /// the first rows then.
    fileprivate func ofSeries(_ groups: [SummaryRow]) -> SummaryStatement {
        SummaryStatement(partCount: parts.count) { bindings in
            let sums = SumFields.Columns.all
            let shown = groups.filter { !$0.isBlank }
            let values = shown.map { $0.values[0] ?? "" }
            let source = rollups.groups(ranges, by: parts, matchesBlank: false) { value, bindings in
                ["\(value) = ANY (\(bindings.bind(array: values)))"]
            }
            let row = SummaryFields.row(.series, parts.count, bucket: "bucket", rank: "rank")
            let text = """
                SELECT \(row), \(sums.list(of: "source"))
                FROM (\(source?.rows(by: parts, &bindings) ?? "")) AS source
                JOIN \(self.shown(shown, &bindings)) USING (\(names.joined(separator: ", ")))
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

extension Snapshot {
    /// The statement of the series of `groups`, from the level that has them.
    func series(of groups: [SummaryRow], _ summary: RollupSummary) throws -> SummaryStatement {
        summary.leavesOutBlank
            ? summary.ofSeries(groups) : summary.ofSeries(try attributions(of: groups, summary))
    }

    /// The attributions of groups, with the rank of the group; 0 is none.
    private func attributions(
        of groups: [SummaryRow], _ summary: RollupSummary
    ) throws -> [(number: Int64, rank: Int64)] {
        var bindings = Bindings()
        let statement = summary.attributions(of: groups, &bindings)
        let rows = try QueryReader(
            connection, "attributions_of_groups", statement, bindings.values)
        var attributions: [(number: Int64, rank: Int64)] = []
        while try rows.next() { attributions.append((rows.integer(0), rows.integer(1))) }
        if let rank = summary.blankRank(in: groups) { attributions.append((0, rank)) }
        return attributions
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
