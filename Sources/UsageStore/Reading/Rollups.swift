import Postgres
import Usage

/// The sums of the records that match a filter, from the levels of a snapshot.
struct Rollups {
    let filter: RollupFilter

    /// The level of the sums by group, or of all without groups.
    let level: RollupLevel

    /// The attributions that match the filter, where their level is needed; nil for all.
    ///
    /// 0 is that of records without one.
    let attributions: [Int64]?

    /// The stored days, months and years of one zone.
    let buckets: [RollupBucket]

    /// Before this instant, there are sums only; nil if nothing is closed.
    let closedBefore: Timestamp?

    /// The first instant of which the zone has sums of closed records; nil if it has all.
    let completeFrom: Timestamp?

    /// The time of the last record; nil without records.
    let lastRecord: Timestamp?

    /// Limits contiguous ranges to the filter's range of time.
    ///
    /// If no record is after the last one, it ends with the last stored bucket of the level, so that the
    /// last ones are not divided, and their records not read.
    func ranges(_ ranges: [Range<Timestamp>]) -> [Range<Timestamp>] {
        var clamped = ranges.map { $0.clamped(to: filter.range) }
        guard let last = clamped.last, !last.isEmpty else { return clamped }
        let known = [lastRecord, closedBefore].compactMap(\.self)
        if known.allSatisfy({ $0 < last.upperBound }) {
            let used = buckets.filter { $0.unit != .year || level.units.contains(.year) }
            let end = used.map(\.range.upperBound).max() ?? last.upperBound
            clamped[clamped.count - 1] = last.lowerBound..<max(end, last.upperBound)
        }
        return clamped
    }

    /// Whether there are sums of all closed records of `ranges`, which are contiguous; with `hasGroups`
    /// by value, with `hasSeries` for each of them.
    func hasClosed(_ ranges: [Range<Timestamp>], hasGroups: Bool, hasSeries: Bool) -> Bool {
        guard let line = closedBefore, let start = ranges.first?.lowerBound, start < line,
            let end = ranges.last?.upperBound
        else { return true }
        if RollupCover(ranges, hasQuarters: true).needsRecords(before: line) { return false }
        let isFiltered = filter.level() != .all
        guard hasGroups || isFiltered else { return true }
        if let completeFrom, start < completeFrom { return false }
        let lists = (hasGroups ? [[start..<end]] : []) + (hasSeries || isFiltered ? [ranges] : [])
        return lists.allSatisfy { ranges in
            [level, filter.level() ?? level].allSatisfy {
                !cover(ranges, $0).needsRecords(before: line)
            }
        }
    }

    /// The cover of `ranges` with the buckets of a level.
    private func cover(_ ranges: [Range<Timestamp>], _ level: RollupLevel) -> RollupCover {
        let isAll = level == .all
        // Quarters have all closed sums, also where days lack them.
        let start = isAll ? completeFrom : nil
        let stored = buckets.filter {
            level.units.contains($0.unit) && $0.range.lowerBound >= start ?? $0.range.lowerBound
        }
        return RollupCover(ranges, with: stored, hasQuarters: isAll, closedBefore: closedBefore)
    }

    /// The query of the sums of all records of each range of time, which are contiguous; nil if no level
    /// has them.
    func whole(_ ranges: [Range<Timestamp>], _ bindings: inout Bindings) -> String? {
        guard let level = filter.level() else { return nil }
        let all = RollupSource(.all, cover(ranges, .all))
        guard level != .all else { return all.sql(&bindings) }
        let cover = cover(ranges, level)
        guard case .values = level, filter.matchesBlank else {
            return RollupSource(
                level, cover, matchesBlank: filter.matchesBlank, attributions: attributions
            ) {
                filter.conditions(of: level, value: $0, &$1)
            }.sql(&bindings)
        }
        // There are no sums of records without a value: those of all others are subtracted.
        let others = RollupSource(level, cover) { value, bindings in
            let conditions = filter.conditions(of: level, value: value, &bindings)
            return ["NOT (\(conditions.joined(separator: " AND ")))"]
        }
        return """
            SELECT bucket, \(SumFields.Columns.all.ofSums())
            FROM (
                \(all.sql(&bindings))
                UNION ALL
                SELECT bucket, \(SumFields.Columns.all.ofSums(isSubtracted: true))
                FROM (\(others.sql(&bindings))) AS others GROUP BY bucket
            ) AS source
            GROUP BY bucket
            """
    }

    /// Whether the sums of all records cost about as much as a page.
    func isShort(_ ranges: [Range<Timestamp>]) -> Bool {
        guard let level = filter.level() else { return false }
        return switch level {
        case .all: true
        case .values: !filter.matchesBlank && isShort(cover(ranges, level), 400)
        case .attributions: false
        }
    }

