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

    /// Its members; all are required, except the first rate's `effective_from`.
    public static let members = [
        "rate", "effective_from", "tokenizer", "credits_per_100_tokens", "minimum",
    ]

    /// The members that are amounts.
    public static let numbers = ["credits_per_100_tokens", "minimum"]

    private static let required = members.filter { $0 != "effective_from" }
    private static let list = members.joined(separator: ", ")

    /// Whether `item` is a rate, and not a message.
    public static func isRate(_ item: JSONItem) -> Bool {
        if case .object(let members) = item {
            members["credits_per_100_tokens"] != nil
        } else {
            false
        }
    }

    /// Reads `item`.
    public init(_ item: JSONItem) {
        guard case .object(let members) = item else {
            faults = [MessageFault("", .notAnObject, "A rate must be a JSON object.")]
            return
        }
        var reader = MemberReader(members)
        number = reader.integer("rate")
        let from = reader.timestamp("effective_from")
        let tokenizer = reader.string("tokenizer")
        let price = reader.credits("credits_per_100_tokens")
        let minimum = reader.credits("minimum")
        reader.refuseNames(allowed: Self.members, Self.list)
        reader.require(Self.required)
        for (name, credits) in [("credits_per_100_tokens", price), ("minimum", minimum)] {
            if let credits, !CreditRate.creditsRange.contains(credits) {
                reader.fault(name, .outOfRange, "\(name) must be from 0 to 10000000.")
            }
        }
        faults = reader.faults
        guard faults.isEmpty, let tokenizer, let price, let minimum else { return }
        rate = CreditRate(
            effectiveFrom: from, tokenizer: tokenizer, creditsPer100Tokens: price,
            minimum: minimum)
    }
}
