/// An exact amount of credits, counted in hundredths.
///
/// The SQL function `usage_credits` is the only place that calculates the credits of a message.
public struct Credits: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Hundredths of a credit.
    public let hundredths: Int64

    /// The largest amount of a record: JavaScript rounds integers above 2^53.
    public static let largest = Credits(hundredths: 1 << 53)

    /// Makes the amount of `hundredths`.
    public init(hundredths: Int64) { self.hundredths = hundredths }

    /// Parses a decimal number with at most two decimals, such as `15.6`; nil otherwise, and if the
    /// hundredths exceed 64 bits.
    public init?(_ text: String) {
        let isNegative = text.hasPrefix("-")
        guard let value = scaled(text.dropFirst(isNegative ? 1 : 0), decimals: 2) else {
            return nil
        }
        hundredths = isNegative ? -value : value
    }

    /// Orders by amount.
    public static func < (left: Credits, right: Credits) -> Bool {
        left.hundredths < right.hundredths
    }

    /// The amount with exactly two decimals: `15.60`.
    public var description: String { Self.text(hundredths: hundredths) }

    /// An amount, which may be a sum beyond 64 bits, with exactly two decimals.
    public static func text(hundredths: some FixedWidthInteger) -> String {
        let (whole, rest) = hundredths.magnitude.quotientAndRemainder(dividingBy: 100)
        return "\(hundredths < 0 ? "-" : "")\(whole).\(rest < 10 ? "0" : "")\(rest)"
    }
}

/// The decimal number `text` without its point and with `decimals` decimals: 1560 for `15.6` and 2.
///
/// Nil if it has a sign or more decimals, is not a number, or exceeds 64 bits.
func scaled(_ text: Substring, decimals: Int) -> Int64? {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let fraction = parts.count == 2 ? parts[1] : "0"
    guard (1...20).contains(parts[0].utf8.count), (1...decimals).contains(fraction.utf8.count),
        (parts[0] + fraction).utf8.allSatisfy(isDigit)
    else { return nil }
    return Int64(
        parts[0] + fraction + String(repeating: "0", count: decimals - fraction.utf8.count))
}

func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