    /// Whether sums by group cost about as much as a page: at the level of attributions those of a month
    /// or a year, at that of values those of two years.
    func isShort(_ ranges: [Range<Timestamp>], by parts: [GroupPart], hasSeries: Bool) -> Bool {
        guard let first = ranges.first, let last = ranges.last, isShort(ranges),
            let level = filter.level(by: parts)
        else { return false }
        let whole = cover([first.lowerBound..<last.upperBound], level)
        return isShort(whole, level == .attributions ? 2 : 24)
            && (!hasSeries || isShort(cover(ranges, level), 62))
    }

    private func isShort(_ cover: RollupCover, _ bucketLimit: Int) -> Bool {
        cover.levels.count <= bucketLimit && cover.recordMicroseconds <= Self.shortMicroseconds
    }

    /// Whether sums by value read many records beside the levels.
    func hasManyRecords(_ ranges: [Range<Timestamp>]) -> Bool {
        cover(ranges, level).recordMicroseconds > 8 * Self.shortMicroseconds
    }

    /// Six hours of records are 34,000 in a year of 50 million.
    private static let shortMicroseconds: Int64 = 6 * 3_600_000_000

    /// The sums of each range by one or two parts; nil if no level has them.
    ///
    /// `chosen` are the attributions to add up at their level, instead of all that match; `conditions` are
    /// others on the value of a part at its level, which leaves out records without one.
    func groups(
        _ ranges: [Range<Timestamp>], by parts: [GroupPart], _ sums: SumFields.Columns = .all,
        matchesBlank: Bool? = nil, of chosen: [Int64]? = nil,
        where conditions: @escaping (_ value: String, inout Bindings) -> [String] = { _, _ in [] }
    ) -> RollupSource? {
        guard let level = filter.level(by: parts) else { return nil }
        return RollupSource(
            level, cover(ranges, level), sums, matchesBlank: matchesBlank ?? filter.matchesBlank,
            attributions: chosen ?? attributions
        ) { value, bindings in
            filter.conditions(of: level, value: value, &bindings) + conditions(value, &bindings)
        }
    }
}

extension Snapshot {
    /// The levels for `filter`, with the stored buckets of the reporting zone `zone`, or else of one in
    /// which a day begins where the filter's range of time does; nil if there are no sums yet, or if no
    /// level has sums of such records.
    func rollups(
        _ filter: UsageFilter, zone: String? = nil, by parts: [GroupPart] = []
    ) throws -> Rollups? {
        let filter = RollupFilter(filter)
        guard filter.level() != nil, let level = filter.level(by: parts) else { return nil }
        var bindings = Bindings()
        var list = SelectList()
        let id = list.add("bucket_id", as: Int64?.self)
        let unit = list.add("bucket.unit", as: String?.self)
        let start = list.add("starts_at", as: Timestamp?.self)
        let end = list.add("ends_at", as: Timestamp?.self)
        let complete = list.add("complete_from", as: Timestamp?.self)
        let last = list.add("(SELECT max(\"timestamp\") FROM usage_record)", as: Timestamp?.self)
        let row = try QueryReader(
            connection, "rollups",
            """
            SELECT \(list.sql)
            FROM (
                SELECT zone_id, complete_from
                FROM usage_zone JOIN usage_rollup_state AS state ON state.is_built
                WHERE usage_zone.is_built
                ORDER BY name = \(bindings.bind(zone ?? "", as: "text")) DESC, EXISTS (
                    SELECT FROM usage_bucket AS day WHERE day.zone_id = usage_zone.zone_id
                        AND unit = 'day' AND starts_at = \(bindings.bind(filter.range.lowerBound))
                ) DESC, zone_id
                LIMIT 1
            ) AS zone
            CROSS JOIN (
                VALUES ('day', interval '32 days'), ('month', interval '367 days'), ('year', '0')
            ) AS kind(unit, margin)
            LEFT JOIN usage_bucket AS bucket ON bucket.zone_id = zone.zone_id
                AND bucket.unit = kind.unit
                AND starts_at < \(bindings.bind(filter.range.upperBound)) + margin
                AND ends_at > \(bindings.bind(filter.range.lowerBound)) - margin
            """, bindings.values)
        guard row.count > 0 else { return nil }
        var buckets: [RollupBucket] = []
        var completeFrom: Timestamp?
        var lastRecord: Timestamp?
        while try row.next() {
            completeFrom = row[complete]
            lastRecord = row[last]
            guard let id = row[id], let start = row[start], let end = row[end],
                let unit = row[unit].flatMap(RollupUnit.init)
            else { continue }
            buckets.append(RollupBucket(id: id, unit: unit, range: start..<end))
        }
        let isOfSome = level == .attributions && !filter.parts.isEmpty
        let matching = try isOfSome ? attributions { filter.attributionConditions(&$0) } : nil
        return Rollups(
            filter: filter, level: level,
            attributions: matching.map { $0 + (filter.matchesBlank ? [0] : []) },
            buckets: buckets, closedBefore: summedBefore,
            completeFrom: completeFrom, lastRecord: lastRecord)
    }
}
