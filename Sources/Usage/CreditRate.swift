/// A rate: one entry of the price list.
public struct CreditRate: Sendable, CustomStringConvertible {
    /// When it begins; nil for the first rate, which covers all of the past.
    public let effectiveFrom: Timestamp?
    /// The model, or a prefix that ends in `*`; nil for every record.
    public let model: String?
    /// How tokens of texts are counted.
    public let tokenizer: String
    /// The prices of tokens.
    public let prices: TokenPrices
    /// The minimum for a message.
    public let minimum: Credits
    /// How many records were priced by it.
    public let recordCount: Int64

    /// The range of minimums; the table `credit_rate` has the same constraint.
    public static let minimumRange = Credits(hundredths: 0)...Credits(hundredths: 1_000_000_000)

    /// Makes a rate; without `effectiveFrom`, it is the first one.
    public init(
        effectiveFrom: Timestamp?, model: String? = nil, tokenizer: String, prices: TokenPrices,
        minimum: Credits, recordCount: Int64 = 0
    ) {
        self.effectiveFrom = effectiveFrom
        self.model = model
        self.tokenizer = tokenizer
        self.prices = prices
        self.minimum = minimum
        self.recordCount = recordCount
    }

    /// Whether both have the same terms, ignoring `recordCount`.
    public func hasTerms(of other: CreditRate) -> Bool {
        hasKey(of: other) && tokenizer == other.tokenizer && prices == other.prices
            && minimum == other.minimum
    }

    /// Whether both are for the same models and begin at the same time; a price list has each of
    /// these once.
    public func hasKey(of other: CreditRate) -> Bool {
        effectiveFrom == other.effectiveFrom && hasModel(of: other)
    }

    /// Whether both are for the same models.
    public func hasModel(of other: CreditRate) -> Bool {
        model.map { Array($0.utf8) } == other.model.map { Array($0.utf8) }
    }

    /// The prices and other terms, without the models and the beginning.
    public var terms: String {
        let prices =
            if let price = self.prices.single {
                "\(price.creditsPer100Tokens) credits per 100 tokens"
            } else {
                "input \(self.prices.input), output \(self.prices.output), cache read "
                    + "\(self.prices.cacheRead), cache creation \(self.prices.cacheCreation) "
                    + "credits per million tokens"
            }
        return "\(prices), minimum \(minimum), tokenizer \(tokenizer)"
    }

    /// The terms in one line.
    public var description: String {
        (model.map { "\($0) " } ?? "")
            + (effectiveFrom.map { "from \($0)" } ?? "from the beginning")
            + ": \(terms)"
    }
}

/// Which rate is in force, as the SQL functions `credit_rate_at` and `credit_rate_matches` decide.
extension CreditRate {
    /// Whether it is for messages of `model`, which is empty if they have none.
    public func matches(_ model: String) -> Bool {
        guard let pattern = self.model?.utf8 else { return true }
        if model.isEmpty { return false }
        return isPrefix
            ? model.utf8.starts(with: pattern.dropLast()) : model.utf8.elementsEqual(pattern)
    }

    /// Whether it has begun at `time`.
    public func hasBegun(at time: Timestamp) -> Bool { effectiveFrom.map { $0 <= time } ?? true }

    /// Whether it begins later than `other`.
    public func begins(after other: CreditRate) -> Bool {
        guard let from = effectiveFrom else { return false }
        return other.effectiveFrom.map { $0 < from } ?? true
    }

    /// Whether its model is a prefix.
    public var isPrefix: Bool { model?.utf8.last == UInt8(ascii: "*") }

    /// Of the rates that match, the highest rank applies: exact before prefix, longer before shorter.
    private var rank: Int {
        guard let model else { return -1 }
        return isPrefix ? model.utf8.count - 1 : .max
    }

    /// Whether it applies and not `other`, if both match and have begun.
    fileprivate func precedes(_ other: CreditRate) -> Bool {
        rank == other.rank ? begins(after: other) : rank > other.rank
    }
}

extension Sequence<CreditRate> {
    /// The rate in force at `time` for `model`, which is empty for messages without one.
    public func inForce(at time: Timestamp, model: String) -> CreditRate? {
        lazy.filter { $0.hasBegun(at: time) && $0.matches(model) }.min { $0.precedes($1) }
    }

    /// The rates that have begun and match; the one in force comes first.
    public func candidates(at time: Timestamp, model: String) -> [CreditRate] {
        filter { $0.hasBegun(at: time) && $0.matches(model) }.sorted { $0.precedes($1) }
    }
}
