/// A decimal number, exact for 64-bit integers: `318.0` and `3.18e2` are 318.
public struct JSONNumber: Equatable, Sendable {
    private var isNegative = false

    /// The digits from the first to the last that is not 0, as a number; meaningless when `isLong`.
    private var significand: UInt64 = 0

    /// The power of ten that the significand is multiplied by.
    private var exponent = 0

    /// Whether there are more digits than any 64-bit integer has.
    private var isLong = false

    private static let digitLimit = 19

    /// A number as a 64-bit integer.
    public enum Integer: Equatable, Sendable {
        /// It fits.
        case exact(Int64)
        /// It is not an integer.
        case fraction
        /// It does not fit.
        case outOfRange
    }

    /// A number too large for any integer type.
    static let huge = JSONNumber("1e400") ?? JSONNumber()

    private init() {}

    /// Parses a JSON number, also with a leading plus sign or leading zeros; nil for other text.
    public init?(_ text: String) { self.init(bytes: text.utf8) }

    /// The number multiplied by ten to the power of `decimals`.
    public func integer(decimals: Int = 0) -> Integer {
        guard significand != 0 else { return .exact(0) }
        let power = exponent + decimals
        guard power >= 0 else { return .fraction }
        guard !isLong, power < Self.digitLimit else { return .outOfRange }
        var magnitude = significand
        for _ in 0..<power {
            let (product, overflows) = magnitude.multipliedReportingOverflow(by: 10)
            if overflows { return .outOfRange }
            magnitude = product
        }
        if isNegative {
            guard magnitude <= Int64.min.magnitude else { return .outOfRange }
            return .exact(Int64(truncatingIfNeeded: 0 &- magnitude))
        }
        return Int64(exactly: magnitude).map { .exact($0) } ?? .outOfRange
    }
}

extension JSONNumber {
    /// Reads UTF-8.
    init?(bytes: some Sequence<UInt8>) {
        var bytes = bytes.makeIterator()
        var next = bytes.next()
        isNegative = next == UInt8(ascii: "-")
        if isNegative || next == UInt8(ascii: "+") { next = bytes.next() }
        var digits = Digits()
        guard digits.take(&next, &bytes) > 0 else { return nil }
        if next == UInt8(ascii: ".") {
            next = bytes.next()
            let decimals = digits.take(&next, &bytes)
            guard decimals > 0 else { return nil }
            exponent = -decimals
        }
        exponent += digits.zeros
        if let mark = next, mark | 0x20 == UInt8(ascii: "e") {
            next = bytes.next()
            guard let power = Self.power(&next, &bytes) else { return nil }
            exponent += power
        }
        guard next == nil else { return nil }
        significand = digits.significand
        isLong = digits.isLong
    }

    /// The digits of a number before its exponent.
    private struct Digits {
        var significand: UInt64 = 0
        var isLong = false

        /// The zeros after the last other digit.
        var zeros = 0

        private var count = 0

        /// Takes digits up to the first other byte; returns how many.
        mutating func take<Bytes: IteratorProtocol<UInt8>>(
            _ next: inout UInt8?, _ bytes: inout Bytes
        ) -> Int {
            var taken = 0
            while let byte = next, byte &- 0x30 < 10 {
                append(byte &- 0x30)
                taken += 1
                next = bytes.next()
            }
            return taken
        }

        private mutating func append(_ digit: UInt8) {
            guard digit != 0 else {
                if count > 0 { zeros += 1 }
                return
            }
            count += zeros + 1
            if count > JSONNumber.digitLimit {
                isLong = true
            } else {
                for _ in 0...zeros { significand &*= 10 }
                significand &+= UInt64(digit)
            }
            zeros = 0
        }
    }

    /// Takes an exponent; a very large one is clamped.
    private static func power<Bytes: IteratorProtocol<UInt8>>(
        _ next: inout UInt8?, _ bytes: inout Bytes
    ) -> Int? {
        let isNegative = next == UInt8(ascii: "-")
        if isNegative || next == UInt8(ascii: "+") { next = bytes.next() }
        guard next != nil else { return nil }
        var power = 0
        while let byte = next, byte &- 0x30 < 10 {
            power = min(power * 10 + Int(byte &- 0x30), 1 << 50)
            next = bytes.next()
        }
        return isNegative ? -power : power
    }
}
