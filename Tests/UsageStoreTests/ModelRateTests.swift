import Foundation
import Postgres
import TestSupport
import Testing
import Usage
import UsageStore

/// Rates for models and kinds of tokens, in the database.
@Suite(.timeLimit(.minutes(2))) struct `A rate for models` {
    private let database: Database

    init() throws { database = try Database() }

    private func fault(_ script: String) -> PostgresError? {
        do {
            try database.run(script)
            return nil
        } catch {
            return error as? PostgresError
        }
    }

    private func add(_ model: String?, _ from: String, _ prices: String = "1, 1, 1, 1, 0")
        -> String?
    {
        let error = fault(
            """
            INSERT INTO credit_rate (model, effective_from, tokenizer, input_price, output_price,
                cache_read_price, cache_creation_price, minimum_hundredths)
            VALUES (\(model.map { "'\($0)'" } ?? "NULL"), \(from), 'characters', \(prices))
            """)
        return error.map { $0.constraint ?? $0.state }
    }

    private func record(_ id: Int, _ model: String, _ time: String, _ more: String = "") -> String?
    {
        let error = fault(
            """
            INSERT INTO usage_record (message_id, "timestamp", attribution_id, input_tokens\(
                more.isEmpty ? "" : ", output_tokens, cache_read_input_tokens, cache_creation_input_tokens"))
            VALUES (\(id), \(time), usage_attribution(NULL, NULL, '\(model)', NULL), 2000\(more))
            """)
        return error.map { $0.constraint ?? $0.state }
    }

    @Test func `begins after the records that it matches, even where another rate applies`() throws
    {
        #expect(add("gpt-5", "'2020-01-01Z'") == nil)
        #expect(record(1, "gpt-5", "'2024-06-01Z'") == nil)
        #expect(record(2, "claude", "'2025-06-01Z'") == nil)
        #expect(add("gpt*", "'2024-06-01Z'") == "23001")
        #expect(add("*", "'2025-06-01Z'") == "23001")
        #expect(add(nil, "'2025-01-01Z'") == "23001")
        #expect(add("gpt*", "'2024-06-01T00:00:00.000001Z'") == nil)
        #expect(add("o3", "'2001-01-01Z'") == nil)
        #expect(add("*", "'2025-06-01T00:00:00.000001Z'") == nil)
        #expect(try database.value("SELECT count(*) FROM usage_record") == "2")
    }

    @Test func `keeps the order of time for the same models only`() {
        #expect(add("gpt*", "'2024-01-01Z'") == nil)
        #expect(add("gpt*", "'2024-01-01Z'") == "23001")
        #expect(add("gpt*", "'2023-01-01Z'") == "23001")
        #expect(add("gpt-5*", "'2023-01-01Z'") == nil)
        #expect(add("gpt*", "'2025-01-01Z'") == nil)
        #expect(fault("UPDATE credit_rate SET model = 'x'")?.state == "23001")
    }

    @Test(arguments: [
        ("''", "1, 1, 1, 1, 0", "credit_rate_model_check"),
        ("repeat('x', 201)", "1, 1, 1, 1, 0", "credit_rate_model_check"),
        (#"E'a\nb'"#, "1, 1, 1, 1, 0", "credit_rate_model_check"),
        ("'x'", "-1, 1, 1, 1, 0", "credit_rate_input_price_check"),
        ("'x'", "1, 10000000000001, 1, 1, 0", "credit_rate_output_price_check"),
        ("'x'", "1, 1, -1, 1, 0", "credit_rate_cache_read_price_check"),
        ("'x'", "1, 1, 1, 10000000000001, 0", "credit_rate_cache_creation_price_check"),
        ("'x'", "1, 1, 1, 1, -1", "credit_rate_minimum_hundredths_check"),
    ])
    func `has valid models and prices`(model: String, prices: String, constraint: String) {
        let error = fault(
            """
            INSERT INTO credit_rate (effective_from, tokenizer, model, input_price, output_price,
                cache_read_price, cache_creation_price, minimum_hundredths)
            VALUES ('2024-01-01Z', 'characters', \(model), \(prices))
            """)
        #expect(error?.constraint == constraint)
    }

    @Test func `prices plain SQL by its model and the kinds of its tokens, or refuses it`() throws {
        #expect(add("gpt*", "'2024-01-01Z'", "150000, 600000, 15000, 187500, 100") == nil)
        #expect(add("dear", "'2024-01-01Z'", "10000000000000, 1, 1, 1, 0") == nil)
        #expect(record(1, "gpt-5", "'2024-02-01Z'", ", 305, 800, NULL") == nil)
        #expect(record(2, "gpt-5", "'2023-02-01Z'", ", 305, 800, NULL") == nil)
        #expect(record(3, "gpt-5", "'2024-02-01Z'", ", NULL, 1, 1") == nil)
        #expect(record(4, "dear", "'2024-02-01Z'") == nil)
        #expect(
            try database.psql(
                """
                SELECT message_id, credit_hundredths, model FROM usage_record
                JOIN credit_rate USING (credit_rate_id) ORDER BY message_id
                """) == "1|375|gpt*\n2|92200|\n3|300|gpt*\n4|20000000000|dear")
        // 2^53 hundredths are the most that JavaScript reads exactly.
        #expect(record(5, "dear", "'2024-02-01Z'", " + 900719923, NULL, NULL, NULL") != nil)
        #expect(
            fault(
                """
                INSERT INTO usage_record (attribution_id, "timestamp", message_text)
                VALUES (99, now(), 'x')
                """)?.message == "there is no attribution 99")
    }

    @Test func `is the same in Swift and in SQL for every model and time`() throws {
        var random = SystemRandomNumberGenerator()
        let patterns = ["*", "g*", "gpt*", "gpt-5*", "gpt-5", "é*", "e\u{301}*", "é", "a*b", "😀*"]
        let models = [
            "", "g", "gpt", "gpt-5", "gpt-5-mini", "é", "e\u{301}", "éa", "a*b", "axb", "😀x",
        ]
        try database.run("SET session_replication_role = replica")
        for pattern in patterns {
            for hour in 0..<24 where random.next() % 6 == 0 {
                #expect(
                    add(pattern, "timestamptz '2024-01-01Z' + \(hour) * interval '1 hour'") == nil)
            }
        }
        let rates = try database.store().creditRates()
        let begin: Int64 = 1_704_067_200_000_000
        for hour in -1..<25 {
            let time = Timestamp(microseconds: begin + Int64(hour) * 3_600_000_000)
            let found = models.map { model in
                rates.inForce(at: time, model: model).map {
                    "\($0.model ?? "")|\($0.effectiveFrom?.description ?? "")"
                } ?? "none"
            }
            let expected = try database.psql(
                """
                SELECT coalesce(rate.model, ''), CASE WHEN isfinite(effective_from) THEN to_char(
                    effective_from AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END
                FROM unnest(ARRAY[\(models.map { "'\($0)'" }.joined(separator: ", "))])
                    WITH ORDINALITY AS used(model, number),
                    LATERAL credit_rate_at('\(time)', used.model) AS rate ORDER BY number
                """)
            #expect(
                found.map { Array($0.utf8) }
                    == expected.split(separator: "\n").map { Array($0.utf8) })
        }
    }

    @Test func `leaves the formula of texts as it was for older programs`() throws {
        #expect(
            try database.value(
                """
                SELECT count(*) FROM generate_series(0, 2000) AS n, (VALUES (0), (1), (100)) AS minimum(least)
                WHERE usage_credits(n, NULL, 'characters', 199, least)
                        <> greatest(least, (n * 199 + 200) / 400)
                    OR usage_credits(n, n, 'o200k_base', 150, least)
                        <> greatest(least, (n * 150 + 50) / 100)
                """) == "0")
    }
}
