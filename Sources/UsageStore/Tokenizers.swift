import Synchronization
public import Tokenizer
import Usage

/// The exact tokenizers, each read from its file when it is first needed.
public final class Tokenizers: Sendable {
    private let directory: String
    private let loaded = Mutex<[TokenEncoding: Tokenizer]>([:])

    /// Makes them of the files in `directory`, such as `o200k_base.tiktoken`.
    public init(directory: String) { self.directory = directory }

    /// What the tokenizer counts in `text`; throws `TokenizerUnavailable` when its file cannot be read.
    public func count(_ text: String, by encoding: TokenEncoding) throws -> Int64 {
        Int64(try tokenizer(encoding).count(text))
    }

    /// The tokenizer; throws `TokenizerUnavailable` when its file cannot be read.
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
                    description: "the price list wants tokens by \(encoding.rawValue), but \(error)"
                )
            }
        }
    }
}

/// A tokenizer that the price list names is not installed, so that its time has no price yet.
public struct TokenizerUnavailable: Error, CustomStringConvertible {
    /// The cause, for operators.
    public let description: String
}
