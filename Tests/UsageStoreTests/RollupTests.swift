import Foundation
import Postgres
import TestSupport
import Testing
import UsageStore

@Suite(.timeLimit(.minutes(2))) struct `Rollups` {
    @Test func `plus deltas are the records after every kind of statement`() throws {
        let database = try Database()
        for script in statements {
            try database.run(script)
            #expect(try database.rollupDifferences() == [], "\(script)")
        }
        #expect(try database.value("SELECT count(*) FROM usage_delta") != "0")
        while try database.value("SELECT merge_usage_deltas(7)") != "0" {
            #expect(try database.rollupDifferences() == [])
        }
        #expect(try database.value("SELECT count(*) FROM usage_delta") == "0")
        try database.run("DELETE FROM usage_record")
        try database.merge()
        for table in ["quarter_sum", "attribution_sum", "value_sum", "value"] {
            #expect(try database.value("SELECT count(*) FROM usage_\(table)") == "0", "\(table)")
        }
    }

    private let statements = [
        "SET TIME ZONE 'Asia/Kolkata'",
        addAttributed("1, 300"),
        // Nothing, an existing id, and a new one.
        "INSERT INTO usage_record (\"timestamp\", message_text) SELECT now(), 'x' WHERE false",
        """
        INSERT INTO usage_record (message_id, "timestamp", message_text)
        VALUES (1, now(), 'x'), (1000, now(), 'x') ON CONFLICT DO NOTHING
        """,
        """
        INSERT INTO usage_record (message_id, "timestamp", message_text)
        VALUES (1, now(), 'x'), (1001, now(), 'x')
        ON CONFLICT (message_id) DO UPDATE SET report_name = 'again'
        """,
        """
        COPY usage_record (message_id, "timestamp", message_text)
        FROM PROGRAM 'printf ''2001\\t2024-01-01Z\\tx\\n2002\\t2024-06-01Z\\ty\\n'''
        """,
        "UPDATE usage_record SET \"timestamp\" = \"timestamp\" + interval '40 minutes' WHERE message_id < 50",
        "UPDATE usage_record SET report_name = 'r' || message_id % 3, input_tokens = 400 WHERE message_id < 70",
        "UPDATE usage_record SET attribution_id = NULL WHERE message_id BETWEEN 30 AND 40",
        "UPDATE usage_record SET message_text = NULL, text_digest = NULL WHERE message_id < 0",
        "BEGIN; DELETE FROM usage_record; ROLLBACK",
        "DELETE FROM usage_record WHERE message_id % 5 = 0",
        """
        WITH moved AS (DELETE FROM usage_record WHERE message_id % 7 = 0 RETURNING *)
        INSERT INTO usage_record (message_id, "timestamp", report_name, message_text)
        SELECT message_id + 3000, "timestamp", report_name, 'x' FROM moved
        """,
        """
        MERGE INTO usage_record AS record USING (VALUES (2), (5000)) AS new(id) ON message_id = id
        WHEN MATCHED THEN DELETE
        WHEN NOT MATCHED THEN INSERT (message_id, "timestamp", message_text) VALUES (id, now(), 'm')
        """,
    ]

    @Test func `are written where session_replication_role is replica, too`() throws {
        let database = try Database()
        try database.replicate("(1, '2024-01-01Z', 'x', 100, 1), (2, '1999-12-31Z', 'x', 100, 1)")
        #expect(try database.value("SELECT sum(messages) FROM usage_delta") == "1")
        try database.run(
            """
            SET session_replication_role = replica;
            UPDATE usage_record SET credit_hundredths = 7; DELETE FROM usage_record WHERE message_id = 2;
            RESET session_replication_role
            """)
        #expect(try database.rollupDifferences() == [])
        try database.run("SET session_replication_role = replica; TRUNCATE usage_record")
        #expect(try database.value("SELECT count(*) FROM usage_delta") == "0")
    }

    @Test func `leave out records of before 2000, also when they are deleted`() throws {
        let database = try Database()
        try database.replicate(
            "(1, '1999-12-31T23:59:59.999999Z', 'x', 100, 1), (2, '2000-01-01Z', 'x', 30, 1)")
        try database.merge()
        #expect(try database.value("SELECT sum(credit_hundredths) FROM usage_quarter_sum") == "30")
        try database.run("UPDATE usage_record SET credit_hundredths = 50")
        try database.run("DELETE FROM usage_record WHERE message_id = 1")
        try database.merge()
        #expect(try database.value("SELECT sum(credit_hundredths) FROM usage_quarter_sum") == "50")
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `are exact beyond bigint`() throws {
        let database = try Database()
        try database.run(
            """
            SET session_replication_role = replica;
            INSERT INTO usage_record (message_id, "timestamp", message_text, credit_hundredths)
            SELECT n, '2024-01-01Z', 'x', 9007199254740992 FROM generate_series(1, 2100) AS n
            """)
        try database.merge()
        let sum = try database.value("SELECT sum(credit_hundredths) FROM usage_quarter_sum")
        #expect(sum == "18915118434956083200")
        #expect(try database.rollupDifferences() == [])
        try database.run("SELECT build_usage_rollups(NULL)")
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `are emptied by TRUNCATE, with the names of their values`() throws {
        let database = try Database()
        try database.run(addAttributed("1, 50"))
        try database.merge()
        try database.run(addAttributed("51, 60") + "; TRUNCATE usage_record")
        for table in ["delta", "quarter_sum", "attribution_sum", "value_sum", "value"] {
            #expect(try database.value("SELECT count(*) FROM usage_\(table)") == "0", "\(table)")
        }
        try database.run(addAttributed("1, 50"))
        try database.merge()
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `follow a changed attribution, and forget the former value`() throws {
        let database = try Database()
        try database.run(addAttributed("1, 200"))
        try database.merge()
        try database.run(addAttributed("201, 300"))
        try database.run(
            """
            UPDATE usage_attribution SET user_id = 'erased',
                tags = CASE WHEN tags = '{}' THEN tags ELSE tags || '{"env":"other"}' END
            WHERE user_id = 'user 3'
            """)
        #expect(try database.rollupDifferences() == [])
        #expect(
            try database.value("SELECT count(*) FROM usage_value WHERE value = 'user 3'") == "0")
        try database.merge()
        #expect(try database.rollupDifferences() == [])
        #expect(
            try Program.run("/usr/bin/pg_dump", [database.url]).output.contains("user 3") == false)
        // Nobody has these; their numbers may be used again.
        try database.run("UPDATE usage_record SET attribution_id = NULL WHERE message_id % 2 = 0")
        try database.run(
            """
            DELETE FROM usage_attribution AS attribution WHERE NOT EXISTS (
                SELECT FROM usage_record WHERE attribution_id = attribution.attribution_id)
            """)
        #expect(try database.rollupDifferences() == [])
        try database.run("UPDATE usage_record SET attribution_id = NULL")
        try database.run("TRUNCATE usage_attribution RESTART IDENTITY")
        try database.run(addAttributed("301, 400"))
        #expect(try database.rollupDifferences() == [])
        try database.merge()
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `are built from the records and the deltas that there are`() throws {
        let database = try Database()
        try database.run(addAttributed("1, 300"))
        try database.merge()
        try database.run(addAttributed("301, 400"))
        // As after a data-only restore: doubled levels, doubled and missing deltas.
        for script in [
            "UPDATE usage_quarter_sum SET messages = messages * 2",
            "UPDATE usage_value_sum SET credit_hundredths = 0; DELETE FROM usage_attribution_sum",
            "INSERT INTO usage_delta SELECT * FROM usage_delta LIMIT 30",
            "DELETE FROM usage_delta WHERE report_name IS NULL",
        ] {
            try database.run(script)
            #expect(try database.rollupDifferences() != [], "\(script)")
            try database.run("SELECT build_usage_rollups(NULL)")
            #expect(try database.rollupDifferences() == [], "\(script)")
        }
        try database.merge()
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `have the local days and months of every reporting zone`() throws {
        let database = try Database()
        try database.run(addAttributed("1, 400"))
        try database.merge()
        try database.run(
            """
            INSERT INTO usage_zone (name) VALUES ('Europe/London'), ('Asia/Kathmandu'), ('CET'),
                ('America/St_Johns')
            """)
        // Those that are not built yet have no sums.
        try database.run(addAttributed("401, 500"))
        try database.merge()
        #expect(try database.value("SELECT count(DISTINCT zone_id) FROM usage_bucket") == "1")
        for zone in ["Europe/London", "Asia/Kathmandu", "CET", "America/St_Johns"] {
            try database.run(addAttributed("1, 400", from: 1000))
            try database.run("SELECT build_usage_rollups('\(zone)')")
            try database.run("DELETE FROM usage_record WHERE message_id > 1000")
            try database.merge()
            #expect(try database.rollupDifferences() == [], "\(zone)")
        }
        #expect(try database.value("SELECT count(DISTINCT zone_id) FROM usage_bucket") == "5")
        #expect(throws: PostgresError.self) {
            try database.run("SELECT build_usage_rollups('Europe/Paris')")
        }
    }

    @Test func `of a zone whose clocks are found changed are built again`() throws {
        let database = try Database()
        try database.run(addAttributed("1, 100"))
        try database.merge()
        try database.run(
            """
            UPDATE usage_bucket SET starts_at = starts_at + interval '1 hour'
            WHERE starts_at = '2024-01-02Z' AND NOT is_month
            """)
        try database.run(addAttributed("1, 100", from: 1000))
        try database.merge()
        #expect(try database.value("SELECT is_built FROM usage_zone") == "f")
        #expect(try database.value("SELECT is_built FROM usage_rollup_state") == "t")
        try database.run("SELECT build_usage_rollups('UTC')")
        #expect(try database.value("SELECT is_built FROM usage_zone") == "t")
        #expect(try database.rollupDifferences() == [])
    }
}

/// SQL that adds records `first` to `last` after `from`, with every kind of value, 31 minutes apart.
func addAttributed(_ range: String, from: Int = 0) -> String {
    """
    INSERT INTO usage_record (message_id, "timestamp", report_name, attribution_id, message_text,
        input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens)
    SELECT \(from) + n, '2024-01-01'::timestamptz + n * interval '31 minutes 7 seconds',
        CASE WHEN n % 3 = 0 THEN 'Report ' || n % 4 END,
        CASE WHEN n % 7 > 0 THEN usage_attribution('user ' || n % 5,
            CASE WHEN n % 2 = 0 THEN 'team' END, 'model ' || n % 3,
            CASE WHEN n % 4 = 0 THEN '{"env":"prod","a.b":"1"}'
                WHEN n % 4 = 1 THEN '{"env":"test"}' END::jsonb) END,
        'x', 100 + n, CASE WHEN n % 2 = 0 THEN n END, n % 11, n % 13
    FROM generate_series(\(range)) AS n
    """
}

extension Database {
    /// Merges all deltas.
    func merge() throws {
        while try value("SELECT merge_usage_deltas(10000)") != "0" {}
    }

    /// Where levels plus deltas are not the records: calculated from the records alone, not as the
    /// product does.
    func rollupDifferences() throws -> [String] {
        let result = try connection.query(Self.differences)
        return (0..<result.count).map { row in
            (0..<5).map { result[row, $0] ?? "-" }.joined(separator: " ")
        }
    }

    private static let differences = """
        WITH record AS (
            SELECT "timestamp" AS instant, report_name, attribution_id, 1 AS messages,
                credit_hundredths::numeric AS credits,
                coalesce(input_tokens, 0) + 1000003::numeric * coalesce(output_tokens, 0)
                + 1000003000009::numeric * coalesce(cache_read_input_tokens, 0)
                + 1000003000009000027::numeric * coalesce(cache_creation_input_tokens, 0) AS tokens
            FROM usage_record WHERE "timestamp" >= '2000-01-01Z'
        ), delta AS (
            SELECT quarter, report_name, attribution_id, messages, credit_hundredths AS credits,
                input_tokens + 1000003::numeric * output_tokens + 1000003000009::numeric * cache_read_input_tokens
                + 1000003000009000027::numeric * cache_creation_input_tokens AS tokens
            FROM usage_delta
        ), valued AS (
            SELECT attribution_id, part, value FROM usage_attribution, LATERAL (
                SELECT 'user_id' AS part, user_id AS value UNION ALL SELECT 'team_id', team_id
                UNION ALL SELECT 'model', model
                UNION ALL SELECT 'tag:' || key, value FROM jsonb_each_text(tags)) AS pair
            WHERE value <> ''
        ), grouped AS (
            SELECT instant, instant AS quarter, 1 AS sign, report_name, attribution_id, messages,
                credits, tokens FROM record
            UNION ALL
            SELECT quarter, quarter, -1, report_name, attribution_id, -messages, -credits, -tokens
            FROM delta
        ), expected AS (
            SELECT 'quarter' AS level, '' AS zone, false AS is_month, to_timestamp(
                    floor(extract(epoch FROM instant) / 900) * 900) AS starts_at, '' AS key,
                messages, (report_name IS NOT NULL)::int * messages AS reports, credits, tokens
            FROM grouped
            UNION ALL
            SELECT level, zone.name, is_month, date_trunc(
                    CASE WHEN is_month THEN 'month' ELSE 'day' END, instant, zone.name), key,
                messages, (report_name IS NOT NULL)::int * messages, credits, tokens
            FROM grouped CROSS JOIN (SELECT * FROM usage_zone WHERE is_built) AS zone
                CROSS JOIN (VALUES (true), (false)) AS month(is_month)
                CROSS JOIN LATERAL (
                    SELECT 'attribution' AS level, attribution_id::text AS key
                    WHERE attribution_id IS NOT NULL
                    UNION ALL SELECT 'value', 'report_name ' || report_name WHERE report_name IS NOT NULL
                    UNION ALL SELECT 'value', part || ' ' || value FROM valued
                    WHERE valued.attribution_id = grouped.attribution_id) AS keys
        ), found AS (
            SELECT 'quarter' AS level, '' AS zone, false AS is_month, quarter AS starts_at, '' AS key,
                messages, reports, credit_hundredths, input_tokens, output_tokens,
                cache_read_input_tokens, cache_creation_input_tokens
            FROM usage_quarter_sum
            UNION ALL
            SELECT 'attribution', name, is_month, starts_at, attribution_id::text,
                messages, reports, credit_hundredths, input_tokens, output_tokens,
                cache_read_input_tokens, cache_creation_input_tokens
            FROM usage_attribution_sum JOIN usage_bucket USING (bucket_id) JOIN usage_zone USING (zone_id)
            WHERE is_built
            UNION ALL
            SELECT 'value', name, is_month, starts_at, coalesce(part || ' ' || value, 'lost'),
                messages, reports, credit_hundredths, input_tokens, output_tokens,
                cache_read_input_tokens, cache_creation_input_tokens
            FROM usage_value_sum LEFT JOIN usage_value USING (value_id) JOIN usage_bucket USING (bucket_id)
                JOIN usage_zone USING (zone_id)
            WHERE is_built
        )
        SELECT level, zone, starts_at::text, key,
            concat_ws(' ', sum(messages), sum(reports), sum(credits), sum(tokens))
        FROM (SELECT * FROM expected UNION ALL
              SELECT level, zone, is_month, starts_at, key, -messages, -reports, -credit_hundredths,
                  -(input_tokens + 1000003::numeric * output_tokens
                  + 1000003000009::numeric * cache_read_input_tokens
                  + 1000003000009000027::numeric * cache_creation_input_tokens)
              FROM found) AS both_sides
        GROUP BY level, zone, is_month, starts_at, key
        HAVING (sum(messages), sum(reports), sum(credits), sum(tokens)) <> (0, 0, 0, 0)
        ORDER BY 1, 2, 3, 4
        """
}
