/// A price of tokens, in hundredths of a credit per million tokens.
public struct TokenPrice: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Hundredths of a credit per million tokens.
    public let hundredthsPerMillion: Int64

    /// The range of prices; the table `credit_rate` has the same constraints.
    public static let range =
        TokenPrice(hundredthsPerMillion: 0)...TokenPrice(hundredthsPerMillion: 10_000_000_000_000)

    /// Makes the price.
    public init(hundredthsPerMillion: Int64) { self.hundredthsPerMillion = hundredthsPerMillion }

    /// Parses the credits for 100 or a million tokens, such as `38.50`; nil if they are negative, not a
    /// number, or not a whole number of hundredths per million.
    public init?(_ text: String, per tokens: Int) {
        guard let price = scaled(text[...], decimals: tokens == 100 ? 6 : 2) else { return nil }
        self.init(hundredthsPerMillion: price)
    }

    /// Orders by price.
    public static func < (left: TokenPrice, right: TokenPrice) -> Bool {
        left.hundredthsPerMillion < right.hundredthsPerMillion
    }

    /// The credits per million tokens with two decimals: `1500.00`.
    public var description: String { Credits(hundredths: hundredthsPerMillion).description }

    /// The credits per 100 tokens, exact, with at least two decimals: `40.00`, `0.0015`.
    public var creditsPer100Tokens: String { decimal(Int128(hundredthsPerMillion), decimals: 6) }

    /// The exact credits of `tokens`, with at least two decimals.
    public func credits(ofTokens tokens: Int64) -> String {
        decimal(Int128(tokens) * Int128(hundredthsPerMillion), decimals: 8)
    }
}

/// The price of each kind of token.
public struct TokenPrices: Hashable, Sendable {
    /// The price of input tokens that were not cached.
    public let input: TokenPrice
    /// The price of output tokens.
    public let output: TokenPrice
    /// The price of input tokens that were read from a cache.
    public let cacheRead: TokenPrice
    /// The price of input tokens that were written to a cache.
    public let cacheCreation: TokenPrice

    /// Makes the prices.
    public init(
        input: TokenPrice, output: TokenPrice, cacheRead: TokenPrice, cacheCreation: TokenPrice
    ) {
        self.input = input
        self.output = output
        self.cacheRead = cacheRead
        self.cacheCreation = cacheCreation
    }

    /// One price for tokens of every kind.
    public init(all price: TokenPrice) {
        self.init(input: price, output: price, cacheRead: price, cacheCreation: price)
    }

    /// The price of every kind; nil if the kinds differ.
    public var single: TokenPrice? { self == TokenPrices(all: input) ? input : nil }
}

/// `value` divided by ten to the power of `decimals`, exact, with at least two decimals; not negative.
private func decimal(_ value: Int128, decimals: Int) -> String {
    let digits = String(value)
    let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
    var fraction = padded.suffix(decimals)
    while fraction.count > 2, fraction.last == "0" { fraction.removeLast() }
    return "\(padded.dropLast(decimals)).\(fraction)"
}
