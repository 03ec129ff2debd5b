import Foundation
import TestSupport
import Tokenizer

/// The published vocabularies, fetched where they are missing.
enum Vocabularies {
    private static let cl100k = Result { try Tokenizer(.cl100kBase, directory: folder.get()) }
    private static let o200k = Result { try Tokenizer(.o200kBase, directory: folder.get()) }
    private static let harmony = Result { try Tokenizer(.o200kHarmony, directory: folder.get()) }

    static func tokenizer(_ encoding: TokenEncoding) throws -> Tokenizer {
        switch encoding {
        case .cl100kBase: try cl100k.get()
        case .o200kBase: try o200k.get()
        case .o200kHarmony: try harmony.get()
        }
    }

    static func file(_ encoding: TokenEncoding) throws -> URL {
        URL(fileURLWithPath: try folder.get()).appendingPathComponent(
            "\(encoding.rawValue).tiktoken")
    }

    /// Where they are, the usual place.
    static let folder = Result {
        let folder = Repository.path(".run/tokenizers")
        let outcome = try Program.run(Repository.path("deploy/tokenizers"), [folder])
        guard outcome.status == 0 else { throw OracleFault(reason: outcome.errors) }
        return folder
    }
}

/// Why there is nothing to compare with.
struct OracleFault: Error {
    let reason: String
}
