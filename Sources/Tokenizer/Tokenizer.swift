/// Cuts text into the tokens of an encoding, exactly as tiktoken's `encode_ordinary` does.
///
/// The text of a special token, such as `<|endoftext|>`, is text like any other. A tokenizer never
/// changes, so threads may share one; it takes up to 8 MB.
public final class Tokenizer: Sendable {
    /// The encoding whose tokens it counts.
    public let encoding: TokenEncoding

    let vocabulary: Vocabulary

    /// Whether it was mapped from a prepared file: then it loaded within about a millisecond, and
    /// processes share its memory.
    public let isPrepared: Bool

    /// Maps `directory`/NAME.prepared or, if that is missing or of another version, reads
    /// NAME.tiktoken, the published file of the encoding.
    ///
    /// Throws if neither file is readable and intact.
    public init(_ encoding: TokenEncoding, directory: String) throws(TokenizerError) {
        self.encoding = encoding
        let path = "\(directory)/\(encoding.rawValue)"
        if let tables = try? VocabularyTables(mapping: "\(path).prepared", for: encoding) {
            vocabulary = Vocabulary(tables)
            isPrepared = true
        } else {
            vocabulary = try Vocabulary(encoding, path: "\(path).tiktoken")
            isPrepared = false
        }
    }

    /// The content of NAME.prepared; `directory` must have NAME.tiktoken.
    public static func prepared(
        _ encoding: TokenEncoding, directory: String
    ) throws(TokenizerError) -> [UInt8] {
        try Vocabulary(encoding, path: "\(directory)/\(encoding.rawValue).tiktoken")
            .tables.contents
    }

    /// The number of tokens of `text`; 0 for an empty one.
    ///
    /// Whatever stands in the text, it takes a fraction of a microsecond a byte at the most, and
    /// next to no memory.
    public func count(_ text: String) -> Int {
        var count = 0
        forEachToken(text) { _ in count += 1 }
        return count
    }

    /// The tokens of `text`, in its order.
    public func encode(_ text: String) -> [UInt32] {
        var tokens: [UInt32] = []
        forEachToken(text) { tokens.append($0()) }
        return tokens
    }

    /// Calls `body` once a token, with a search for its number, which whoever counts never starts.
    @inline(__always)
    private func forEachToken(_ text: String, _ body: (() -> UInt32) -> Void) {
        withBytes(of: text) { bytes in
            var scanner = PieceScanner(bytes, encoding)
            var merger = ShortPieceMerger()
            while let piece = scanner.next() {
                let token = vocabulary.token(bytes, piece)
                if token != Vocabulary.none {
                    body { token }
                } else if piece.count <= ShortPieceMerger.limit {
                    merger.merge(bytes, piece, vocabulary)
                    merger.forEachPart(of: piece) { part in
                        body { vocabulary.token(bytes, part) }
                    }
                } else {
                    var merger = LongPieceMerger(bytes, vocabulary)
                    merger.forEachPart(of: piece) { part in
                        body { vocabulary.token(bytes, part) }
                    }
                }
            }
        }
    }
}

/// Why a vocabulary cannot be used; for operators.
public struct TokenizerError: Error, CustomStringConvertible {
    /// The file.
    public let path: String

    /// What is wrong with it.
    public let reason: String

    /// The file and what is wrong with it.
    public var description: String { "\(path) \(reason)" }
}
