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
