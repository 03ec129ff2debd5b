public import Tokenizer
import Threads
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
            if let tokenizer = loaded[encoding] { return tokenizer }
            do {
                let tokenizer = try Tokenizer(encoding, directory: directory)
                loaded[encoding] = tokenizer
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
