/// An entry of the price list.
public struct CreditRate: Sendable, CustomStringConvertible {
    /// The time from which it applies; nil for the first one, which covers all of the past.
    public let effectiveFrom: Timestamp?
    /// How tokens are counted.
    public let tokenizer: String
    /// The price of 100 tokens.
    public let creditsPer100Tokens: Credits
    /// The least that a message costs.
    public let minimum: Credits
    /// How many records were priced by it.
    public let recordCount: Int64

    /// The range of a price and a minimum; the table `credit_rate` has the same constraints.
    public static let creditsRange = Credits(hundredths: 0)...Credits(hundredths: 1_000_000_000)

    /// Makes an entry; without `effectiveFrom` it is the first one.
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
            + ": \(creditsPer100Tokens) credits for 100 tokens, at least \(minimum), "
            + "tokens by \(tokenizer)"
    }
}
