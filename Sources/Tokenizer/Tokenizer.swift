/// A published vocabulary and its rules for splitting text, named as in OpenAI's tiktoken.
public enum TokenEncoding: String, CaseIterable, Sendable {
    /// The encoding of GPT-3.5 and GPT-4; 100,256 tokens.
    case cl100kBase = "cl100k_base"
    /// The encoding of GPT-4o and its successors; 199,998 tokens.
    case o200kBase = "o200k_base"
    /// The encoding of gpt-oss: as o200k_base, with more special tokens, which ordinary text never has.
    case o200kHarmony = "o200k_harmony"

    /// The encoding whose vocabulary and rules it has.
    public var base: TokenEncoding { self == .o200kHarmony ? .o200kBase : self }

    /// The published file: its bytes, its tokens, and FNV-1a of it in 64 bits.
    var file: (size: Int, tokens: Int, checksum: UInt64) {
        switch self {
        case .cl100kBase: (1_681_126, 100_256, 0x3565_51a9_06b1_fdee)
        case .o200kBase, .o200kHarmony: (3_613_922, 199_998, 0xe9b0_d703_0f3d_eddc)
        }
    }

    /// The size and the `VocabularyTables.checksum` of its `Tokenizer.prepared`.
    ///
    /// Both change with the layout of the tables, so that no version reads another version's files.
    var tables: (size: Int, checksum: UInt64) {
        switch self {
        case .cl100kBase: (3_967_616, 0xdac9_41de_3f50_beb7)
        case .o200kBase, .o200kHarmony: (7_530_880, 0x5f30_2379_6a3e_5d5c)
        }
    }
}

/// Splits text into the tokens of an encoding, exactly as tiktoken's `encode_ordinary` does.
///
/// The text of a special token, such as `<|endoftext|>`, is text like any other. A tokenizer never
/// changes, so threads may share one; it takes up to 8 MB.
public final class Tokenizer: Sendable {
    /// The encoding's `base`.
    public let encoding: TokenEncoding

    let vocabulary: Vocabulary

    /// Whether it was mapped from a prepared file, which loads in about a millisecond and whose memory
    /// processes share.
    public let isPrepared: Bool

    /// Maps `directory`/NAME.prepared or, if that is missing or of another version, reads
    /// NAME.tiktoken, the published file of the encoding's `base`.
    ///
    /// Throws if neither file is readable and intact.
    public init(_ encoding: TokenEncoding, directory: String) throws(TokenizerError) {
        self.encoding = encoding.base
        let path = "\(directory)/\(encoding.base.rawValue)"
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
    /// For any text, takes at most a fraction of a microsecond per byte, and almost no memory.
    public func count(_ text: String) -> Int {
        var count = 0
        forEachToken(text) { _ in count += 1 }
        return count
    }

    /// The tokens of `text`, in order.
    public func encode(_ text: String) -> [UInt32] {
        var tokens: [UInt32] = []
        forEachToken(text) { tokens.append($0()) }
        return tokens
    }

    /// Calls `body` for each token with a closure that looks up its number, which counting never calls.
    @inline(__always)
    private func forEachToken(_ text: String, _ body: (() -> UInt32) -> Void) {
        withBytes(of: text) { bytes in
            var scanner = PieceScanner(bytes, encoding)
            var merger = ShortPieceMerger()
            var merged = 0..<0
            while let piece = scanner.next() {
                let token = vocabulary.token(bytes, piece)
                if token != Vocabulary.none {
                    body { token }
                } else if piece.count <= ShortPieceMerger.limit {
                    // Numbers of some scripts are repeated pieces.
                    if piece.count != merged.count || !bytes.equals(piece, merged.lowerBound) {
                        merger.merge(bytes, piece, vocabulary)
                        merged = piece
                    }
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

    /// The fault.
    public let reason: String

    /// The file and the fault.
    public var description: String { "\(path) \(reason)" }
}
