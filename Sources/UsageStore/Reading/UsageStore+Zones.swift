import Postgres
public import Usage

extension UsageStore {
    /// Whether `name` is that of a time zone in the IANA database.
    ///
    /// PostgreSQL would take abbreviations and POSIX rules as well, which mean other things to
    /// other programs. The list is read once in a process: that takes 20 ms.
    public func isZone(_ name: String) throws -> Bool {
        if name == "UTC" { return true }
        return try Self.canBeZone(name) && names().contains(name)
    }

    /// The time zone that is written like `name` but for capitals and small letters.
    public func zone(like name: String) throws -> String? {
        guard Self.canBeZone(name) else { return nil }
        let lowercased = name.lowercased()
        return try names().first { $0.lowercased() == lowercased }
    }

    /// Other characters can be equal to ASCII ones in Swift, such as the Kelvin sign to K.
    private static func canBeZone(_ name: String) -> Bool {
        name.utf8.count <= 64 && name.utf8.allSatisfy { $0 < 0x80 }
    }

    /// How far `zone`'s clocks are ahead of UTC between two instants, and two days beyond.
    public func offsets(
        of zone: String, from first: Timestamp, to last: Timestamp
    ) throws -> ZoneOffsets {
        if zone == "UTC" { return .utc }
        return try reportingUnavailability {
            try zoneOffsets(try connected(), of: zone, from: first, to: last)
        }
    }

    private func names() throws -> Set<String> {
        if let known = shared.zoneNames { return known }
        let names = try reportingUnavailability {
            let reader = try QueryReader(
                try connected(),
                """
                SELECT name FROM pg_timezone_names
                WHERE name !~ '^(posix|right)/' AND name NOT IN ('Factory', 'localtime', 'posixrules')
                """, [String](), isStreamed: false)
            var names: Set<String> = []
            while try reader.next() { names.insert(reader.string(0) ?? "") }
            return names
        }
        shared.remember(zoneNames: names)
        return names
    }
}

extension Snapshot {
    /// As the store's, by the snapshot's connection, on which the store could begin nothing else.
    public func offsets(
        of zone: String, from first: Timestamp, to last: Timestamp
    ) throws -> ZoneOffsets {
        if zone == "UTC" { return .utc }
        return try reportingUnavailability {
            try zoneOffsets(connection, of: zone, from: first, to: last)
        }
    }
}

private func zoneOffsets(
    _ connection: Connection, of zone: String, from first: Timestamp, to last: Timestamp
) throws -> ZoneOffsets {
    var bindings = Bindings()
    let reader = try QueryReader(
        connection,
        """
        SELECT since, offset_seconds FROM zone_offsets(\(bindings.bind(zone, as: "text")),
            \(bindings.bind(first.days(-2))), \(bindings.bind(last.days(2))))
        """, bindings.values, isStreamed: false)
    var segments: [ZoneOffsets.Segment] = []
    while try reader.next() {
        segments.append(
            ZoneOffsets.Segment(
                start: Timestamp(postgresMicroseconds: reader.integer(0)),
                offsetSeconds: Int(reader.integer(1))))
    }
    return ZoneOffsets(segments)
}

extension Timestamp {
    /// The instant so many days later, within those that PostgreSQL can hold here.
    fileprivate func days(_ count: Int64) -> Timestamp {
        let moved = Timestamp(microseconds: microseconds + count * 86_400_000_000)
        return min(max(moved, Self.representable.lowerBound), Self.representable.upperBound)
    }
}
