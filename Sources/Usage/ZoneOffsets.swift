/// The UTC offsets of a time zone over a range of time.
///
/// The first offset also applies before the range, and the last one after it.
public struct ZoneOffsets: Equatable, Sendable {
    /// A range of time with one offset.
    public struct Segment: Equatable, Sendable {
        /// Its first instant, which is a clock change, except for the first segment.
        public let start: Timestamp
        /// Seconds ahead of UTC.
        public let offsetSeconds: Int

        /// Makes a segment.
        public init(start: Timestamp, offsetSeconds: Int) {
            self.start = start
            self.offsetSeconds = offsetSeconds
        }

        /// Local microseconds since 1970-01-01.
        func localMicroseconds(_ instant: Timestamp) -> Int64 {
            instant.microseconds + Int64(offsetSeconds) * 1_000_000
        }

        func instant(localMicroseconds: Int64) -> Timestamp {
            Timestamp(microseconds: localMicroseconds - Int64(offsetSeconds) * 1_000_000)
        }
    }

    /// The segments, ordered by time; never empty.
    public let segments: [Segment]

    /// Makes offsets of `segments`, which must not be empty.
    public init(_ segments: [Segment]) {
        precondition(!segments.isEmpty, "a time zone always has an offset")
        self.segments = segments
    }

    /// UTC, which has no clock changes.
    public static let utc = ZoneOffsets([
        Segment(start: Timestamp.representable.lowerBound, offsetSeconds: 0)
    ])

    /// Seconds ahead of UTC at `instant`.
    public func offsetSeconds(at instant: Timestamp) -> Int { segment(at: instant).offsetSeconds }

    /// The local date at `instant`.
    public func date(at instant: Timestamp) -> CivilDate {
        let local = segment(at: instant).localMicroseconds(instant)
        return CivilDate(daysSince1970: floor(local, by: Self.dayMicroseconds))
    }

    /// The first instant at which the local date is `day` or a later one.
    ///
    /// So a day starts at the first of two midnights, or at the end of a gap that includes midnight;
    /// a day that the zone skipped starts with the next one.
    public func start(of day: CivilDate) -> Timestamp {
        let midnight = day.daysSince1970 * Self.dayMicroseconds
        for (index, segment) in segments.enumerated() {
            let shown = segment.instant(localMicroseconds: midnight)
            let start = index == 0 ? shown : max(shown, segment.start)
            if index + 1 == segments.count || start < segments[index + 1].start { return start }
        }
        preconditionFailure("the last segment has no end")
    }

    /// The first start of a day after `instant`.
    ///
    /// If clocks went back over midnight, the day after the current local date has already begun.
    public func startOfDay(after instant: Timestamp) -> Timestamp {
        var day = date(at: instant).next
        while start(of: day) <= instant { day = day.next }
        return start(of: day)
    }

    /// The days that the zone skipped between two segments, in days since 1970.
    var skippedDays: [Int64] {
        zip(segments, segments.dropFirst()).flatMap { before, after in
            // From the first midnight that clocks did not show to the last one that they show.
            let local = before.localMicroseconds(after.start) - 1
            let first = floor(local, by: Self.dayMicroseconds) + 1
            let next = floor(after.localMicroseconds(after.start), by: Self.dayMicroseconds)
            return Array(first..<max(first, next))
        }
    }

    static let dayMicroseconds: Int64 = 86_400_000_000

    private func segment(at instant: Timestamp) -> Segment {
        segments.last { $0.start <= instant } ?? segments[0]
    }
}
