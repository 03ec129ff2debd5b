import Foundation
import TestSupport
import Testing

@testable import Tokenizer

@Suite struct `A tokenizer` {
    @Test(
        arguments: [
            ("", [], []),
            ("What is the rent?", [3923, 374, 279, 8175, 30], [4827, 382, 290, 9462, 30]),
            // Only o200k keeps a contraction with its word.
            (
                "I'll  say:\n\n  don't", [40, 3358, 220, 2019, 1473, 220, 1541, 956],
                [67504, 220, 2891, 1402, 220, 4128]
            ),
            ("HTTPServer's", [9412, 5592, 596], [17893, 6444, 885]),
            ("1234567", [4513, 10961, 22], [7633, 19354, 22]),
            ("x \n ", [87, 720, 220], [87, 793, 220]),
            // A token may end inside a character.
            (
                "日本語のテキスト", [9080, 22656, 45918, 252, 16144, 57933, 62903, 71634],
                [9048, 40909, 3385, 16056, 18368, 38236]
            ),
            // The names of special tokens are text.
            ("<|endoftext|>", [27, 91, 8862, 728, 428, 91, 29], [27, 91, 419, 1440, 919, 91, 29]),
        ] as [(String, [UInt32], [UInt32])])
    func `cuts text into the tokens of its encoding`(
        text: String, cl100k: [UInt32], o200k: [UInt32]
    ) throws {
        for (encoding, tokens) in [(TokenEncoding.cl100kBase, cl100k), (.o200kBase, o200k)] {
            let tokenizer = try Vocabularies.tokenizer(encoding)
            #expect(tokenizer.encode(text) == tokens)
            #expect(tokenizer.count(text) == tokens.count)
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: TokenEncoding.allCases)
    func `counts a text that is one long piece in little time`(encoding: TokenEncoding) throws {
        let tokenizer = try Vocabularies.tokenizer(encoding)
        // The longest run of the letter that both know has eight.
        #expect(tokenizer.count(String(repeating: "a", count: 80_000)) == 10_000)
    }

    @Test(arguments: TokenEncoding.allCases)
    func `merges a long piece in windows as it does at once`(encoding: TokenEncoding) throws {
        let vocabulary = try Vocabularies.tokenizer(encoding).vocabulary
        var state: UInt32 = 1
        func text(_ letters: String) -> String {
            let letters = Array(letters)
            return String(
                (0..<3000).map { _ in
                    state = state &* 1_664_525 &+ 1_013_904_223
                    return letters[Int(state >> 16) % letters.count]
                })
        }
        func ends(_ text: ByteText, window: Int) -> [Int] {
            var merger = LongPieceMerger(text, vocabulary, window: window)
            var ends: [Int] = []
            merger.forEachPart(of: 0..<text.count) { ends.append($0.upperBound) }
            return ends
        }
        for letters in [
            "a", "ab", "abc", "etaoin", "abcdefghijklmnopqrstuvwxyz", " ", "рас", "的中文",
        ] {
            withBytes(of: text(letters)) { text in
                let atOnce = ends(text, window: text.count)
                for window in [16, 24, 64, 256] { #expect(ends(text, window: window) == atOnce) }
            }
        }
    }

    @Test func `refuses a file that is missing, or is not the published one`() throws {
        let folder = TemporaryFolder.shared.file("vocabulary")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = folder.appendingPathComponent("cl100k_base.tiktoken")
        func reason() throws -> String? {
            do throws(TokenizerError) {
                _ = try Tokenizer(.cl100kBase, directory: folder.path)
                return nil
            } catch {
                #expect(error.description == "\(file.path) \(error.reason)")
                return error.reason
            }
        }
        #expect(try reason() == "cannot be opened: No such file or directory")
        var bytes = try Data(contentsOf: Vocabularies.file(.cl100kBase))
        try bytes.write(to: file)
        #expect(try reason() == nil)
        bytes[1_000_000] ^= 1
        try bytes.write(to: file)
        #expect(try reason() == "is not the published cl100k_base")
        try bytes.dropLast().write(to: file)
        #expect(try reason() == "has less than 1681126 bytes")
        try Data(contentsOf: Vocabularies.file(.o200kBase)).write(to: file)
        #expect(try reason() == "has more than 1681126 bytes")
    }
}
