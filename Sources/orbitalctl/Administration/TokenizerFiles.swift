import ArgumentParser
import Configuration
import Foundation
import Tokenizer
import UsageStore

/// Prepares the vocabularies of exact tokenizers.
struct TokenizerFiles: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizers",
        abstract: "Prepares the vocabularies of exact tokenizers.",
        subcommands: [Prepare.self])

    struct Prepare: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes files from which a vocabulary loads in about a millisecond.",
            discussion: """
                For each NAME.tiktoken, the published file of an encoding, NAME.prepared is written \
                beside it, unless it is there already. It saves each CGI request 50 ms.
                """)

        @Argument(help: "Where the vocabularies are. (default: TOKENIZER_DIRECTORY)")
        var directory: String?

        func run() throws {
            try reporting {
                let directory = try self.directory ?? Settings.administrators().tokenizerDirectory
                let tokenizers = Tokenizers(directory: directory)
                for encoding in TokenEncoding.allCases {
                    if try tokenizers.tokenizer(encoding).isPrepared { continue }
                    let path = "\(directory)/\(encoding.rawValue).prepared"
                    // Written beside the old one, then renamed: a responder may have mapped it.
                    let file = try OutputFile(path: path, newMode: 0o644)
                    try file.write(try Tokenizer.prepared(encoding, directory: directory))
                    try file.close()
                    print("prepared \(path)")
                }
            }
        }
    }
}

extension TokenizerUnavailable {
    /// What an administrator can do.
    var remedy: String {
        "run: deploy/tokenizers \(directory), in a clone of the repository; the package and the "
            + "images include the vocabularies"
    }
}
