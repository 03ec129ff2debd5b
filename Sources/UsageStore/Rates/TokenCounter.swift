import Postgres
import Tokenizer
import Usage

/// Counts the tokens of texts if the rate in force at their time requires it.
struct TokenCounter: Sendable {
    /// The rates, newest first; without an encoding if characters are the measure.
    private let rates: [(from: Timestamp?, encoding: TokenEncoding?)]
    private let tokenizers: Tokenizers

    /// Reads the price list.
    init(_ connection: Connection, _ tokenizers: Tokenizers) throws {
        rates = try PriceList(connection).rates.reversed().map {
            ($0.effectiveFrom, TokenEncoding(rawValue: $0.tokenizer))
        }
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
        let encoding = encoding(at: message.timestamp ?? now)
        message.tokenizer = encoding?.rawValue
        message.tokenCount = try encoding.map {
            Int64(try tokenizers.count(message.text ?? "", by: $0))
        }
    }

    /// The tokenizer that the price list requires at a time; nil if it counts characters.
    func encoding(at time: Timestamp) -> TokenEncoding? {
        rates.first { entry in entry.from.map { $0 <= time } ?? true }?.encoding
    }

    /// The tokenizers that the price list requires at any time in a range.
    func encodings(of range: ClosedRange<Timestamp>) -> Set<TokenEncoding> {
        let later = rates.filter { entry in entry.from.map { range.contains($0) } ?? false }
        return Set(
            later.compactMap(\.encoding) + [encoding(at: range.lowerBound)].compactMap(\.self))
    }
}
