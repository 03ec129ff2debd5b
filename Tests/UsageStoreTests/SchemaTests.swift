import Foundation
import Postgres
import TestSupport
import Testing
import UsageStore

@Suite(.timeLimit(.minutes(2))) struct `The schema` {
    private func state(_ database: Database, _ script: String) -> String? {
        do {
            try database.run(script)
            return nil
        } catch {
            return (error as? PostgresError).map { $0.constraint ?? $0.state }
        }
    }

    @Test func `is the one that the program expects`() throws {
        #expect(Schema.version == (try Migrations.all().last?.version))
        #expect(try Database().store().healthChecks().allSatisfy { $0.fault == nil })
    }

    @Test func `is noticed when it is old, or not there`() throws {
        let empty = try Database(isMigrated: false)
        #expect(
            empty.store().healthChecks().map(\.fault) == [
                nil, "The database schema is out of date.",
            ])
        try empty.run("CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY)")
        #expect(empty.store().healthChecks().last?.name == "schema")
        #expect(empty.store().healthChecks().last?.fault != nil)
    }

    @Test func `has no trigger whose absence would not be noticed`() throws {
        let database = try Database()
        let names = try database.psql(
            """
            SELECT tgrelid::regclass || ' ' || tgname || ' ' || tgenabled::text
            FROM pg_trigger WHERE NOT tgisinternal
            """
        ).split(separator: "\n").map { $0.split(separator: " ") }
        #expect(names.count >= 9)
        #expect(names.count { $0[2] == "A" } == 23)
        #expect(try database.store().missingTriggers() == [])
        for name in names {
            // A trigger that fires only for replication, or wrongly not for it, counts as missing.
            for state in ["DISABLE", "ENABLE REPLICA"] + (name[2] == "A" ? ["ENABLE"] : []) {
                try database.run("ALTER TABLE \(name[0]) \(state) TRIGGER \(name[1])")
                #expect(try database.store().missingTriggers() == [String(name[1])])
            }
            let state = name[2] == "A" ? "ENABLE ALWAYS" : "ENABLE"
            try database.run("ALTER TABLE \(name[0]) \(state) TRIGGER \(name[1])")
        }
    }

    @Test(arguments: [
        (0, 100), (1, 100), (9, 100), (10, 100), (11, 110), (17, 170), (50, 500), (100, 1000),
        (500, 5000), (8_388_608, 83_886_080),
    ])
    func `prices characters as the table of the contract says`(characters: Int, hundredths: Int)
        throws
    {
        #expect(
            try Database().value(
                "SELECT usage_credits(\(characters), NULL, 'characters', 4000, 100)")
                == String(hundredths))
    }

    @Test(arguments: [
        // 1 character at 2.00 for 100 tokens is half a hundredth: up.
        ("usage_credits(1, NULL, 'characters', 200, 0)", "1"),
        ("usage_credits(1, NULL, 'characters', 199, 0)", "0"),
        ("usage_credits(3, NULL, 'characters', 200, 0)", "2"),
        ("usage_credits(7, 12, 'o200k_base', 4000, 100)", "480"),
        ("usage_credits(7, 1, 'o200k_base', 150, 0)", "2"),
        ("usage_credits(7, NULL, 'o200k_base', 4000, 0)", "70"),
        ("usage_credits(7, NULL, NULL, NULL, 0) IS NULL", "t"),
    ])
    func `rounds halves up, and uses exact tokens where they are counted`(
        call: String, expected: String
    ) throws {
        #expect(try Database().value("SELECT \(call)") == expected)
    }

    @Test func `refuses what has no place in a record`() throws {
        let database = try Database()
        func insert(_ columns: String, _ values: String) -> String? {
            state(database, "INSERT INTO usage_record (\(columns)) VALUES (\(values))")
        }
        #expect(insert("\"timestamp\", message_text", "now(), 'x'") == nil)
        #expect(
            insert("\"timestamp\", message_text", "'infinity', 'x'")
                == "usage_record_timestamp_check")
        #expect(
            insert("\"timestamp\", message_text", "'10000-01-01Z', 'x'")
                == "usage_record_timestamp_check")
        #expect(
            insert("\"timestamp\", message_text, report_name", "now(), 'x', ''")
                == "usage_record_report_name_check")
        #expect(
            insert("\"timestamp\", message_text, report_name", "now(), 'x', repeat('x', 501)")
                == "usage_record_report_name_check")
        #expect(
            insert(
                "\"timestamp\", message_text, report_name", "now(), 'x', repeat(U&'\\+01F600', 500)"
            ) == nil)
        #expect(
            insert("\"timestamp\", message_text", "now(), repeat('x', 8388609)")
                == "usage_record_message_text_check")
        #expect(
            insert(
                "\"timestamp\", message_text, token_count, credit_hundredths", "now(), 'x', 1, 1")
                == "usage_record_tokens_check")
        #expect(
            insert("message_id, \"timestamp\", message_text", "1, now(), 'y'")
                == "usage_record_pkey")
        #expect(
            insert("\"timestamp\", message_text, credit_hundredths", "now(), 'x', -1")
                == "usage_record_credit_hundredths_check")
    }

    @Test func `keeps the price list as it was, for everyone`() throws {
        let database = try Database()
        try database.run("INSERT INTO usage_record VALUES (9, '2000-01-01Z', NULL, '')")
        for script in [
            "UPDATE credit_rate SET minimum_hundredths = 1", "DELETE FROM credit_rate",
            "TRUNCATE credit_rate CASCADE",
            "\(insertRates("('-infinity', 'characters', 1, 1)"))",
        ] {
            #expect(state(database, script) == "23001", "\(script)")
        }
        #expect(
            state(
                database,
                """
                \(insertRates("('2025-01-01Z', 'characters', 8000, 200)"));
                INSERT INTO usage_record (message_id, "timestamp", message_text)
                VALUES (1, '2024-12-31T23:59:59Z', repeat('x', 50)), (2, '2025-01-01Z', repeat('x', 50))
                """) == nil)
        #expect(
            try database.psql(
                "SELECT credit_hundredths, credit_rate_id FROM usage_record WHERE message_id < 9 ORDER BY 1"
            )
                == "500|1\n1000|3")
        #expect(
            state(
                database,
                """
                \(insertRates("('2024-06-01Z', 'characters', 1, 1)"))
                """) == "23001")
    }

    @Test func `prices plain SQL by characters, and believes no token count that it brings`() throws
    {
        let database = try Database()
        try database.run(
            """
            \(insertRates("('2020-01-01Z', 'o200k_base', 4000, 100)"))
            """)
        for claim in ["NULL, NULL", "500, 'o200k_base'", "500, 'cl100k_base'", "500, NULL"] {
            #expect(
                state(
                    database,
                    """
                    INSERT INTO usage_record ("timestamp", message_text, token_count, token_encoding)
                    VALUES ('2024-01-01Z', repeat('x', 50), \(claim))
                    """) == nil, "\(claim)")
        }
        #expect(
            try database.psql(
                """
                SELECT DISTINCT credit_hundredths, token_count, token_encoding, credit_rate_id
                FROM usage_record
                """) == "500|||2")
    }

    @Test func `lets a program write that may do nothing else`() throws {
        let database = try Database()
        try database.run(
            """
            DROP ROLE IF EXISTS only_writer; CREATE ROLE only_writer;
            GRANT INSERT ON usage_record TO only_writer;
            SET ROLE only_writer; SET search_path = '';
            INSERT INTO public.usage_record ("timestamp", message_text) VALUES (now(), repeat('x', 50));
            RESET ROLE; RESET search_path
            """)
        #expect(try database.value("SELECT credit_hundredths FROM usage_record") == "500")
    }

    @Test func `goes down as it came up`() throws {
        let database = try Database(isMigrated: false)
        let before = try database.psql(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        let runner = try MigrationRunner(databaseURL: database.url)
        let migrations = try Migrations.all()
        #expect(try runner.up(migrations) { _ in } == migrations.count)
        for migration in migrations.reversed() {
            #expect(try runner.down(migrations)?.version == migration.version)
        }
        #expect(try runner.down(migrations) == nil)
        try database.run("DROP TABLE schema_migrations, schema_migration_checksum")
        #expect(
            try database.psql(
                "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
                == before)
        #expect(
            try database.psql(
                "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace") == "0")
    }

    @Test func `reads everything in order from one index`() throws {
        let database = try Database()
        try database.addRecords(20_000)
        let plan = try database.psql(
            """
            EXPLAIN SELECT message_id, "timestamp", report_name, credit_hundredths
            FROM usage_record ORDER BY "timestamp", message_id
            """)
        #expect(plan.hasPrefix("Index Only Scan using usage_record_timestamp_idx"))
        #expect(!plan.contains("Sort"))
    }
}
