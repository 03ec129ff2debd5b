/// A published vocabulary with its way to cut text into pieces, named as OpenAI's tiktoken names it.
public enum TokenEncoding: String, CaseIterable, Sendable {
    /// The encoding of GPT-3.5 and GPT-4; 100,256 tokens.
    case cl100kBase = "cl100k_base"
    /// The encoding of GPT-4o and its successors; 199,998 tokens.
    case o200kBase = "o200k_base"

    /// The published file: its bytes, its tokens, and FNV-1a of it in 64 bits.
    var file: (size: Int, tokens: Int, checksum: UInt64) {
        switch self {
        case .cl100kBase: (1_681_126, 100_256, 0x3565_51a9_06b1_fdee)
        case .o200kBase: (3_613_922, 199_998, 0xe9b0_d703_0f3d_eddc)
        }
    }

    /// The size and the `VocabularyTables.checksum` of what `Tokenizer.prepared` returns for it.
    ///
    /// Both change with the layout of the tables, so that no version reads another version's files.
    var tables: (size: Int, checksum: UInt64) {
        switch self {
        case .cl100kBase: (3_967_616, 0xdac9_41de_3f50_beb7)
        case .o200kBase: (7_530_880, 0x5f30_2379_6a3e_5d5c)
        }
    }
}
