/// A requested bound of a range of time.
public enum PeriodBound: Hashable, Sendable {
    /// An instant.
    case instant(Timestamp)
    /// The start of a day, whose instant depends on the time zone.
    case day(CivilDate)

    /// Parses RFC 3339 with an offset, or a date; nil for anything else.
    public init?(_ text: String) {
        if let date = CivilDate(text) {
            self = .day(date)
        } else if let instant = Timestamp(text) {
            self = .instant(instant)
        } else {
            return nil
        }
    }
}

/// A half-open range of time in a time zone, divided into buckets.
public struct ReportingPeriod: Sendable {
    /// The first instant in it.
    public let start: Timestamp

    /// The first instant after it, not before `start`.
    public let end: Timestamp

    private let offsets: ZoneOffsets
    private let monthStart: Int
    private let weekStart: WeekStart

    /// The days of a month on which its bucket can start: all months have them.
    public static let monthStarts = 1...28

    /// Makes the period; `offsets` must cover it and two days on both sides.
    ///
    /// Months start on the day `monthStart`, one of `monthStarts`, weeks on `weekStart`.
    public init(
        from start: Timestamp, to end: Timestamp, offsets: ZoneOffsets, monthStart: Int = 1,
        weekStart: WeekStart = .monday
    ) {
        self.start = start
        self.end = max(start, end)
        self.offsets = offsets
        self.monthStart = monthStart
        self.weekStart = weekStart
    }

    /// The range of as many seconds, or local days, that ends where this one starts; not earlier
    /// than year 1.
    ///
    /// Counted in days, the period must start and end with days, and `offsets` must also cover as
    /// long a range before it. A day that the zone skipped does not count.
    public func previous(inDays: Bool) -> Range<Timestamp> {
        let earliest = Timestamp.representable.lowerBound
        guard inDays else {
            let length = end.microseconds - start.microseconds
            return max(earliest, Timestamp(microseconds: start.microseconds - length))..<start
        }
        let skipped = offsets.skippedDays
        func skippedCount(_ days: Range<Int64>) -> Int64 {
            Int64(skipped.count { days.contains($0) })
        }
        var day = offsets.date(at: start).daysSince1970
        let end = offsets.date(at: end).daysSince1970
        var missing = end - day - skippedCount(day..<end)
        while missing > 0 {
            let later = day
            day -= missing
            missing = skippedCount(day..<later)
        }
        return max(earliest, offsets.start(of: CivilDate(daysSince1970: day)))..<start
    }

    /// The approximate number of buckets, calculated from both ends.
    ///
    /// Exact except for hours that clocks skip or repeat, and for days that a zone skips.
    public func estimatedCount(_ granularity: Granularity) -> Int {
        guard start < end else { return 0 }
        let first = offsets.date(at: start)
        let last = offsets.date(at: Timestamp(microseconds: end.microseconds - 1))
        switch granularity {
        case .hour:
            let hours = (end.microseconds - start.microseconds + Self.hour - 1) / Self.hour
            return Int(hours)
        case .day: return Int(last.daysSince1970 - first.daysSince1970) + 1
        case .week: return Int(firstDay(ofWeekOf: last) - firstDay(ofWeekOf: first)) / 7 + 1
        case .month: return month(of: last) - month(of: first) + 1
        case .total: return 1
        }
    }

    /// The buckets, ordered by time; they cover the period without gaps.
    public func buckets(_ granularity: Granularity) -> [Range<Timestamp>] {
        guard start < end else { return [] }
        var starts = [start]
        for instant in boundaries(granularity) where instant > starts.last ?? end && instant < end {
            starts.append(instant)
        }
        return zip(starts, starts.dropFirst() + [end]).map { $0..<$1 }
    }

    private static let hour: Int64 = 3_600_000_000

    /// The starts of buckets, from about `start` to about `end`.
    private func boundaries(_ granularity: Granularity) -> [Timestamp] {
        // If clocks go back over midnight, the later instant has the earlier date.
        let first = min(offsets.date(at: start), offsets.date(at: end))
        let last = max(offsets.date(at: start), offsets.date(at: end)).next
        switch granularity {
        case .hour: return hourStarts()
        case .day: return days(from: first.daysSince1970, to: last, step: 1)
        case .week: return days(from: firstDay(ofWeekOf: first), to: last, step: 7)
        case .month: return monthStarts(from: first, to: last)
        case .total: return []
        }
    }

    private func days(from first: Int64, to last: CivilDate, step: Int64) -> [Timestamp] {
        stride(from: first, through: last.daysSince1970, by: Int(step)).map {
            offsets.start(of: CivilDate(daysSince1970: $0))
        }
    }

    private func monthStarts(from first: CivilDate, to last: CivilDate) -> [Timestamp] {
        (month(of: first)...month(of: last)).compactMap { month in
            CivilDate(year: month / 12, month: month % 12 + 1, day: monthStart)
                .map(offsets.start(of:))
        }
    }

    /// The number of the month in which `date` is; month 0 starts in January of year 0.
    private func month(of date: CivilDate) -> Int {
        date.year * 12 + date.month - 1 - (date.day < monthStart ? 1 : 0)
    }

    /// Every full local hour, and every clock change.
    private func hourStarts() -> [Timestamp] {
        offsets.segments.enumerated().flatMap { index, segment in
            let segmentStart = max(start, segment.start)
            let isLast = index + 1 == offsets.segments.count
            let segmentEnd = isLast ? end : min(end, offsets.segments[index + 1].start)
            guard segmentStart < segmentEnd else { return [Timestamp]() }
            let local = segment.localMicroseconds(segmentStart)
            let fullHours = stride(
                from: (floor(local, by: Self.hour) + 1) * Self.hour,
                to: segment.localMicroseconds(segmentEnd), by: Int(Self.hour))
            return [segmentStart] + fullHours.map { segment.instant(localMicroseconds: $0) }
        }
    }

    /// Days from 1970 to the start of the week of `date`; 1970-01-01 was a Thursday.
    private func firstDay(ofWeekOf date: CivilDate) -> Int64 {
        let shift: Int64 = weekStart == .monday ? 3 : 4
        return floor(date.daysSince1970 + shift, by: 7) * 7 - shift
    }
}

/// The first day of weeks.
public enum WeekStart: String, CaseIterable, Sendable {
    /// As in ISO 8601.
    case monday
    /// As in North America.
    case sunday
}

/// The length of the buckets of a summary.
public enum Granularity: String, CaseIterable, Sendable {
    /// Local hours; an hour that clocks repeat has two buckets.
    case hour
    /// Local days, of 23 to 25 hours at clock changes.
    case day
    /// Local weeks, from the period's first day of weeks.
    case week
    /// Local months, from the period's first day of months.
    case month
    /// One bucket for the whole range.
    case total

    /// Maximum number of buckets in one summary.
    public var bucketLimit: Int {
        switch self {
        case .hour: 744
        case .day: 366
        case .week: 260
        case .month: 120
        case .total: 1
        }
    }
}
