import Postgres
import Tokenizer
import Usage

/// Counts the tokens of texts if the rate in force at their time requires it.
struct TokenCounter: Sendable {
    private let rates: [CreditRate]
    private let tokenizers: Tokenizers

    /// Reads the price list.
    init(_ connection: Connection, _ tokenizers: Tokenizers) throws {
        rates = try PriceList(connection).rates
        self.tokenizers = tokenizers
    }

    /// Counts the tokens of the messages that are priced by an exact count.
    func count(_ messages: inout [UsageRecord], _ indices: some Sequence<Int>) throws {
        guard rates.contains(where: { $0.encoding != nil }) else { return }
        let now = Timestamp.now
        for index in indices { try count(&messages[index], now: now) }
    }

    /// Counts the tokens of a message, if it is priced by an exact count.
    func count(_ message: inout UsageRecord, now: Timestamp = .now) throws {
        let encoding = encoding(of: message, now: now)
        message.tokenizer = encoding?.rawValue
        message.tokenCount = try encoding.map {
            Int64(try tokenizers.count(message.text ?? "", by: $0))
        }
    }

    /// The tokenizer that must count a message; nil if characters or reported tokens are its measure.
    func encoding(of message: UsageRecord, now: Timestamp = .now) -> TokenEncoding? {
        if message.reportsTokens { return nil }
        return rates.inForce(at: message.timestamp ?? now, model: message.pricedModel)?.encoding
    }

    /// The tokenizers that the price list may require at any time in a range, for any model.
    func encodings(of range: ClosedRange<Timestamp>) -> Set<TokenEncoding> {
        let needed = rates.filter { rate in
            rate.hasBegun(at: range.upperBound)
                && !rates.contains {
                    $0.hasModel(of: rate) && $0.hasBegun(at: range.lowerBound)
                        && $0.begins(after: rate)
                }
        }
        return Set(needed.compactMap(\.encoding))
    }
}

extension CreditRate {
    /// The exact tokenizer; nil if it counts characters.
    fileprivate var encoding: TokenEncoding? { TokenEncoding(rawValue: tokenizer) }
}
