import Glibc

/// An instant, to the microsecond, always in UTC.
public struct Timestamp: Hashable, Comparable, Sendable {
    /// Microseconds since 1970-01-01T00:00:00Z, without leap seconds.
    public let microseconds: Int64

    /// Makes the instant of so many microseconds after 1970.
    public init(microseconds: Int64) { self.microseconds = microseconds }

    /// The system clock's time.
    public static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    /// The instants with a four-digit year, which RFC 3339 requires.
    public static let representable =
        Timestamp(
            microseconds: -62_135_596_800_000_000)..<Timestamp(
            microseconds: 253_402_300_800_000_000)

    /// The same instant without its fraction of a second.
    public var wholeSeconds: Timestamp {
        Timestamp(microseconds: floor(microseconds, by: 1_000_000) * 1_000_000)
    }

    /// Orders by time.
    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microseconds < right.microseconds
    }
}

/// The quotient, rounded down, also for negative values.
func floor(_ value: Int64, by divisor: Int64) -> Int64 {
    let quotient = value / divisor
    return value % divisor < 0 ? quotient - 1 : quotient
}
