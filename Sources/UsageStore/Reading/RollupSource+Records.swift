import Usage

extension RollupSource {
    /// The sums of records by `keys`, where the cover has records.
    func records(
        _ keys: [String], _ conditions: [String], _ bindings: inout Bindings
    ) -> [String] {
        [(cover.records, false), (cover.subtracted, true)].compactMap { parts, isSubtracted in
            guard !parts.isEmpty else { return nil }
            let list = sums.ofRecords(isSubtracted: isSubtracted)
            guard parts.count > Self.fewParts else {
                return each(parts, keys, conditions, list, &bindings)
            }
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

    /// So many parts have a query of their own each.
    private static let fewParts = 4

    /// A query for each part, whose bounds are constants: PostgreSQL knows how many records are between
    /// them, perhaps none, and whether the index of time or that of the conditions has fewer.
    private func each(
        _ parts: [RollupCover.Part], _ keys: [String], _ conditions: [String], _ list: String,
        _ bindings: inout Bindings
    ) -> String {
        let group = keys.isEmpty ? "" : "GROUP BY \(keys.joined(separator: ", "))"
        return parts.map { part in
            var period = UsageFilter()
            period.from = part.range.lowerBound
            period.to = part.range.upperBound
            return """
                SELECT \((["\(part.number) AS bucket"] + keys + [list]).joined(separator: ", "))
                FROM usage_record
                \(whereClause(period.timeConditions(&bindings) + conditions)) \(group)
                """
        }.joined(separator: " UNION ALL ")
    }

    /// The parts as a table, to look each one up in an index.
    static func table(of parts: [RollupCover.Part], _ bindings: inout Bindings) -> String {
        let starts = bindings.bind(parts.map(\.range.lowerBound))
        let ends = bindings.bind(parts.map(\.range.upperBound))
        let buckets = bindings.bind(numbers: parts.map { Int64($0.number) })
        return "unnest(\(starts), \(ends), \(buckets)) AS part(range_start, range_end, bucket)"
    }

    /// Whether reading all between the first part and the last one is little more than reading the parts.
    static func areDense(_ parts: [RollupCover.Part]) -> Bool {
        guard let first = parts.first, let last = parts.last else { return false }
        let length = parts.reduce(0) { $0 + $1.range.microseconds }
        return 2 * length > last.range.upperBound.microseconds - first.range.lowerBound.microseconds
    }

    private func ranges(
        _ parts: [RollupCover.Part], _ keys: [String], _ conditions: [String], _ list: String,
        _ bindings: inout Bindings
    ) -> String {
        let inRange = [#""timestamp" >= range_start"#, #""timestamp" < range_end"#]
        let group = keys.isEmpty ? "" : "GROUP BY \(keys.joined(separator: ", "))"
        return """
            SELECT \((["bucket"] + keys + [sums.list()]).joined(separator: ", "))
            FROM \(Self.table(of: parts, &bindings)),
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
