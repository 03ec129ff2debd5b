import Postgres
import Threads
public import Tokenizer
import Usage

/// The exact tokenizers, each loaded from its file on first use.
public final class Tokenizers: Sendable {
    private let directory: String
    private let loaded = Lock<[TokenEncoding: Tokenizer]>([:])

    /// Loads them from `directory`: published files, such as `o200k_base.tiktoken`, or prepared ones.
    public init(directory: String) { self.directory = directory }

    /// The tokens in `text`; throws `TokenizerUnavailable` if the tokenizer cannot be loaded.
    public func count(_ text: String, by encoding: TokenEncoding) throws -> Int64 {
        Int64(try tokenizer(encoding).count(text))
    }

    /// The tokenizer; throws `TokenizerUnavailable` if it cannot be loaded.
    @discardableResult
    public func tokenizer(_ encoding: TokenEncoding) throws -> Tokenizer {
        try loaded.withLock { loaded in
            if let tokenizer = loaded[encoding.base] { return tokenizer }
            do {
                let tokenizer = try Tokenizer(encoding, directory: directory)
                loaded[encoding.base] = tokenizer
                return tokenizer
            } catch {
                throw TokenizerUnavailable(
                    tokenizer: encoding.rawValue, directory: directory,
                    reason: "\(error)")
            }
        }
    }
}

/// The vocabulary of a tokenizer in the price list cannot be loaded, so messages in the period of
/// that rate cannot be priced.
public struct TokenizerUnavailable: Error, CustomStringConvertible {
    /// The tokenizer's name.
    public let tokenizer: String

    /// The directory of its vocabulary.
    public let directory: String

    /// The fault of the vocabulary, with its path.
    public let reason: String

    /// The cause, for operators.
    public var description: String {
        "the price list requires the tokenizer \(tokenizer), but \(reason)"
    }
}

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
