import Synchronization
public import Tokenizer
import Usage

/// The exact tokenizers, each loaded from its file when it is first needed.
public final class Tokenizers: Sendable {
    private let directory: String
    private let loaded = Mutex<[TokenEncoding: Tokenizer]>([:])

    /// Makes them of the files in `directory`, such as `o200k_base.tiktoken`, or prepared ones.
    public init(directory: String) { self.directory = directory }

    /// What the tokenizer counts in `text`; throws `TokenizerUnavailable` when it cannot be loaded.
    public func count(_ text: String, by encoding: TokenEncoding) throws -> Int64 {
        Int64(try tokenizer(encoding).count(text))
    }

    /// The tokenizer; throws `TokenizerUnavailable` when it cannot be loaded.
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

/// The vocabulary of a tokenizer that the price list names cannot be loaded, so that texts of its
/// time have no price yet.
public struct TokenizerUnavailable: Error, CustomStringConvertible {
    /// The tokenizer's name.
    public let tokenizer: String

    /// Where its vocabulary should be.
    public let directory: String

    /// What is wrong with the vocabulary, with its path.
    public let reason: String

    /// The cause, for operators.
    public var description: String {
        "the price list needs the tokenizer \(tokenizer), but \(reason)"
    }
}
