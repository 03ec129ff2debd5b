import Usage

/// The sums of records as a query: from a level and its deltas, and from records where the cover has
/// them.
struct RollupSource {
    let level: RollupLevel
    let cover: RollupCover

    /// The conditions on the value of a part, at a level of values.
    let conditions: (_ value: String, inout Bindings) -> [String]

    /// The attributions to add up, at their level; nil for all.
    ///
    /// 0 is that of records without one. Not a query of them: PostgreSQL cannot estimate how many have a
    /// tag, and would look each one up in each bucket.
    let attributions: [Int64]?

    let sums: SumFields.Columns

    /// Whether records without an attribution may match.
    let matchesBlank: Bool

    init(
        _ level: RollupLevel, _ cover: RollupCover, _ sums: SumFields.Columns = .all,
        matchesBlank: Bool = false, attributions: [Int64]? = nil,
        where conditions: @escaping (_ value: String, inout Bindings) -> [String] = { _, _ in [] }
    ) {
        self.attributions = attributions
        self.level = level
        self.cover = cover
        self.sums = sums
        self.matchesBlank = matchesBlank
        self.conditions = conditions
    }

    /// The query: `bucket`, the values of `parts`, and the sums.
    ///
    /// At a level of values, records without one are left out.
    func sql(by parts: [GroupPart] = [], _ bindings: inout Bindings) -> String {
        let group = (["bucket"] + SummaryFields.names(parts.count)).joined(separator: ", ")
        return """
            SELECT \(group), \(sums.ofSums())
            FROM (\(rows(by: parts, &bindings))) AS source GROUP BY \(group)
            """
    }

    /// The same before they are added up; at a level of values these are few rows more.
    func rows(by parts: [GroupPart], _ bindings: inout Bindings) -> String {
        let names = SummaryFields.names(parts.count)
        var sources: [String]
        switch level {
        case .all:
            sources = values("all", names, &bindings) + quarters(&bindings)
            sources += [deltas([], &bindings)] + records([], [], &bindings)
        case .values(let part):
            sources = values(part.description, names, &bindings)
            sources.append(rest(part, names, &bindings))
        case .attributions:
            sources = [attributions(parts, names, &bindings)]
        }
        return sources.joined(separator: " UNION ALL ")
    }

    /// The rows of the value level; without `names`, one for each stored bucket, which spares joining all
    /// of its values.
    private func values(
        _ part: String, _ names: [String], _ bindings: inout Bindings
    ) -> [String] {
        // PostgreSQL cannot determine the type of a parameter that is not used.
        guard !cover.levels.isEmpty else { return [] }
        let isPart = "part = \(bindings.bind(part, as: "text"))"
        let isMatch = [isPart] + conditions("\"value\"", &bindings)
        let value = names.map { "\"value\" AS \($0)" }
        let columns = ["bucket_id"] + value + [names.isEmpty ? sums.ofSums() : sums.list()]
        return pieces(of: "value_sum", &bindings) { table, isInside in
            """
            SELECT \(columns.joined(separator: ", "))
            FROM \(table) JOIN usage_value USING (value_id) \(whereClause([isInside] + isMatch))
            \(names.isEmpty ? "GROUP BY bucket_id" : "")
            """
        }.map { pieces, _, isSubtracted in
            let columns = ["bucket"] + names + [sums.list(isSubtracted: isSubtracted)]
            return "SELECT \(columns.joined(separator: ", ")) FROM \(pieces)"
        }
    }

    /// The deltas and records with a value of `part`.
    private func rest(
        _ part: GroupPart, _ names: [String], _ bindings: inout Bindings
    ) -> String {
        let key = part.key
        let isReport = part == .reportName
        let value = part.sql(&bindings)
        let isMatch = ["\(value) <> ''"] + conditions(value, &bindings)
        let isRecorded = isReport ? isMatch : ["\(key) IN (\(selectAttributions(isMatch)))"]
        let rows = [deltas([key], &bindings)] + records([key], isRecorded, &bindings)
        let selected = ["bucket"] + names.map { "\(value) AS \($0)" } + [sums.list()]
        return """
            SELECT \(selected.joined(separator: ", "))
            FROM (\(rows.joined(separator: " UNION ALL "))) AS rest
                \(isReport ? "" : "JOIN usage_attribution USING (\(key))")
            \(whereClause(isMatch))
            """
    }

    /// The sums of attributions from all sources, by values.
    private func attributions(
        _ parts: [GroupPart], _ names: [String], _ bindings: inout Bindings
    ) -> String {
        let values = zip(parts, names).map { "coalesce(\($0.sql(&bindings)), '') AS \($1)" }
        // LEFT, so that PostgreSQL expects as many rows as before.
        return """
            SELECT \((["bucket"] + values + [sums.list()]).joined(separator: ", "))
            FROM \(attributed(isSummed: true, &bindings)) LEFT JOIN usage_attribution USING (\(Self.key))
            """
    }

    /// The query of the sums by `bucket` and `rank`, of which each attribution has one.
    func sql(ranks: [Int64], _ bindings: inout Bindings) -> String {
        let numbers = bindings.bind(numbers: attributions ?? [])
        return """
            SELECT bucket, rank, \(sums.ofSums())
            FROM \(attributed(isSummed: false, &bindings))
                JOIN unnest(\(numbers), \(bindings.bind(numbers: ranks))) AS shown(\(Self.key), rank)
                USING (\(Self.key))
            GROUP BY bucket, rank
            """
    }

