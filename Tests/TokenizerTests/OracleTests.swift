import Foundation
import TestSupport
import Testing

@testable import Tokenizer

@Suite(.timeLimit(.minutes(3))) struct `Beside tiktoken` {
    private static func python(_ script: String, _ arguments: [String] = []) throws -> String {
        let outcome = try Program.run(
            Repository.path(".build/test-tools/bin/python"),
            ["-B", Repository.path("Tests/tokenizer/\(script).py")] + arguments)
        guard outcome.status == 0 else { throw OracleFault(reason: outcome.errors) }
        return outcome.output
    }

    /// The folder of what `oracle.py` writes.
    private static let answers = Result {
        let folder = TemporaryFolder.shared.file("oracle")
        _ = try python("oracle", [Vocabularies.folder.get(), folder.path])
        return folder
    }

    @Test func `the classes of all scalars are the same`() throws {
        let made = try Self.python("classes")
        let file = Repository.path("Sources/Tokenizer/ScalarClasses.swift")
        #expect(try made == String(contentsOfFile: file, encoding: .utf8))
    }

    @Test(arguments: ["scalars", "corpus", "mixtures", "long pieces", "runs"])
    func `the tokens are the same`(kind: String) throws {
        var answers = try Answers(Self.answers.get().appendingPathComponent(kind))
        let encodings =
            kind == "mixtures" ? TokenEncoding.allCases : [.cl100kBase, .o200kBase]
        let tokenizers = try encodings.map(Vocabularies.tokenizer)
        var texts = 0
        var tokens = 0
        var faults = 0
        while let text = answers.nextText() {
            texts += 1
            for tokenizer in tokenizers {
                let expected = answers.nextTokens()
                let encoded = tokenizer.encode(text)
                tokens += encoded.count
                // Counting goes the same way: it is enough to see that for some of the many.
                let count = texts % 16 == 0 ? tokenizer.count(text) : expected.count
                if encoded == expected, count == expected.count { continue }
                faults += 1
                if faults > 5 { continue }
                Issue.record(
                    "\(tokenizer.encoding): \(text.debugDescription.prefix(300)) is \(expected.prefix(60)), not \(encoded.prefix(60))"
                )
            }
        }
        #expect(faults == 0)
        #expect(texts > 200)
        print("measured: \(kind): \(tokens) tokens of \(texts) texts are those of tiktoken")
    }
}

/// A file of `oracle.py`.
private struct Answers {
    private let data: Data
    private var position = 0

    init(_ file: URL) throws { data = try Data(contentsOf: file, options: .alwaysMapped) }

    /// The next text; nil at the end.
    mutating func nextText() -> String? {
        guard position < data.count else { return nil }
        return String(decoding: take(number()), as: UTF8.self)
    }

    /// The tokens that come next.
    mutating func nextTokens() -> [UInt32] {
        let bytes = take(4 * number())
        return [UInt32](unsafeUninitializedCapacity: bytes.count / 4) { buffer, count in
            count = bytes.copyBytes(to: buffer) / 4
        }
    }

    private mutating func number() -> Int {
        Int(take(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
    }

    private mutating func take(_ count: Int) -> Data {
        position += count
        return data[position - count..<position]
    }
}
