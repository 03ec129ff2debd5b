/// An exact amount of credits, counted in hundredths.
///
/// The SQL function `usage_credits` is the only place that calculates the credits of a message.
public struct Credits: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Hundredths of a credit.
    public let hundredths: Int64

    /// Makes the amount of `hundredths`.
    public init(hundredths: Int64) { self.hundredths = hundredths }

    /// Parses a decimal number with at most two decimals, such as `15.6`; nil otherwise, and if the
    /// hundredths exceed 64 bits.
    public init?(_ text: String) {
        let isNegative = text.hasPrefix("-")
        let parts = text.dropFirst(isNegative ? 1 : 0)
            .split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let decimals = parts.count == 2 ? parts[1] : "0"
        let digits = parts[0] + decimals
        guard (1...20).contains(parts[0].utf8.count), (1...2).contains(decimals.utf8.count),
            digits.utf8.allSatisfy(isDigit),
            let value = Int64(decimals.utf8.count == 2 ? digits : digits + "0")
        else { return nil }
        hundredths = isNegative ? -value : value
    }

    /// Orders by amount.
    public static func < (left: Credits, right: Credits) -> Bool {
        left.hundredths < right.hundredths
    }

    /// The amount with exactly two decimals: `15.60`.
    public var description: String {
        let (whole, rest) = hundredths.magnitude.quotientAndRemainder(dividingBy: 100)
        return "\(hundredths < 0 ? "-" : "")\(whole).\(rest < 10 ? "0" : "")\(rest)"
    }
}

func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
