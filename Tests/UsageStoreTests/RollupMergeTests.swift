import Foundation
import Postgres
import TestSupport
import Testing
import UsageStore

/// Merging beside other transactions, and merging that is stopped.
@Suite(.timeLimit(.minutes(2))) struct `A merge of rollups` {
    private func session(_ database: Database, _ script: String) throws -> Connection {
        let connection = try Connection(
            url: database.url, applicationName: "session", waitSeconds: 60)
        try connection.run("SET lock_timeout = '10s'; \(script)")
        return connection
    }

    private func sum(_ connection: Connection) throws -> String? {
        try connection.query(
            """
            SELECT (SELECT coalesce(sum(messages), 0) FROM usage_quarter_sums)
                + (SELECT coalesce(sum(messages), 0) FROM usage_delta)
            """)[0, 0]
    }

    @Test func `is invisible in a snapshot that was open before`() throws {
        let database = try Database()
        try database.run(addAttributed("1, 100"))
        let reader = try session(
            database,
            """
            BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
            LOCK TABLE usage_record IN ACCESS SHARE MODE; SELECT usage_revision()
            """)
        try database.run(addAttributed("101, 150"))
        try database.merge()
        #expect(try sum(reader) == "100")
        #expect(try Database.rollupDifferences(reader) == [])
        try reader.run("COMMIT")
        #expect(try sum(reader) == "150")
    }

    @Test func `and a snapshot hold a TRUNCATE up, after which all is zero`() throws {
        let database = try Database()
        try database.run(addAttributed("1, 100"))
        let reader = try session(
            database,
            """
            BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
            LOCK TABLE usage_record IN ACCESS SHARE MODE; SELECT usage_revision()
            """)
        let merger = try session(database, "BEGIN; SELECT merge_usage_deltas(50)")
        let truncation = try database.background("TRUNCATE usage_record")
        #expect(try database.isBackgroundBlocked())
        #expect(try sum(reader) == "100")
        #expect(try Database.rollupDifferences(reader) == [])
        try merger.run("COMMIT")
        #expect(try sum(reader) == "100")
        try reader.run("COMMIT")
        #expect(truncation.wait() == 0, "\(truncation.output)")
        #expect(try sum(reader) == "0")
        try database.run(addAttributed("1, 10"))
        try database.merge()
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `leaves everything to another one that is running`() throws {
        let database = try Database()
        try database.run(addAttributed("1, 100"))
        let first = try session(database, "BEGIN; SELECT merge_usage_deltas(10)")
        #expect(try database.value("SELECT merge_usage_deltas(10)") == nil)
        #expect(try database.store().mergeRollups() == 0)
        try first.run("COMMIT")
        #expect(try database.store().mergeRollups() == 90)
        #expect(try database.rollupDifferences() == [])
    }

    @Test(arguments: ["READ COMMITTED", "REPEATABLE READ"])
    func `and a changed attribution wait for each other`(isolation: String) throws {
        let database = try Database()
        try database.run(addAttributed("1, 100"))
        let change = "UPDATE usage_attribution SET user_id = 'erased' WHERE user_id = 'user 1'"
        // The merge is first.
        let merger = try session(database, "BEGIN; SELECT merge_usage_deltas(50)")
        let eraser = try database.background(
            """
            BEGIN ISOLATION LEVEL \(isolation); SELECT usage_revision(); \(change); COMMIT
            """)
        #expect(try database.isBackgroundBlocked())
        try merger.run("COMMIT")
        let status = eraser.wait()
        if isolation == "READ COMMITTED" {
            #expect(status == 0, "\(eraser.output)")
        } else {
            // Its snapshot does not have the sums that it would have to move.
            #expect(status == 1)
            #expect(eraser.output.contains("could not serialize access"), "\(eraser.output)")
        }
        #expect(try database.rollupDifferences() == [])
        // The change is first.
        let second = try session(
            database,
            """
            BEGIN ISOLATION LEVEL \(isolation);
            UPDATE usage_attribution SET user_id = 'also erased' WHERE user_id = 'user 2'
            """)
        #expect(try database.value("SELECT merge_usage_deltas(50)") == nil)
        try second.run("COMMIT")
        try database.merge()
        #expect(try database.rollupDifferences() == [])
        #expect(
            try database.value("SELECT count(*) FROM usage_value WHERE value = 'user 2'") == "0")
    }

    @Test func `does not overtake a changed attribution that waits`() throws {
        let database = try Database()
        try database.run(addAttributed("1, 100"))
        let merger = try session(database, "BEGIN; SELECT merge_usage_deltas(50)")
        let eraser = try database.background(
            "UPDATE usage_attribution SET user_id = 'erased' WHERE user_id = 'user 1'")
        #expect(try database.isBackgroundBlocked())
        // At once, before the other one has noticed.
        try merger.run("COMMIT; SELECT merge_usage_deltas(50)")
        #expect(try database.value("SELECT count(*) FROM usage_delta") == "50")
        #expect(eraser.wait() == 0, "\(eraser.output)")
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `gets its turn where changed attributions wait`() throws {
        let database = try Database()
        try database.run(addAttributed("1, 100"))
        let change = "UPDATE usage_attribution SET user_id = 'u' || attribution_id"
        let eraser = try session(database, "BEGIN; \(change)")
        let merger = try database.background("SELECT merge_usage_deltas(100, true)")
        #expect(try database.isBackgroundBlocked())
        // Asks for the lock at once when it has given it back.
        try eraser.run("COMMIT; \(change)")
        #expect(merger.wait() == 0, "\(merger.output)")
        #expect(try database.value("SELECT count(*) FROM usage_delta") == "0")
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `from before a snapshot fails, and changes nothing`() throws {
        let database = try Database()
        try database.run(addAttributed("1, 100"))
        let old = try session(
            database, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT usage_revision()")
        try database.merge()
        let error = #expect(throws: PostgresError.self) {
            try old.run("SELECT merge_usage_deltas(10)")
        }
        #expect(error?.state == "40001")
        #expect(try database.rollupDifferences() == [])
    }

    /// What another session holds, so that a merge waits there: in the order of the steps.
    private static let steps = [
        "LOCK TABLE usage_record IN ACCESS EXCLUSIVE MODE",
        "LOCK TABLE usage_rollup_state IN ACCESS EXCLUSIVE MODE",
        "SELECT FROM usage_delta FOR UPDATE",
        "SELECT FROM usage_quarter_sum FOR UPDATE",
        """
        INSERT INTO usage_bucket (bucket_id, zone_id, unit, starts_at, ends_at)
        VALUES (1000, 1, 'day', '2024-01-02Z', '2024-01-03Z')
        """,
        "SELECT FROM usage_attribution_sum FOR UPDATE",
        "INSERT INTO usage_value (part, value) VALUES ('user_id', 'new')",
        "SELECT FROM usage_value_sum FOR UPDATE",
    ]

    @Test(arguments: steps)
    func `that is killed changes nothing, wherever it is`(step: String) throws {
        let database = try Database()
        try database.run(addAttributed("1, 30"))
        try database.merge()
        try database.run(
            """
            INSERT INTO usage_record
                (message_id, "timestamp", report_name, attribution_id, message_text)
            SELECT 100 + attribution_id, '2024-01-01T00:35Z'::timestamptz, 'Report 1', attribution_id, 'x'
            FROM usage_attribution
            UNION ALL SELECT 98, '2024-01-02Z', NULL, NULL, 'x'
            UNION ALL
            SELECT 99, '2024-01-01T00:35Z', 'r', usage_attribution('new', '', '', '{}'), 'x'
            """)
        let waiting = try database.value("SELECT count(*) FROM usage_delta")
        let holder = try session(database, "BEGIN; \(step)")
        let merger = try database.background("SELECT merge_usage_deltas(1000)")
        #expect(try database.isBackgroundBlocked())
        try database.endBackground()
        #expect(merger.wait() != 0)
        try holder.run("ROLLBACK")
        #expect(try database.value("SELECT count(*) FROM usage_delta") == waiting)
        #expect(try database.rollupDifferences() == [])
        try database.merge()
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `that is not committed changes nothing`() throws {
        let database = try Database()
        try database.run(addAttributed("1, 100"))
        let merger = try database.background(
            "BEGIN; SELECT merge_usage_deltas(50); SELECT pg_sleep(60)")
        #expect(
            try eventually {
                try database.value(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") != "0"
            })
        merger.signal(SIGKILL)
        _ = merger.wait()
        try database.endBackground()
        #expect(try database.value("SELECT count(*) FROM usage_delta") == "100")
        #expect(try database.store().mergeRollups() == 100)
        #expect(try database.rollupDifferences() == [])
    }
}
