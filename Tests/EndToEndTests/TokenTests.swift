import Foundation
import TestSupport
import Testing
import Tokenizer
import UsageStore

/// Prices that count tokens exactly: the texts below are 2, 5 and 2 tokens by o200k_base.
@Suite(.timeLimit(.minutes(2))) struct `A price by exact tokens` {
    private let site: Site
    private let key: String

    init() throws {
        site = try Site()
        key = try site.database.key()
    }

    private func post(_ body: String, _ path: String = "/usage") throws -> Site.Answer {
        try site.curl(
            path,
            [
                "-H", "Authorization: Bearer \(key)", "-H", "Content-Type: application/json",
                "-d", body,
            ])
    }

    /// Adds a price of 10.00 credits for 100 tokens, at least 0.01.
    private func add(_ tokenizer: String, from: String) throws {
        try site.database.run(
            """
            \(insertRates("('\(from)', '\(tokenizer)', 1000, 1)"))
            """)
    }

    private func orbitalctl(_ arguments: String..., input: String = "") throws -> Program.Outcome {
        try Program.run(
            Repository.program("orbitalctl"), arguments,
            environment: ["DATABASE_URL": site.database.url, "CONFIG_ENV": "test"], input: input)
    }

    private static let messages = [
        #"{"message_id":1,"timestamp":"2019-06-01T00:00:00Z","message_text":"hello world"}"#,
        #"{"message_id":2,"timestamp":"2022-06-01T00:00:00Z","message_text":"hello world"}"#,
        #"{"message_id":3,"timestamp":"2023-06-01T00:00:00Z","message_text":"hello world"}"#,
        #"{"message_text":"What is the rent?"}"#,
        #"{"message_id":4,"message_text":"don't stop"}"#,
    ]

    @Test func `is applied to its time, and receipts and verify show it`() throws {
        defer { site.stop() }
        // The responder knows the price list as it was when this comes.
        #expect(
            try post(#"{"message_id":9,"timestamp":"2018-01-01T00:00:00Z","message_text":"x"}"#)
                .status == 201)
        try add("o200k_base", from: "2022-01-01Z")
        try add("cl100k_base", from: "2023-01-01Z")
        try add("o200k_base", from: "2024-01-01Z")
        let list = "[" + Self.messages.joined(separator: ",") + "]"
        let credits = ["1.10", "0.20", "0.20", "0.50", "0.20"]
        let estimates = try post(list, "/usage/estimate").body
        let answer = try post(list).body
        for (index, credits) in credits.enumerated() {
            #expect(
                estimates.contains(
                    #"{"index":\#(index),"status":"estimated","credits_used":\#(credits),"#),
                "\(estimates)")
            #expect(
                answer.contains(
                    try Regex(
                        #"\{"index":\#(index),"message_id":\d+,"status":"created","credits_used":\#(credits)\}"#
                    )), "\(answer)")
        }
        #expect(answer.hasPrefix(#"{"created":5,"#))
        #expect(try post(Self.messages[1]).body.contains(#""status":"duplicate""#))
        #expect(
            try site.curl("/usage/2").body.hasSuffix(
                #""receipt":{"characters":11,"tokens":2.00,"tokenizer":"o200k_base","credits_per_100_tokens":10.00,"calculated":0.20,"minimum":0.01,"minimum_applied":false,"rate_effective_from":"2022-01-01T00:00:00Z"}}"#
            ))
        #expect(
            try site.database.psql(
                """
                SELECT message_id, token_count, token_encoding FROM usage_record
                WHERE message_id IN (1, 2, 3, 4) ORDER BY message_id
                """) == "1||\n2|2|o200k_base\n3|2|cl100k_base\n4|2|o200k_base")
        #expect(
            try orbitalctl("verify").output == "verified 6 records, 3.20 credits: 0 differences\n")
        try site.database.run(
            "UPDATE usage_record SET token_count = 3, credit_hundredths = 30 WHERE message_id = 2")
        let found = try orbitalctl("verify")
        #expect(found.status == 1)
        #expect(
            (found.output + found.errors).contains(
                "message 2: 3 tokens recorded, its text has 2"))
    }

    @Test func `by o200k_harmony is that by o200k_base, in every entry point`() throws {
        defer { site.stop() }
        let added = try orbitalctl(
            "rates", "add", "--tokenizer", "o200k_harmony", "--credits-per-100-tokens", "10",
            "--minimum", "0.01", "--effective-from", "2022-01-01")
        #expect(added.status == 0, "\(added.errors)")
        // The text of a special token is text.
        let message =
            #"{"message_id":5,"timestamp":"2022-06-01T00:00:00Z","message_text":"<|channel|>hi"}"#
        let estimate = try post(message, "/usage/estimate").body
        #expect(estimate.contains(#""tokens":6.00,"tokenizer":"o200k_harmony""#), "\(estimate)")
        #expect(try post(message).body.contains(#""credits_used":0.60"#))
        #expect(try site.curl("/usage/5").body.contains(#""tokenizer":"o200k_harmony""#))
        #expect(try orbitalctl("import", "-", input: Self.messages[2]).status == 0)
        try site.database.run(
            """
            INSERT INTO usage_record (message_id, "timestamp", message_text)
            VALUES (6, '2022-06-01Z', 'hello world')
            """)
        #expect(try orbitalctl("recount").output.hasPrefix("recounted 1 record, 0.28 credits"))
        #expect(
            try site.database.psql(
                """
                SELECT message_id, token_count, token_encoding FROM usage_record ORDER BY 1
                """) == "3|2|o200k_harmony\n5|6|o200k_harmony\n6|2|o200k_harmony")
        let copy = try Database()
        let file = TemporaryFolder.shared.file("harmony.ndjson").path
        #expect(try orbitalctl("export", "-o", file).status == 0)
        let imported = try Program.run(
            Repository.program("orbitalctl"), ["import", file],
            environment: ["DATABASE_URL": copy.url, "CONFIG_ENV": "test"])
        #expect(imported.output.hasPrefix("created 3,"), "\(imported.errors)")
        #expect(try copy.psql("SELECT sum(token_count) FROM usage_record") == "10")
        #expect(
            try orbitalctl("verify").output == "verified 3 records, 1.00 credits: 0 differences\n")
    }

    @Test func `by o200k_harmony needs no second vocabulary`() throws {
        defer { site.stop() }
        let folder = TemporaryFolder.shared.file("vocabularies")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for name in ["cl100k_base.tiktoken", "o200k_base.tiktoken"] {
            try FileManager.default.createSymbolicLink(
                atPath: folder.appendingPathComponent(name).path,
                withDestinationPath: Repository.path(".run/tokenizers/\(name)"))
        }
        #expect(try orbitalctl("tokenizers", "prepare", folder.path).status == 0)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == [
                "cl100k_base.prepared", "cl100k_base.tiktoken", "o200k_base.prepared",
                "o200k_base.tiktoken",
            ])
        let tokenizers = Tokenizers(directory: folder.path)
        #expect(
            try tokenizers.tokenizer(.o200kHarmony) === tokenizers.tokenizer(.o200kBase))
    }

    @Test func `prices what is imported`() throws {
        defer { site.stop() }
        try add("o200k_base", from: "2022-01-01Z")
        let imported = try orbitalctl(
            "import", "-", "--rejects", TemporaryFolder.shared.file("rejected").path,
            input: Self.messages[0...2].joined(separator: "\n"))
        #expect(
            imported.output == "created 3, duplicates 0, conflicts 0, invalid 0\n",
            "\(imported.errors)")
        #expect(
            try site.database.psql(
                "SELECT token_count, credit_hundredths FROM usage_record ORDER BY message_id")
                == "|110\n2|20\n2|20")
        #expect(try orbitalctl("verify").status == 0)
    }
}
