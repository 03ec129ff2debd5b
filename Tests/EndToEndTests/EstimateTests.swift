import Foundation
import Postgres
import TestSupport
import Testing
import UsageStore

/// Records by plain SQL at a price that counts exact tokens: "hello world" is 2 tokens.
@Suite(.timeLimit(.minutes(2))) struct `An estimate` {
    private let site: Site
    private let database: Database

    init() throws {
        site = try Site()
        database = site.database
        try database.run(
            """
            \(insertRates("('2022-01-01Z', 'o200k_base', 1000, 1)"))
            """)
    }

    private func insert(_ ids: String) throws {
        try database.run(
            """
            INSERT INTO usage_record (message_id, "timestamp", message_text, token_count, token_encoding)
            SELECT id, '2022-06-01Z', 'hello world', 1, 'o200k_base' FROM unnest(ARRAY[\(ids)]) AS id
            """)
    }

    private func orbitalctl(_ arguments: String...) throws -> Program.Outcome {
        try Program.run(
            Repository.program("orbitalctl"), arguments,
            environment: ["DATABASE_URL": database.url, "CONFIG_ENV": "test"])
    }

    private func columns() throws -> String {
        try database.psql(
            """
            SELECT message_id, token_count, token_encoding, credit_hundredths, credit_rate_id
            FROM usage_record ORDER BY message_id
            """)
    }

    @Test func `is what plain SQL records at such a price, until recount counts it`() throws {
        defer { site.stop() }
        try insert("1, 2")
        // These are not estimates: a rate by characters, the writer's own credits, an exact count.
        try database.run(
            """
            INSERT INTO usage_record
                (message_id, "timestamp", message_text, token_count, token_encoding, credit_hundredths, credit_rate_id)
            VALUES (3, '2021-06-01Z', 'hello world', NULL, NULL, NULL, NULL),
                (4, '2022-06-01Z', 'hello world', NULL, NULL, 5, NULL),
                (5, '2022-06-01Z', 'hello world', 2, 'o200k_base', 20, 2)
            """)
        #expect(try columns() == "1|||28|2\n2|||28|2\n3|||110|1\n4|||5|\n5|2|o200k_base|20|2")
        #expect(
            try site.curl("/usage/1").body.hasSuffix(
                #""credits_used":0.28,"receipt":{"characters":11,"tokens":2.75,"tokenizer":"characters","credits_per_100_tokens":10.00,"calculated":0.28,"minimum":0.01,"minimum_applied":false,"rate_effective_from":"2022-01-01T00:00:00Z","estimated":true}}"#
            ))
        #expect(try !site.curl("/usage/3").body.contains("estimated"))
        #expect(
            try orbitalctl("verify").output
                == "verified 5 records, 1.91 credits: 0 differences; 1 record not priced by a rate; 2 records are estimates\n"
        )
        let dry = try orbitalctl("recount", "--dry-run")
        #expect(
            dry.output == "would recount 2 records, 0.56 credits now and 0.40 then; 0 skipped\n",
            "\(dry.errors)")
        #expect(try columns().hasPrefix("1|||28|2\n2|||28|2\n"))
        let revision = try database.value("SELECT usage_revision()")
        let counted = try orbitalctl("recount")
        #expect(
            counted.output == "recounted 2 records, 0.56 credits before and 0.40 now; 0 skipped\n",
            "\(counted.errors)")
        #expect(
            try columns()
                == "1|2|o200k_base|20|2\n2|2|o200k_base|20|2\n3|||110|1\n4|||5|\n5|2|o200k_base|20|2"
        )
        #expect(try database.value("SELECT usage_revision()") != revision)
        #expect(
            try site.curl("/usage/1").body.hasSuffix(
                #""tokens":2.00,"tokenizer":"o200k_base","credits_per_100_tokens":10.00,"calculated":0.20,"minimum":0.01,"minimum_applied":false,"rate_effective_from":"2022-01-01T00:00:00Z"}}"#
            ))
        #expect(
            try orbitalctl("recount").output
                == "recounted 0 records, 0.00 credits before and 0.00 now; 0 skipped\n")
        #expect(
            try orbitalctl("verify").output.hasSuffix(
                "0 differences; 1 record not priced by a rate\n"))
    }

    @Test func `is counted at the rate of its model, and remains one without a text`() throws {
        defer { site.stop() }
        try database.run(
            """
            INSERT INTO credit_rate (effective_from, model, tokenizer, input_price, output_price,
                cache_read_price, cache_creation_price, minimum_hundredths)
            VALUES ('2022-01-01Z', 'gpt-5*', 'cl100k_base', 20000000, 20000000, 20000000, 20000000, 1);
            INSERT INTO usage_record (message_id, "timestamp", message_text, character_count, attribution_id)
            VALUES (1, '2022-06-01Z', 'hello world', NULL, usage_attribution('ann', NULL, 'gpt-5-mini', NULL)),
                (2, '2022-06-01Z', 'hello world', NULL, usage_attribution('ann', NULL, 'other', '{"a": "b"}')),
                (3, '2022-06-01Z', NULL, 11, usage_attribution(NULL, NULL, 'gpt-5', NULL))
            """)
        #expect(try columns() == "1|||55|3\n2|||28|2\n3|||55|3")
        let rest = "; 0 skipped; 1 record without text remains an estimate\n"
        #expect(
            try orbitalctl("recount", "--dry-run").output
                == "would recount 2 records, 0.83 credits now and 0.60 then\(rest)")
        #expect(
            try orbitalctl("recount").output
                == "recounted 2 records, 0.83 credits before and 0.60 now\(rest)")
        #expect(try columns() == "1|2|cl100k_base|40|3\n2|2|o200k_base|20|2\n3|||55|3")
        #expect(
            try orbitalctl("verify").output
                == "verified 3 records, 1.15 credits: 0 differences; 1 record is an estimate\n")
    }

    @Test func `is left alone while another transaction changes it, and by a second recount`()
        throws
    {
        defer { site.stop() }
        try insert((1...2500).map(String.init).joined(separator: ","))
        let other = try Connection(url: database.url, applicationName: "t", waitSeconds: 60)
        try other.run(
            """
            BEGIN; DELETE FROM usage_record WHERE message_id = 7;
            UPDATE usage_record SET message_text = 'x' WHERE message_id = 2400
            """)
        let recounts = try (1...2).map { _ in
            try Program(
                Repository.program("orbitalctl"), ["recount"],
                environment: ["DATABASE_URL": database.url, "CONFIG_ENV": "test"])
        }
        #expect(recounts.map { $0.wait() } == [1, 1])
        #expect(
            recounts.allSatisfy {
                $0.output.contains(
                    "; 2 skipped because other transactions are changing them: run it again\n")
            }, "\(recounts.map(\.output))")
        try other.run("COMMIT")
        #expect(
            try database.psql(
                "SELECT token_count, credit_hundredths, count(*) FROM usage_record GROUP BY 1, 2 ORDER BY 3"
            ) == "|28|1\n2|20|2498")
        #expect(
            try orbitalctl("recount").output.hasPrefix(
                "recounted 1 record, 0.28 credits before and 0.10 now;"))
        #expect(try orbitalctl("verify").output.hasSuffix(": 0 differences\n"))
    }

    @Test func `is never what HTTP and import record, though the price list changes meanwhile`()
        throws
    {
        defer { site.stop() }
        let key = try database.key()
        func post(_ id: Int, _ path: String = "/usage") throws -> Site.Answer {
            try site.curl(
                path,
                [
                    "-H", "Authorization: Bearer \(key)", "-H", "Content-Type: application/json",
                    "-d",
                    #"{"message_id":\#(id),"timestamp":"2023-06-01T00:00:00Z","message_text":"hello world"}"#,
                ])
        }
        #expect(try post(1).body.contains(#""credits_used":0.20"#))
        try database.run(
            """
            DELETE FROM usage_record;
            \(insertRates("('2023-01-01Z', 'cl100k_base', 2000, 1)"))
            """)
        // Until now, the responder has counted with o200k_base.
        #expect(try post(2, "/usage/estimate").body.contains(#""tokenizer":"cl100k_base""#))
        #expect(try post(2).body.contains(#""credits_used":0.40"#))
        #expect(try columns() == "2|2|cl100k_base|40|3")
        // While an import runs, no price can be added.
        let running = try MessageImport(
            databaseURL: database.url, keepsCredits: false,
            tokenizers: Tokenizers(directory: Repository.path(".run/tokenizers")))
        #expect(throws: PostgresError.self) {
            try database.run(
                """
                SET lock_timeout = '50ms';
                \(insertRates("('2024-01-01Z', 'characters', 2000, 1)"))
                """)
        }
        withExtendedLifetime(running) {}
    }
}
