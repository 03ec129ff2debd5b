import Foundation
import TestSupport
import Testing

/// Texts at three rates: "hello world" has 11 characters and 2 tokens, "don't stop" 10 and 2.
@Suite(.timeLimit(.minutes(2))) struct `orbitalctl drift` {
    private let database: Database

    init() throws {
        database = try Database()
        // 40.00 credits for 100 tokens, at least 1.00; 10.00 from 2022; 20.00 for gpt-5.
        try database.run(
            """
            \(insertRates("('2022-01-01Z', 'o200k_base', 1000, 1)"));
            INSERT INTO credit_rate (effective_from, model, tokenizer, input_price, output_price,
                cache_read_price, cache_creation_price, minimum_hundredths)
            VALUES ('2022-01-01Z', 'gpt-5*', 'cl100k_base', 20000000, 20000000, 20000000, 20000000, 1);
            INSERT INTO usage_record (message_id, "timestamp", report_name, message_text,
                character_count, input_tokens, attribution_id, credit_hundredths)
            VALUES
                -- By characters: 2.75 tokens, 1.10; by 2 tokens 0.80, hence the minimum.
                (1, '2021-06-01Z', 'A', 'hello world', NULL, NULL, usage_attribution('ann', NULL, NULL, NULL), NULL),
                -- 0.55 and 0.40.
                (2, '2022-06-01Z', 'A', 'hello world', NULL, NULL, usage_attribution('ann', NULL, 'gpt-5-mini', NULL), NULL),
                -- 0.25 and 0.20; the writer's own credits do not matter.
                (3, '2022-06-01Z', NULL, 'don''t stop', NULL, NULL, usage_attribution('bob', NULL, NULL, NULL), 7),
                (4, '2022-06-01Z', 'B', NULL, 11, NULL, NULL, NULL),
                (5, '2022-06-01Z', 'B', 'hello world', NULL, 5, NULL, NULL),
                -- Outside the range by its zone, but not in UTC.
                (6, '2022-06-30T23:00:00Z', 'A', 'hello world', NULL, NULL, NULL, NULL);
            """)
    }

    private func drift(_ arguments: String...) throws -> Program.Outcome {
        try Program.run(
            Repository.program("orbitalctl"),
            ["drift", "--from", "2021-01-01", "--to", "2022-07-01", "--tz", "Europe/London"]
                + arguments,
            environment: ["DATABASE_URL": database.url, "CONFIG_ENV": "test"])
    }

    @Test func `compares tokens and credits of users, and sums up those beyond the limit`() throws {
        let revision = try database.value("SELECT usage_revision()")
        let drift = try drift("--by", "user", "--groups", "1")
        #expect(
            drift.output == """
                Texts from 2021-01-01T00:00:00Z to 2022-06-30T23:00:00Z, counted by the tokenizer of each rate (o200k_base if it counts characters).
                Left out: 1 record without text, 1 with reported tokens.

                user     records  characters  characters / 4  exact tokens  difference  credits by / 4  exact credits  difference
                ann            2          22            5.50             4    -27.27 %            1.65           1.40    -15.15 %
                1 other        1          10            2.50             2    -20.00 %            0.25           0.20    -20.00 %
                total          3          32            8.00             6    -25.00 %            1.90           1.60    -15.79 %

                By exact counts there are 25.00 % fewer tokens than by characters / 4, and 15.79 % fewer credits.

                """, "\(drift.errors)")
        #expect(drift.status == 0)
        #expect(try database.value("SELECT usage_revision()") == revision)
    }

    @Test(arguments: [
        (
            "report",
            #"{"name":"A","records":2,"characters":22,"estimated_tokens":5.50,"exact_tokens":4,"tokens_difference_percent":-27.27,"estimated_credits":1.65,"exact_credits":1.40,"credits_difference_percent":-15.15},{"name":null,"records":1,"characters":10,"estimated_tokens":2.50,"exact_tokens":2,"tokens_difference_percent":-20.00,"estimated_credits":0.25,"exact_credits":0.20,"credits_difference_percent":-20.00}"#
        ),
        (
            "model",
            #"{"name":null,"records":2,"characters":21,"estimated_tokens":5.25,"exact_tokens":4,"tokens_difference_percent":-23.81,"estimated_credits":1.35,"exact_credits":1.20,"credits_difference_percent":-11.11},{"name":"gpt-5-mini","records":1,"characters":11,"estimated_tokens":2.75,"exact_tokens":2,"tokens_difference_percent":-27.27,"estimated_credits":0.55,"exact_credits":0.40,"credits_difference_percent":-27.27}"#
        ),
    ])
    func `prints the sums as JSON`(group: String, groups: String) throws {
        let total =
            #""records":3,"characters":32,"estimated_tokens":8.00,"exact_tokens":6,"tokens_difference_percent":-25.00,"estimated_credits":1.90,"exact_credits":1.60,"credits_difference_percent":-15.79"#
        let none =
            #""records":0,"characters":0,"estimated_tokens":0.00,"exact_tokens":0,"tokens_difference_percent":null,"estimated_credits":0.00,"exact_credits":0.00,"credits_difference_percent":null"#
        let begin =
            #"{"from":"2021-01-01T00:00:00Z","to":"2022-06-30T23:00:00Z","without_text":1,"with_reported_tokens":1,"total":{\#(total)}"#
        #expect(try drift("--json").output == begin + "}\n")
        #expect(
            try drift("--json", "--by", group).output
                == #"\#(begin),"by":"\#(group)","groups":[\#(groups)],"others":{"groups":0,\#(none)}}"#
                + "\n")
    }

    @Test func `keeps names apart that Swift compares as equal, and cuts long ones`() throws {
        try database.run(
            """
            TRUNCATE usage_record;
            INSERT INTO usage_record ("timestamp", report_name, message_text) VALUES
                ('2022-06-01Z', U&'caf\\00e9', repeat('x', 12)), ('2022-06-01Z', U&'cafe\\0301', repeat('x', 8)),
                ('2022-06-01Z', repeat('long ', 9), repeat('x', 4))
            """)
        let lines = try drift("--by", "report").output.split(separator: "\n")
            .map { $0.split(separator: "  ").map { $0.trimmingCharacters(in: .whitespaces) } }
        #expect(lines[3...5].map { $0[2] } == ["12", "8", "4"], "\(lines)")
        #expect(lines[5][0] == "long long long long long long long long…", "\(lines)")
    }

    @Test func `counts by the given tokenizer, in batches, and names faults of the command line`()
        throws
    {
        try database.run(
            """
            TRUNCATE usage_record;
            INSERT INTO usage_record ("timestamp", message_text)
            SELECT '2022-06-01Z'::timestamptz + n % 3 * interval '1 s', 'don''t stop'
            FROM generate_series(1, 2500) AS n
            """)
        let tokens = try ["cl100k_base", "o200k_base", "o200k_harmony"].map { name in
            let output = try drift("--json", "--tokenizer", name).output
            #expect(output.contains(#""tokenizer":"\#(name)","#) && output.contains(":2500,"))
            return try #require(output.firstMatch(of: /"exact_tokens":(\d+),/)?.1)
        }
        #expect(tokens == ["7500", "5000", "5000"])
        #expect(try drift("--tz", "europe/london").errors.contains("Did you mean Europe/London?"))
        for fault in [["--tokenizer", "p50k_base"], ["--by", "team"], ["--groups", "0"]] {
            #expect(try drift(fault[0], fault[1]).status == 64)
        }
        #expect(try drift("--to", "2020-01-01").status == 64)
    }
}
