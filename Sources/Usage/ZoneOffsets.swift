/// How far the clocks of a time zone are ahead of UTC, over a stretch of time.
///
/// Before the stretch and after it, the first and the last offset are taken to go on.
public struct ZoneOffsets: Equatable, Sendable {
    /// A stretch of time in which the clocks run on.
    public struct Segment: Equatable, Sendable {
        /// Its first instant, at which the clocks are set; for the first segment, long ago.
        public let start: Timestamp
        /// Seconds ahead of UTC.
        public let offsetSeconds: Int

        /// Makes a segment.
        public init(start: Timestamp, offsetSeconds: Int) {
            self.start = start
            self.offsetSeconds = offsetSeconds
        }

        /// Microseconds of local time since 1970-01-01 on the zone's own clocks.
        func localMicroseconds(_ instant: Timestamp) -> Int64 {
            instant.microseconds + Int64(offsetSeconds) * 1_000_000
        }

        func instant(localMicroseconds: Int64) -> Timestamp {
            Timestamp(microseconds: localMicroseconds - Int64(offsetSeconds) * 1_000_000)
        }
    }

    /// The segments in the order of time; never none.
    public let segments: [Segment]

    /// Makes the table of `segments`.
    public init(_ segments: [Segment]) {
        precondition(!segments.isEmpty, "a time zone always has an offset")
        self.segments = segments
    }

    /// The clocks that are never set.
    public static let utc = ZoneOffsets([
        Segment(start: Timestamp.representable.lowerBound, offsetSeconds: 0)
    ])

    /// Seconds ahead of UTC at `instant`.
    public func offsetSeconds(at instant: Timestamp) -> Int { segment(at: instant).offsetSeconds }

    /// The date on the zone's clocks at `instant`.
    public func date(at instant: Timestamp) -> CivilDate {
        let local = segment(at: instant).localMicroseconds(instant)
        return CivilDate(daysSince1970: floor(local, by: Self.dayMicroseconds))
    }

    /// The first instant at which the zone's clocks show `day`, or a later one.
    ///
    /// So a day starts at the first of two midnights, at the end of a gap that swallows midnight,
    /// and a day that the zone skipped starts when the next one does.
    public func start(of day: CivilDate) -> Timestamp {
        let midnight = day.daysSince1970 * Self.dayMicroseconds
        for (index, segment) in segments.enumerated() {
            let shown = segment.instant(localMicroseconds: midnight)
            let start = index == 0 ? shown : max(shown, segment.start)
            if index + 1 == segments.count || start < segments[index + 1].start { return start }
        }
        preconditionFailure("the last segment has no end")
    }

    /// The first start of a day that comes after `instant`.
    ///
    /// Where clocks go back over midnight, the day after the one that they show has begun already.
    public func startOfDay(after instant: Timestamp) -> Timestamp {
        var day = date(at: instant).next
        while start(of: day) <= instant { day = day.next }
        return start(of: day)
    }

    static let dayMicroseconds: Int64 = 86_400_000_000

    private func segment(at instant: Timestamp) -> Segment {
        segments.last { $0.start <= instant } ?? segments[0]
    }
}
