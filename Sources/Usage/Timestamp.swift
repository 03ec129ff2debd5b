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

    /// The last full minute.
    public var startOfMinute: Timestamp {
        Timestamp(microseconds: floor(microseconds, by: 60_000_000) * 60_000_000)
    }

    /// The last instant of this minute.
    public var endOfMinute: Timestamp {
        Timestamp(microseconds: startOfMinute.microseconds + 59_999_999)
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
func floor<Number: SignedInteger>(_ value: Number, by divisor: Number) -> Number {
    let quotient = value / divisor
    return value % divisor < 0 ? quotient - 1 : quotient
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC: `2024-01-15T14:30:00Z`, with six fraction digits unless they are zero.
    public var description: String {
        dateAndTime + "Z"
    }

    /// RFC 3339 in the local time that is `offsetSeconds` ahead of UTC: `2024-10-27T01:30:00+01:00`.
    ///
    /// RFC 3339 has offsets of whole minutes and years of four digits. An offset such as +00:19:32 is
    /// rounded down to minutes, and the local time with it; the instant stays exact. Local times
    /// outside the years 1 to 9999 are written in UTC.
    public func description(offsetSeconds: Int) -> String {
        let minutes = Int(floor(Int64(offsetSeconds), by: 60))
        let local = Timestamp(microseconds: microseconds + Int64(minutes) * 60_000_000)
        guard Self.representable.contains(local) else { return dateAndTime + "+00:00" }
        let sign = minutes < 0 ? "-" : "+"
        let size = abs(minutes)
        return local.dateAndTime + "\(sign)\(padded(size / 60, 2)):\(padded(size % 60, 2))"
    }

    /// RFC 3339 in the local time of a zone.
    public func description(in offsets: ZoneOffsets) -> String {
        description(offsetSeconds: offsets.offsetSeconds(at: self))
    }

    private var dateAndTime: String {
        let seconds = floor(microseconds, by: 1_000_000)
        let days = floor(seconds, by: 86_400)
        let time = Int(seconds - days * 86_400)
        let fraction = microseconds - seconds * 1_000_000
        return "\(CivilDate(daysSince1970: days))T"
            + "\(padded(time / 3600, 2)):\(padded(time / 60 % 60, 2)):\(padded(time % 60, 2))"
            + (fraction == 0 ? "" : ".\(padded(Int(fraction), 6))")
    }

    /// Parses RFC 3339 with an offset; nil for anything else and for years after 9999.
    ///
    /// Digits beyond the microsecond are truncated, so that rounding never moves a record into the
    /// next day. Second 60, a leap second, is second 0 of the next minute, as in PostgreSQL.
    public init?(_ text: String) {
        let fast = text.utf8.withContiguousStorageIfAvailable { Self.microseconds($0) }
        guard let microseconds = fast ?? Self.microseconds(Array(text.utf8)) else { return nil }
        self.init(microseconds: microseconds)
        guard Self.representable.contains(self) else { return nil }
    }

    private static func microseconds<Bytes: RandomAccessCollection<UInt8>>(_ text: Bytes) -> Int64?
    where Bytes.Index == Int {
        var scanner = DateScanner(text)
        guard let year = scanner.number(4), scanner.skip("-"),
            let month = scanner.number(2), scanner.skip("-"),
            let day = scanner.number(2),
            scanner.skip("T") || scanner.skip("t") || scanner.skip(" "),
            let hour = scanner.number(2), hour < 24, scanner.skip(":"),
            let minute = scanner.number(2), minute < 60, scanner.skip(":"),
            let second = scanner.number(2), second <= 60,
            let fraction = scanner.fraction(), let offset = scanner.offset(), scanner.isAtEnd,
            let date = CivilDate(year: year, month: month, day: day)
        else { return nil }
        let time = hour * 3600 + minute * 60 + second - offset
        return (date.daysSince1970 * 86_400 + Int64(time)) * 1_000_000 + Int64(fraction)
    }
}

/// Parses the parts of a timestamp from left to right.
struct DateScanner<Bytes: RandomAccessCollection<UInt8>> where Bytes.Index == Int {
    private let bytes: Bytes
    private var next: Int

    /// Begins at the start of `bytes`.
    init(_ bytes: Bytes) {
        self.bytes = bytes
        next = bytes.startIndex
    }

    var isAtEnd: Bool { next == bytes.endIndex }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard !isAtEnd, bytes[next] == UInt8(ascii: character) else { return false }
        next += 1
        return true
    }

    /// A number of exactly `width` digits.
    mutating func number(_ width: Int) -> Int? {
        guard bytes.endIndex - next >= width else { return nil }
        var number = 0
        for byte in bytes[next..<next + width] {
            guard isDigit(byte) else { return nil }
            number = number * 10 + Int(byte - 0x30)
        }
        next += width
        return number
    }

    /// Microseconds; 0 without a fraction, nil for a point without digits.
    mutating func fraction() -> Int? {
        guard skip(".") else { return 0 }
        let digits = bytes[next...].prefix { isDigit($0) }
        guard (1...9).contains(digits.count) else { return nil }
        next = digits.endIndex
        var fraction = 0
        for position in 0..<6 {
            let digit =
                position < digits.count ? Int(digits[digits.startIndex + position] - 0x30) : 0
            fraction = fraction * 10 + digit
        }
        return fraction
    }

    /// Seconds east of UTC.
    mutating func offset() -> Int? {
        if skip("Z") || skip("z") { return 0 }
        let isEast = skip("+")
        guard isEast || skip("-"), let hours = number(2), hours < 24, skip(":"),
            let minutes = number(2), minutes < 60
        else { return nil }
        return (hours * 3600 + minutes * 60) * (isEast ? 1 : -1)
    }
}
