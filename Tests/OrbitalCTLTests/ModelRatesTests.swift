import Foundation
import TestSupport
import Testing

/// Rates for models and kinds of tokens, as the administrator adds and lists them.
@Suite(.timeLimit(.minutes(2))) struct `orbitalctl rates for models` {
    private func run(_ database: Database, _ arguments: String...) throws -> Program.Outcome {
        try Program.run(
            Repository.program("orbitalctl"), arguments,
            environment: ["DATABASE_URL": database.url, "CONFIG_ENV": "test"])
    }

    private func add(_ database: Database, _ words: String) throws -> Program.Outcome {
        try Program.run(
            Repository.program("orbitalctl"),
            ["rates", "add"] + words.split(separator: " ").map(String.init),
            environment: ["DATABASE_URL": database.url, "CONFIG_ENV": "test"])
    }

    @Test
    func `prices models, lists the rates in force and later ones, and says which one applies`()
        throws
    {
        let database = try Database()
        let added = try [
            "--model gpt-5* --input 1500.00 --output 6000.00 --cache-read 150.00 --cache-creation 1875.00 --per 1000000 --effective-from 2026-01-01",
            "--model gpt-5-mini --input 0.05 --output 0.2 --per 100 --minimum 0.01 --effective-from 2026-01-01",
            "--model gpt* --credits-per-100-tokens 50 --effective-from 2025-01-01",
            "--model gpt* --credits-per-100-tokens 0.0015 --effective-from 2026-02-01",
            "--credits-per-100-tokens 41 --effective-from 2999-01-01",
        ].map { try add(database, $0) }
        #expect(added.map(\.errors) == Array(repeating: "", count: 5))
        let first =
            "from the beginning: 40.00 credits per 100 tokens, minimum 1.00, tokenizer characters"
        let old =
            "gpt* from 2025-01-01T00:00:00Z: 50.00 credits per 100 tokens, minimum 1.00, tokenizer characters"
        let mini =
            "gpt-5-mini from 2026-01-01T00:00:00Z: input 500.00, output 2000.00, cache read 500.00, cache creation 500.00 credits per million tokens, minimum 0.01, tokenizer characters"
        let large =
            "gpt-5* from 2026-01-01T00:00:00Z: input 1500.00, output 6000.00, cache read 150.00, cache creation 1875.00 credits per million tokens, minimum 1.00, tokenizer characters"
        let new =
            "gpt* from 2026-02-01T00:00:00Z: 0.0015 credits per 100 tokens, minimum 1.00, tokenizer characters"
        let later =
            "from 2999-01-01T00:00:00Z: 41.00 credits per 100 tokens, minimum 1.00, tokenizer characters"
        #expect(added.map(\.output) == [large, mini, old, new, later].map { "new rate: \($0)\n" })
        func lines(_ rates: [String]) -> String { rates.map { $0 + "; 0 records\n" }.joined() }
        #expect(
            try run(database, "rates", "list").output == lines([first, large, mini, new, later]))
        #expect(
            try run(database, "rates", "list", "--all").output
                == lines([first, old, large, mini, new, later]))
        #expect(
            try run(database, "rates", "show", "--model", "gpt-5-mini", "--at", "2026-03-01").output
                == """
                applies: \(mini)
                does not apply (the exact model comes first): \(large)
                does not apply (the exact model comes first): \(new)
                does not apply (the exact model comes first): \(old)
                does not apply (a rate with a model comes first): \(first)

                """)
        #expect(
            try run(database, "rates", "show", "--model", "gpt-5-nano", "--at", "2026-01-01").output
                == """
                applies: \(large)
                does not apply (a longer prefix comes first): \(old)
                does not apply (a rate with a model comes first): \(first)

                """)
        #expect(
            try run(database, "rates", "show", "--model", "gpt-4").output == """
                applies: \(new)
                does not apply (a later rate comes first): \(old)
                does not apply (a rate with a model comes first): \(first)

                """)
        #expect(try run(database, "rates", "show").output == "applies: \(first)\n")
        #expect(try run(database, "rates", "show", "--at", "soon").status == 64)
    }

    @Test(arguments: [
        ("--input 1", "--input and --output are required"),
        ("--output 1", "--input and --output are required"),
        ("--input 1 --output 1 --credits-per-100-tokens 1", "sets all prices"),
        ("--input 1.001 --output 1", "--input 1.001: the price must be from 0 to 100000000000"),
        ("--input 0.0000001 --output 1 --per 100", "at most six decimals"),
        (
            "--input 1 --output 10000001 --per 100",
            "--output 10000001: the price must be from 0 to 10000000 "
        ),
        ("--input 1 --output 1 --cache-read=-1", "--cache-read -1: the price must be from 0"),
        ("--input 1 --output 1 --per 1000", "--per must be 100 or 1000000"),
        ("--input 1 --output 1 --minimum 0.001", "--minimum must be from 0"),
        ("--input 1 --output 1 --model \u{7}", "--model must have 1 to 200 characters"),
    ])
    func `refuses prices that are missing, contradictory or not exact`(
        words: String, reason: String
    )
        throws
    {
        let database = try Database()
        let outcome = try add(database, "--effective-from 2999-01-01 " + words)
        #expect(outcome.status == 64)
        #expect(outcome.errors.contains(reason), "\(outcome.errors)")
        #expect(try database.value("SELECT count(*) FROM credit_rate") == "1")
    }

    @Test func `warns if 1,000 input tokens would cost 0.00`() throws {
        let database = try Database()
        let small = try add(
            database, "--model a --input 4.99 --output 15 --effective-from 2999-01-01")
        #expect(
            small.errors == """
                orbitalctl: 1,000 input tokens cost 0.00499 credits, which is rounded to 0.00; are the prices for --per 1000000 tokens?

                """)
        for price in ["5", "0"] {
            let outcome = try add(
                database,
                "--model m\(price) --input \(price) --output 15 --effective-from 2999-01-01")
            #expect(outcome.status == 0 && outcome.errors == "")
        }
    }

    @Test func `warns if a star that is not at the end of a model looks like a prefix`() throws {
        let database = try Database()
        func errors(_ model: String) throws -> String {
            try add(
                database, "--model \(model) --input 500 --output 500 --effective-from 2999-01-01"
            ).errors
        }
        for model in ["gpt*mini", "*mini", "gpt**"] {
            #expect(
                try errors(model) == """
                    orbitalctl: --model \(model): only a * at the end stands for other characters

                    """)
        }
        for model in ["gpt*", "*", "gpt"] { #expect(try errors(model) == "") }
    }

    @Test func `names the rate that a new one must begin after`() throws {
        let database = try Database()
        let words = "--model gpt* --input 500 --output 900 --effective-from"
        #expect(try add(database, "\(words) 2999-01-02").status == 0)
        for day in ["2999-01-01", "2999-01-02"] {
            let refused = try add(database, "\(words) \(day)")
            #expect(refused.status == 65)
            #expect(
                refused.errors == """
                    orbitalctl: the rate must begin after the last one for the same models: gpt* from 2999-01-02T00:00:00Z: input 500.00, output 900.00, cache read 500.00, cache creation 500.00 credits per million tokens, minimum 1.00, tokenizer characters

                    """)
        }
        try database.run("INSERT INTO usage_record VALUES (1, '2024-01-02Z', NULL, 'x')")
        #expect(
            try add(database, "--credits-per-100-tokens 1 --effective-from 2024-01-02").errors
                == """
                orbitalctl: records are already priced at that time: the newest is of 2024-01-02T00:00:00.000000Z; the rate must begin after it

                """)
    }

    @Test func `reports records with a model that a rate without one has priced`() throws {
        let database = try Database()
        #expect(try !run(database, "check").output.contains("with a model"))
        try database.run(
            """
            INSERT INTO usage_record ("timestamp", message_text, attribution_id)
            VALUES ('2024-01-01Z', 'x', usage_attribution(NULL, NULL, 'gpt-5', NULL)),
                ('2024-01-01Z', 'x', usage_attribution('u', NULL, NULL, NULL)),
                ('2024-01-01Z', 'x', NULL)
            """)
        #expect(
            try add(database, "--model gpt* --input 1 --output 1 --effective-from 2024-01-02")
                .errors.contains("0.001 credits"))
        try database.run(
            """
            INSERT INTO usage_record ("timestamp", message_text, attribution_id)
            VALUES ('2024-01-03Z', 'x', usage_attribution(NULL, NULL, 'gpt-5', NULL))
            """)
        #expect(
            try run(database, "check").output.contains(
                "rates: 1 record with a model, priced by a rate without one; see: orbitalctl rates show --model MODEL\n"
            ))
        #expect(try run(database, "verify").output.hasSuffix(": 0 differences\n"))
    }

    @Test func `counts only texts again, and lists no record ahead that a pattern does not match`()
        throws
    {
        let database = try Database()
        try database.run(
            """
            \(insertRates("('2020-01-01Z', 'o200k_base', 4000, 100)"));
            INSERT INTO usage_record (message_id, "timestamp", message_text, input_tokens)
            VALUES (1, '2024-01-01Z', 'hello, world', 1000), (2, '2024-01-01Z', 'hello, world', NULL),
                (3, '2024-01-01Z', NULL, 5)
            """)
        let before = try run(database, "verify").output
        #expect(before.hasSuffix(": 0 differences; 1 record is an estimate\n"), "\(before)")
        #expect(try run(database, "recount").output.hasPrefix("recounted 1 record, "))
        let after = try run(database, "verify").output
        #expect(after.hasSuffix(": 0 differences\n"), "\(after)")
        #expect(
            try database.psql(
                "SELECT token_count, credit_hundredths FROM usage_record ORDER BY message_id")
                == "|40000\n3|120\n|200")
        try database.replicate("(9, '9998-01-01Z', 'x', 100, 1)")
        let added = try add(
            database, "--model gpt* --input 50 --output 50 --effective-from 2999-01-01")
        #expect(added.output.hasPrefix("new rate: gpt* from "), "\(added.errors)")
        #expect(!added.output.contains("dated"), "\(added.output)")
        #expect(try database.value("SELECT count(*) FROM record_dated_ahead") == "0")
    }
}
