import Usage

/// The sums of records as a query: from a level and its deltas, and from records where the cover has
/// them.
struct RollupSource {
    let level: RollupLevel
    let cover: RollupCover

    /// The conditions on what the level has sums of: on the value of a part, or on the columns of the
    /// table of attributions.
    let conditions: (_ value: String, inout Bindings) -> [String]

    let sums: SumFields.Columns

    /// Whether records without an attribution may match.
    let matchesBlank: Bool

    init(
        _ level: RollupLevel, _ cover: RollupCover, _ sums: SumFields.Columns = .all,
        matchesBlank: Bool = false,
        where conditions: @escaping (_ value: String, inout Bindings) -> [String] = { _, _ in [] }
    ) {
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
        case .quarters:
            sources = [quarters(&bindings), deltas([], &bindings)]
            sources += records([], [], &bindings)
        case .values(let part):
            sources = values(part, names, &bindings)
            sources.append(rest(part, names, &bindings))
        case .attributions:
            sources = [attributions(parts, names, &bindings)]
        }
        return sources.joined(separator: " UNION ALL ")
    }

    /// The rows of the value level.
    private func values(
        _ part: GroupPart, _ names: [String], _ bindings: inout Bindings
    ) -> [String] {
        [false, true].compactMap { isSubtracted in
            guard let pieces = pieces(of: "usage_value_sums", isSubtracted, &bindings) else {
                return nil
            }
            let isPart = "part = \(bindings.bind(part.description, as: "text"))"
            let matching = whereClause([isPart] + conditions("\"value\"", &bindings))
            let value = names.map { "\"value\" AS \($0)" }
            let columns = ["bucket"] + value + [sums.list(isSubtracted: isSubtracted)]
            return """
                SELECT \(columns.joined(separator: ", "))
                FROM \(pieces) JOIN usage_value USING (value_id) \(matching)
                """
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

    /// All attributions; 0 is the one of records without an attribution.
    private static let all = """
        (
            SELECT attribution_id, user_id, team_id, model, tags FROM usage_attribution
            UNION ALL
            SELECT 0, ''::text COLLATE "C", ''::text COLLATE "C", ''::text COLLATE "C", '{}'::jsonb
        ) AS attribution
        """

    /// The sums of attributions from all sources, by values.
    private func attributions(
        _ parts: [GroupPart], _ names: [String], _ bindings: inout Bindings
    ) -> String {
        let key = UsageRecord.Column.attributionID.sql
        let matching = conditions("", &bindings)
        let values = zip(parts, names).map { "\($0.sql(&bindings)) AS \($1)" }
        let isMatch = matching.isEmpty ? [] : ["\(key) IN (SELECT \(key) FROM matched)"]
        let levels = [false, true].compactMap { isSubtracted in
            pieces(of: "usage_attribution_sums", isSubtracted, &bindings).map { pieces in
                // Numbers are added up before they are joined, unless they are few.
                matching.isEmpty
                    ? """
                    SELECT bucket, \(key), \(sums.ofSums(isSubtracted: isSubtracted))
                    FROM \(pieces) GROUP BY bucket, \(key)
                    """
                    : """
                    SELECT bucket, \(key), \(sums.list(isSubtracted: isSubtracted))
                    FROM \(pieces) \(whereClause(isMatch))
                    """
            }
        }
        // An index of records has no number for those without an attribution.
        let isRecorded = matchesBlank ? isMatch.map { "(\($0) OR \(key) IS NULL)" } : isMatch
        let rows = [deltas([key], &bindings)] + records([key], isRecorded, &bindings)
        let others = """
            SELECT bucket, coalesce(\(key), 0), \(sums.list())
            FROM (\(rows.joined(separator: " UNION ALL "))) AS others
            """
        return """
            (
                WITH matched AS \(matching.isEmpty ? "NOT" : "") MATERIALIZED (
                    SELECT \(([key] + values).joined(separator: ", "))
                    FROM \(Self.all) \(whereClause(matching))
                )
                SELECT \((["bucket"] + names + [sums.list()]).joined(separator: ", "))
                FROM (\((levels + [others]).joined(separator: " UNION ALL "))) AS rest
                    (bucket, \(key), \(sums.list()))
                    JOIN matched USING (\(key))
            )
            """
    }

    /// The rows of `sums` of the stored buckets that are added or subtracted; nil if there are none.
    ///
    /// Without the constants, PostgreSQL would also read the days where only months are needed.
    private func pieces(
        of sums: String, _ isSubtracted: Bool, _ bindings: inout Bindings
    ) -> String? {
        let levels = cover.levels.filter { $0.isSubtracted == isSubtracted }
        guard let number = levels.first?.number else { return nil }
        let ids = bindings.bind(numbers: levels.map(\.id))
        if levels.allSatisfy({ $0.number == number }) {
            return """
                (SELECT *, \(number) AS bucket FROM \(sums) WHERE bucket_id = ANY (\(ids))) AS level
                """
        }
        let buckets = bindings.bind(numbers: levels.map { Int64($0.number) })
        return """
            unnest(\(ids), \(buckets)) AS piece(bucket_id, bucket)
                JOIN (SELECT * FROM \(sums) WHERE bucket_id = ANY (\(ids))) AS level USING (bucket_id)
            """
    }

    /// The sums of quarters.
    private func quarters(_ bindings: inout Bindings) -> String {
        let place = RollupPlaces(cover.covered, "quarter", &bindings)
        return """
            SELECT \(place.bucket), \(sums.list())
            FROM (SELECT *, \(place.number) FROM usage_quarter_sums WHERE \(place.isBetween)) AS placed
            WHERE \(place.isInside)
            """
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

    /// The sums of records by `keys`, where the cover has records.
    private func records(
        _ keys: [String], _ conditions: [String], _ bindings: inout Bindings
    ) -> [String] {
        [(cover.records, false), (cover.subtracted, true)].compactMap { parts, isSubtracted in
            guard !parts.isEmpty else { return nil }
            let list = sums.ofRecords(isSubtracted: isSubtracted)
            guard Self.areDense(parts) else {
                return ranges(parts, keys, conditions, list, &bindings)
            }
            let place = RollupPlaces(parts, #""timestamp""#, &bindings)
            let group = (["n"] + keys).joined(separator: ", ")
            return """
                SELECT \(([place.bucket] + keys + [sums.list()]).joined(separator: ", "))
                FROM (
                    SELECT \(group), \(list)
                    FROM (SELECT *, \(place.number) FROM usage_record) AS placed
                    \(whereClause([place.isBetween, place.isInside] + conditions)) GROUP BY \(group)
                ) AS records
                """
        }
    }

    /// Whether one query of the records reads little more than a query for each of many ranges.
    private static func areDense(_ parts: [RollupCover.Part]) -> Bool {
        guard parts.count > 4, let first = parts.first, let last = parts.last else { return false }
        let length = parts.reduce(0) { $0 + $1.range.microseconds }
        return 2 * length > last.range.upperBound.microseconds - first.range.lowerBound.microseconds
    }

    private func ranges(
        _ parts: [RollupCover.Part], _ keys: [String], _ conditions: [String], _ list: String,
        _ bindings: inout Bindings
    ) -> String {
        let starts = bindings.bind(parts.map(\.range.lowerBound))
        let ends = bindings.bind(parts.map(\.range.upperBound))
        let buckets = bindings.bind(numbers: parts.map { Int64($0.number) })
        let inRange = [#""timestamp" >= range_start"#, #""timestamp" < range_end"#]
        let group = keys.isEmpty ? "" : "GROUP BY \(keys.joined(separator: ", "))"
        return """
            SELECT \((["bucket"] + keys + [sums.list()]).joined(separator: ", "))
            FROM unnest(\(starts), \(ends), \(buckets)) AS part(range_start, range_end, bucket),
                LATERAL (
                    SELECT \((keys + [list]).joined(separator: ", ")) FROM usage_record
                    \(whereClause(inRange + conditions)) \(group)
                ) AS sums
            """
    }
}

extension Range<Timestamp> {
    /// The length.
    fileprivate var microseconds: Int64 { upperBound.microseconds - lowerBound.microseconds }
}
