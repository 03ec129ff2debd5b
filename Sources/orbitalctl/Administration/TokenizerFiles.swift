import ArgumentParser
import Configuration
import Tokenizer
import UsageStore

/// Prepares tokenizer vocabularies.
struct TokenizerFiles: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizers",
        abstract: "Prepares tokenizer vocabularies.",
        subcommands: [Prepare.self])

    struct Prepare: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes prepared vocabularies, which load in about a millisecond.",
            discussion: """
                For each NAME.tiktoken, the published file of an encoding, writes NAME.prepared beside \
                it, unless it exists. This saves 50 ms for each CGI request that counts tokens.
                """)

        @Argument(help: "The directory of the vocabularies. (default: TOKENIZER_DIRECTORY)")
        var directory: String?

        func run() throws {
            let directory = try self.directory ?? Settings.administrators().tokenizerDirectory
            let tokenizers = Tokenizers(directory: directory)
            for encoding in TokenEncoding.allCases where encoding == encoding.base {
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

extension TokenizerUnavailable {
    /// The remedy, for administrators.
    var remedy: String {
        "run: deploy/tokenizers \(directory), in a clone of the repository; the package and the "
            + "images include the vocabularies"
    }
}
