/// A rate: one entry of the price list.
public struct CreditRate: Sendable, CustomStringConvertible {
    /// When it begins; nil for the first rate, which covers all of the past.
    public let effectiveFrom: Timestamp?
    /// How tokens are counted.
    public let tokenizer: String
    /// The price of 100 tokens.
    public let creditsPer100Tokens: Credits
    /// The minimum for a message.
    public let minimum: Credits
    /// How many records were priced by it.
    public let recordCount: Int64

    /// The range of prices and minimums; the table `credit_rate` has the same constraints.
    public static let creditsRange = Credits(hundredths: 0)...Credits(hundredths: 1_000_000_000)

    /// Makes a rate; without `effectiveFrom`, it is the first one.
    public init(
        effectiveFrom: Timestamp?, tokenizer: String, creditsPer100Tokens: Credits,
        minimum: Credits, recordCount: Int64 = 0
    ) {
        self.effectiveFrom = effectiveFrom
        self.tokenizer = tokenizer
        self.creditsPer100Tokens = creditsPer100Tokens
        self.minimum = minimum
        self.recordCount = recordCount
    }

    /// Whether both have the same terms, ignoring `recordCount`.
    public func hasTerms(of other: CreditRate) -> Bool {
        effectiveFrom == other.effectiveFrom && tokenizer == other.tokenizer
            && creditsPer100Tokens == other.creditsPer100Tokens && minimum == other.minimum
    }

    /// The terms in one line.
    public var description: String {
        (effectiveFrom.map { "from \($0)" } ?? "from the beginning")
            + ": \(creditsPer100Tokens) credits per 100 tokens, minimum \(minimum), "
            + "tokenizer \(tokenizer)"
    }
}
