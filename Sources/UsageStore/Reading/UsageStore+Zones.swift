import Postgres
public import Usage

extension UsageStore {
    /// Whether `name` is a time zone of the IANA database.
    ///
    /// PostgreSQL also accepts abbreviations and POSIX rules, which other programs interpret
    /// differently. The list is read once per process, which takes 20 ms.
    public func isZone(_ name: String) throws -> Bool {
        if name == "UTC" { return true }
        return try Self.canBeZone(name) && names().contains(name)
    }

    /// The time zone whose name equals `name`, ignoring case.
    public func zone(like name: String) throws -> String? {
        guard Self.canBeZone(name) else { return nil }
        let lowercased = name.lowercased()
        return try names().first { $0.lowercased() == lowercased }
    }

    /// Excludes non-ASCII characters, because Swift compares some as equal: the Kelvin sign and K.
    private static func canBeZone(_ name: String) -> Bool {
        name.utf8.count <= 64 && name.utf8.allSatisfy { $0 < 0x80 }
    }

    /// The UTC offsets of `zone` between two instants, extended by two days on both sides.
    public func offsets(
        of zone: String, from first: Timestamp, to last: Timestamp
    ) throws -> ZoneOffsets {
        try zoneOffsets(of: zone, from: first, to: last) { try connected() }
    }

    /// The instant of a bound, which for a day depends on the zone.
    public func instant(of bound: PeriodBound, in zone: String) throws -> Timestamp {
        switch bound {
        case .instant(let instant): return instant
        case .day(let date):
            let midnight = Timestamp(microseconds: date.daysSince1970 * 86_400_000_000)
            let start = try offsets(of: zone, from: midnight, to: midnight).start(of: date)
            // In a zone ahead of UTC, year 1 begins earlier than in UTC.
            return max(start, Timestamp.representable.lowerBound)
        }
    }

    private func names() throws -> Set<String> {
        if let known = shared.zoneNames { return known }
        let names = try reportingUnavailability {
            let reader = try QueryReader(
                try connected(), "zones",
                """
                SELECT name FROM pg_timezone_names
                WHERE name !~ '^(posix|right)/' AND name NOT IN ('Factory', 'localtime', 'posixrules')
                """)
            var names: Set<String> = []
            while try reader.next() { names.insert(reader.string(0) ?? "") }
            return names
        }
        shared.remember(zoneNames: names)
        return names
    }
}

extension Snapshot {
    /// The store's `offsets`, queried in the snapshot's transaction.
    public func offsets(
        of zone: String, from first: Timestamp, to last: Timestamp
    ) throws -> ZoneOffsets {
        try zoneOffsets(of: zone, from: first, to: last) { connection }
    }

    /// The offsets of `zone` at all times of records.
    public func offsets(ofAllTimesIn zone: String) throws -> ZoneOffsets {
        let times = try reportingUnavailability { try recordExtent(UsageFilter()) }
        // A record may have been recorded at any time since its own.
        return try offsets(
            of: zone, from: times?.lowerBound ?? .now, to: max(times?.upperBound ?? .now, .now))
    }
}

private func zoneOffsets(
    of zone: String, from first: Timestamp, to last: Timestamp, _ connect: () throws -> Connection
) throws -> ZoneOffsets {
    if zone == "UTC" { return .utc }
    return try reportingUnavailability {
        var bindings = Bindings()
        let reader = try QueryReader(
            try connect(), "offsets",
            """
            SELECT since, offset_seconds FROM zone_offsets(\(bindings.bind(zone, as: "text")),
                \(bindings.bind(first.days(-2))), \(bindings.bind(last.days(2))))
            """, bindings.values)
        var segments: [ZoneOffsets.Segment] = []
        while try reader.next() {
            segments.append(
                ZoneOffsets.Segment(
                    start: Timestamp(postgresMicroseconds: reader.integer(0)),
                    offsetSeconds: Int(reader.integer(1))))
        }
        return ZoneOffsets(segments)
    }
}

extension Timestamp {
    /// The instant so many days later, clamped to the representable years.
    fileprivate func days(_ count: Int64) -> Timestamp {
        let moved = Timestamp(microseconds: microseconds + count * 86_400_000_000)
        return min(max(moved, Self.representable.lowerBound), Self.representable.upperBound)
    }
}
