import Postgres
public import Usage

extension Snapshot {
    /// The first and the last instant of the records that match `filter`; nil without records.
    ///
    /// Of closed records, it is the start of the first one's local day in `zone`, if that is a reporting zone.
    public func extent(
        _ filter: UsageFilter, zone: String? = nil
    ) throws -> ClosedRange<Timestamp>? {
        let all = filter.and(bounds)
        return try reportingUnavailability {
            // The ends of a range of an index, and those of the closed sums.
            guard RollupFilter(all).level() != .all else {
                let closed = try closedExtent(RollupFilter(all).range)
                return [try recordExtent(all), closed].compactMap(\.self).reduce(nil) { all, part in
                    guard let all else { return part }
                    return min(
                        all.lowerBound, part.lowerBound)...max(all.upperBound, part.upperBound)
                }
            }
            guard let rollups = try rollups(all, zone: zone) else {
                try requireSums(nil, of: all)
                try becomeLong()
                return try recordExtent(all)
            }
            try requireSums(rollups, of: all, in: [rollups.filter.range])
            try expect(
                isShort: rollups.isShort([rollups.filter.range]),
                hasManyRecords: rollups.hasManyRecords([rollups.filter.range]))
            var ends = (first: rollups.filter.range, last: rollups.filter.range)
            for unit in rollups.filter.level()?.units ?? [] {
                guard let first = try used(ends.first, rollups, unit).first,
                    let last = try used(ends.last, rollups, unit).last
                else { return nil }
                ends = (first, last)
            }
            // Of closed records, only the day is known.
            if let line = summedBefore, ends.first.lowerBound < line {
                let last = try recordExtent(all, in: ends.last)?.upperBound
                return ends.first.lowerBound...(last ?? ends.last.upperBound.previous)
            }
            guard let first = try recordExtent(all, in: ends.first),
                let last = try recordExtent(all, in: ends.last)
            else { return nil }
            return first.lowerBound...last.upperBound
        }
    }

    /// The stored buckets of a unit, and the times between them, of `range` that have records.
    private func used(
        _ range: Range<Timestamp>, _ rollups: Rollups, _ unit: RollupUnit
    ) throws -> [Range<Timestamp>] {
        let cuts = rollups.buckets.filter { $0.unit == unit && $0.range.overlaps(range) }
            .flatMap { [$0.range.lowerBound, $0.range.upperBound] }
            .filter { range.lowerBound < $0 && $0 < range.upperBound }
        let bounds = Set(cuts + [range.lowerBound, range.upperBound]).sorted()
        let ranges = zip(bounds, bounds.dropFirst()).map { $0..<$1 }
        let sums = RollupSummary(rollups: rollups, ranges: ranges, parts: [])
        let rows = try run(sums.ofBuckets(), isStreamed: false)
        var used: [Range<Timestamp>] = []
        while let row = try rows.next() {
            if !row.sum.isEmpty { used.append(ranges[row.bucket - 1]) }
        }
        return used
    }

    /// The first and the last quarter of an hour of closed records.
    private func closedExtent(_ range: Range<Timestamp>) throws -> ClosedRange<Timestamp>? {
        guard summedBefore != nil else { return nil }
        var bindings = Bindings()
        let isInside = [
            "quarter >= \(bindings.bind(range.lowerBound))",
            "quarter < \(bindings.bind(range.upperBound))",
        ]
        var list = SelectList()
        let first = list.add("min(quarter)", as: Timestamp?.self)
        let last = list.add("max(quarter)", as: Timestamp?.self)
        let reader = try QueryReader(
            connection, "closed_extent",
            "SELECT \(list.sql) FROM closed_quarter_sum \(whereClause(isInside))", bindings.values)
        guard try reader.next(), let first = reader[first], let last = reader[last] else {
            return nil
        }
        return first...last
    }

    /// The same from the records, in a range of time.
    func recordExtent(
        _ filter: UsageFilter, in range: Range<Timestamp>? = nil
    ) throws -> ClosedRange<Timestamp>? {
        var period = UsageFilter()
        period.from = range?.lowerBound
        period.to = range?.upperBound
        var bindings = Bindings()
        let conditions = filter.and(period).conditions(&bindings)
        var list = SelectList()
        let first = list.add("min(\"timestamp\")", as: Timestamp?.self)
        let last = list.add("max(\"timestamp\")", as: Timestamp?.self)
        let reader = try QueryReader(
            connection, "extent",
            "SELECT \(list.sql) FROM usage_record \(whereClause(conditions))", bindings.values)
        guard try reader.next(), let first = reader[first], let last = reader[last] else {
            return nil
        }
        return first...last
    }
}

extension Timestamp {
    /// The microsecond before.
    fileprivate var previous: Timestamp { Timestamp(microseconds: microseconds - 1) }
}

extension Snapshot {
    /// The reporting zones, whose local days, months and years are summed in advance; sorted by name.
    public func reportingZones() throws -> [String] {
        try reportingUnavailability {
            let reader = try QueryReader(
                connection, "reporting_zones",
                "SELECT name FROM usage_zone WHERE is_built ORDER BY name")
            var zones: [String] = []
            while try reader.next() { zones.append(reader.string(0) ?? "") }
            return zones
        }
    }
}
