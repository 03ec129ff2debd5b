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
        while try database.value("SELECT merge_usage_deltas(100)") != "0" {
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
        // One record without attribution, one with all members, and many.
        addAttributed("7, 7", from: 400),
        addAttributed("12, 12", from: 400),
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
        "SELECT correct_usage_record(message_id, 'x', 5) FROM usage_record WHERE message_id IN (11, 12, 1000)",
        "SELECT correct_usage_record(n, 'x', at_its_time => true) FROM generate_series(13, 16) AS n",
        "UPDATE usage_record SET credit_hundredths = credit_hundredths + 1 WHERE corrects = 11",
        "DELETE FROM usage_record WHERE corrects IN (12, 13)",
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

    @Test func `leave out a single record of before 2000`() throws {
        let database = try Database()
        try database.replicate("(1, '1999-12-31T23:59:59.999999Z', 'x', 100, 1)")
        #expect(try database.value("SELECT count(*) FROM usage_delta") == "0")
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
        try database.run("CALL build_usage_rollups(NULL)")
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

    @Test func `disappear when they become zero, in whatever order deltas are merged`() throws {
        let database = try Database()
        try database.run(addAttributed("1, 9"))
        try database.run(
            """
            CREATE TABLE later AS SELECT * FROM usage_delta; DELETE FROM usage_delta;
            DELETE FROM usage_record
            """)
        try database.merge()
        #expect(try database.value("SELECT sum(messages) FROM usage_quarter_sum") == "-9")
        try database.run("INSERT INTO usage_delta SELECT * FROM later")
        try database.merge()
        for table in ["quarter_sum", "attribution_sum", "value_sum", "value"] {
            #expect(try database.value("SELECT count(*) FROM usage_\(table)") == "0", "\(table)")
        }
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
        let scripts = [
            "UPDATE usage_quarter_sum SET messages = messages * 2",
            "UPDATE usage_value_sum SET credit_hundredths = 0; DELETE FROM usage_attribution_sum",
            "INSERT INTO usage_delta SELECT * FROM usage_delta LIMIT 30",
            "DELETE FROM usage_delta WHERE report_name IS NULL",
        ]
        for (index, script) in scripts.enumerated() {
            // A build merges deltas.
            try database.run(addAttributed("1, 50", from: 1000 * (index + 1)))
            try database.run(script)
            #expect(try database.rollupDifferences() != [], "\(script)")
            try database.run("CALL build_usage_rollups(NULL)")
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
        // Merges add to those that are not built, too.
        try database.run(addAttributed("401, 500"))
        try database.merge()
        #expect(try database.value("SELECT count(DISTINCT zone_id) FROM usage_bucket") == "5")
        for zone in ["Europe/London", "Asia/Kathmandu", "CET", "America/St_Johns"] {
            try database.run(addAttributed("1, 400", from: 1000))
            try database.run("CALL build_usage_rollups('\(zone)')")
            try database.run("DELETE FROM usage_record WHERE message_id > 1000")
            try database.merge()
            #expect(try database.rollupDifferences() == [], "\(zone)")
        }
        #expect(throws: PostgresError.self) {
            try database.run("CALL build_usage_rollups('Europe/Paris')")
        }
    }
}