    private static let key = UsageRecord.Column.attributionID.sql

    /// The sums by bucket and attribution from all sources; those of several stored buckets are added up
    /// if `isSummed`, which pays off before many are joined.
    private func attributed(isSummed: Bool, _ bindings: inout Bindings) -> String {
        let key = Self.key
        let isMatch = attributions.map { ["\(key) = ANY (\(bindings.bind(numbers: $0)))"] } ?? []
        let levels = pieces(of: "attribution_sum", &bindings).map { pieces, isOne, isSubtracted in
            let isSummed = isSummed && !isOne
            let list =
                isSummed
                ? sums.ofSums(isSubtracted: isSubtracted) : sums.list(isSubtracted: isSubtracted)
            return """
                SELECT bucket, \(key), \(list)
                FROM \(pieces) \(whereClause(isMatch)) \(isSummed ? "GROUP BY bucket, \(key)" : "")
                """
        }
        // An index of records has no number for those without an attribution.
        let isRecorded = matchesBlank ? isMatch.map { "(\($0) OR \(key) IS NULL)" } : isMatch
        let rows = [deltas([key], &bindings)] + records([key], isRecorded, &bindings)
        let others = """
            SELECT * FROM (
                SELECT bucket, coalesce(\(key), 0) AS \(key), \(sums.list())
                FROM (\(rows.joined(separator: " UNION ALL "))) AS rest
            ) AS others \(whereClause(isMatch))
            """
        return """
            (\((levels + [others]).joined(separator: " UNION ALL "))) AS rest (bucket, \(key), \(sums.list()))
            """
    }

    /// The rows of the open and the closed `level` of the stored buckets that are added or subtracted, and
    /// whether they are of one bucket.
    ///
    /// `select` returns the query of the rows of a table that meet a condition, with their `bucket_id`.
    private func pieces(
        of level: String, _ bindings: inout Bindings,
        _ select: (_ table: String, _ isInside: String) -> String = {
            "SELECT * FROM \($0) WHERE \($1)"
        }
    ) -> [(rows: String, isOne: Bool, isSubtracted: Bool)] {
        var pieces: [(rows: String, isOne: Bool, isSubtracted: Bool)] = []
        for isSubtracted in [false, true] {
            let levels = cover.levels.filter { $0.isSubtracted == isSubtracted }
            let tables = [
                ("usage", levels.filter(\.isOpen)), ("closed", levels.filter(\.isClosed)),
            ]
            for (name, levels) in tables where !levels.isEmpty {
                let ids = bindings.bind(numbers: levels.map(\.id))
                let rows = select("\(name)_\(level)", "bucket_id = ANY (\(ids))")
                pieces.append(
                    (placed(rows, levels, ids, &bindings), levels.count == 1, isSubtracted))
            }
        }
        return pieces
    }

    /// The rows of some stored buckets, with the number of the part in which each is.
    ///
    /// Without the constants in `rows`, PostgreSQL would also read the days where only months are needed.
    private func placed(
        _ rows: String, _ levels: [RollupCover.Level], _ ids: String, _ bindings: inout Bindings
    ) -> String {
        let number = levels[0].number
        guard levels.contains(where: { $0.number != number }) else {
            return "(SELECT *, \(number) AS bucket FROM (\(rows)) AS level) AS level"
        }
        let buckets = bindings.bind(numbers: levels.map { Int64($0.number) })
        return """
            unnest(\(ids), \(buckets)) AS piece(bucket_id, bucket)
                JOIN (\(rows)) AS level USING (bucket_id)
            """
    }

    /// The sums of quarters.
    private func quarters(_ bindings: inout Bindings) -> [String] {
        let pieces = [(cover.quarters, false), (cover.subtractedQuarters, true)]
        return pieces.compactMap { parts, isSubtracted in
            guard !parts.isEmpty else { return nil }
            let list = sums.list(isSubtracted: isSubtracted)
            guard Self.areDense(parts) else {
                // What is between the parts, such as edges of days, is not read.
                return """
                    SELECT bucket, \(list)
                    FROM \(Self.table(of: parts, &bindings)) CROSS JOIN LATERAL (
                        SELECT * FROM usage_quarter_sums
                        WHERE quarter >= range_start AND quarter < range_end
                    ) AS sums
                    """
            }
            let place = RollupPlaces(parts, "quarter", &bindings)
            return """
                SELECT \(place.bucket), \(list)
                FROM (SELECT *, \(place.number) FROM usage_quarter_sums WHERE \(place.isBetween)) AS placed
                WHERE \(place.isInside)
                """
        }
    }

    /// The deltas of the covered time.
    private func deltas(_ keys: [String], _ bindings: inout Bindings) -> String {
        let place = RollupPlaces(cover.covered, "quarter", &bindings)
        return """
            SELECT \(([place.bucket] + keys + [sums.list()]).joined(separator: ", "))
            FROM (
                SELECT *, CASE WHEN report_name IS NULL THEN 0 ELSE messages END AS reports,
                    \(place.number)
                FROM usage_delta WHERE \(place.isBetween)
            ) AS placed
            WHERE \(place.isInside)
            """
    }
}
