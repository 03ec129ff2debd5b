extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC: `2024-01-15T14:30:00Z`, with six fraction digits unless they are zero.
    public var description: String {
        let seconds = floor(microseconds, by: 1_000_000)
        let days = floor(seconds, by: 86_400)
        let date = CivilDate(daysSince1970: days)
        let time = Int(seconds - days * 86_400)
        let fraction = microseconds - seconds * 1_000_000
        return "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))T"
            + "\(padded(time / 3600, 2)):\(padded(time / 60 % 60, 2)):\(padded(time % 60, 2))"
            + (fraction == 0 ? "Z" : ".\(padded(Int(fraction), 6))Z")
    }

    /// Reads RFC 3339, offset included; nil for anything else and for years past 9999.
    ///
    /// Digits beyond the microsecond are cut, so that rounding never moves a record into the next
    /// day. Second 60, a leap second, is the first of the next minute, as PostgreSQL has it.
    public init?(_ text: String) {
        var scanner = Scanner(text.utf8)
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
        self.init(
            microseconds: (date.daysSince1970 * 86_400 + Int64(time)) * 1_000_000 + Int64(fraction))
        guard Self.representable.contains(self) else { return nil }
    }
}

private func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}

/// Takes the parts of a timestamp from the front of a text.
private struct Scanner {
    private var rest: Substring.UTF8View

    init(_ text: String.UTF8View) { rest = text[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skip(_ character: Character) -> Bool {
        guard rest.first == character.asciiValue else { return false }
        rest.removeFirst()
        return true
    }

    /// A number of exactly `width` digits.
    mutating func number(_ width: Int) -> Int? {
        let digits = rest.prefix(width)
        guard digits.count == width, digits.allSatisfy(isDigit) else { return nil }
        rest = rest.dropFirst(width)
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    /// Microseconds; 0 without a fraction, nil for a point without digits.
    mutating func fraction() -> Int? {
        guard skip(".") else { return 0 }
        let digits = rest.prefix { isDigit($0) }
        guard (1...9).contains(digits.count) else { return nil }
        rest = rest.dropFirst(digits.count)
        let padded =
            Array(digits.prefix(6)) + Array(repeating: 0x30, count: max(0, 6 - digits.count))
        return padded.reduce(0) { $0 * 10 + Int($1 - 0x30) }
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
