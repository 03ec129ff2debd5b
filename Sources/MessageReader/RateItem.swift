public import Encoding
public import Usage

/// A rate at the beginning of an export.
public struct RateItem {
    /// The rate; nil if it has faults.
    public private(set) var rate: CreditRate?

    /// The number by which the messages of the file refer to it.
    public private(set) var number: Int64?

    /// The faults.
    public private(set) var faults: [MessageFault] = []

    /// The members that are written.
    public static let members =
        ["rate", "effective_from", "model", "tokenizer"] + prices + ["minimum"]

    /// The members that may be read: also the one price of older exports.
    public static let allowed = members + [singlePrice]

    /// The members that every rate has.
    public static let required = ["rate", "tokenizer", "minimum"]

    /// The members that are amounts.
    public static let numbers = prices + [singlePrice, "minimum"]

    /// The members that are strings.
    public static let texts = ["effective_from", "model", "tokenizer"]

    private static let prices = [
        "input_credits_per_million_tokens", "output_credits_per_million_tokens",
        "cache_read_credits_per_million_tokens", "cache_creation_credits_per_million_tokens",
    ]
    private static let singlePrice = "credits_per_100_tokens"
    private static let list = allowed.joined(separator: ", ")

    /// Whether `item` is a rate, and not a message.
    public static func isRate(_ item: JSONItem) -> Bool {
        if case .object(let members) = item {
            members[prices[0]] != nil || members[singlePrice] != nil
        } else {
            false
        }
    }

    /// The values of `members` for a rate, as text.
    public static func values(of rate: CreditRate, number: Int?) -> [String?] {
        [number.map(String.init), rate.effectiveFrom?.description, rate.model, rate.tokenizer]
            + [
                rate.prices.input, rate.prices.output, rate.prices.cacheRead,
                rate.prices.cacheCreation,
            ].map(\.description) + [rate.minimum.description]
    }

    /// Reads `item`.
    public init(_ item: JSONItem) {
        guard case .object(let members) = item else {
            faults = [MessageFault("", .notAnObject, "A rate must be a JSON object.")]
            return
        }
        var reader = MemberReader(members)
        number = reader.read("rate") { $0.integer("rate", $1) }
        let from = reader.read("effective_from") { $0.timestamp("effective_from", $1) }
        let model = reader.read("model") { $0.string("model", $1) }
        let tokenizer = reader.read("tokenizer") { $0.string("tokenizer", $1) }
        let prices = reader.prices(Self.prices, single: Self.singlePrice)
        let minimum = reader.read("minimum") { $0.credits("minimum", $1) }
        let names = members.names
        reader.refuse(
            repeated: Self.allowed.filter { name in names.count { $0 == name } > 1 },
            unknown: Set(names).subtracting(Self.allowed), Self.list)
        reader.require(Self.required)
        if let model { reader.faults += UsageRecord.Column.model.faults(model) }
        if let minimum, !CreditRate.minimumRange.contains(minimum) {
            reader.fault("minimum", .outOfRange, "minimum must be from 0 to 10000000.")
        }
        faults = reader.faults
        guard faults.isEmpty, let tokenizer, let prices, let minimum else { return }
        rate = CreditRate(
            effectiveFrom: from, model: model, tokenizer: tokenizer, prices: prices,
            minimum: minimum)
    }
}

extension MemberReader {
    /// The value of a member; nil for `null` and for an absent member.
    fileprivate mutating func read<Value>(
        _ name: String, _ body: (inout MemberReader, JSONValue) -> Value?
    ) -> Value? {
        guard let value = members[name], value != .null else { return nil }
        return body(&self, value)
    }

    /// The prices of the kinds of tokens; an older export has one price of 100 tokens.
    fileprivate mutating func prices(_ names: [String], single: String) -> TokenPrices? {
        let prices = names.map { price($0, perMillion: 1) }
        let all = price(single, perMillion: 10_000)
        if prices.allSatisfy({ $0 == nil }), let all { return TokenPrices(all: all) }
        require(names)
        if all != nil {
            fault(single, .unknownMember, "\(single) is only for rates without prices by kind.")
        }
        guard let input = prices[0], let output = prices[1], let cacheRead = prices[2],
            let cacheCreation = prices[3]
        else { return nil }
        return TokenPrices(
            input: input, output: output, cacheRead: cacheRead, cacheCreation: cacheCreation)
    }

    /// The price of that name, in credits for a number of tokens of which a million has `perMillion`.
    private mutating func price(_ name: String, perMillion: Int64) -> TokenPrice? {
        guard let credits = read(name, { $0.credits(name, $1) }) else { return nil }
        let most = TokenPrice.range.upperBound.hundredthsPerMillion / perMillion
        guard credits.hundredths <= most else {
            fault(name, .outOfRange, "\(name) must be from 0 to \(most / 100).")
            return nil
        }
        return TokenPrice(hundredthsPerMillion: credits.hundredths * perMillion)
    }
}
