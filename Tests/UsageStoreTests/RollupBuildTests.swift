import Foundation
import Postgres
import TestSupport
import Testing
import UsageStore

/// Building rollups beside other transactions, and building that is stopped.
@Suite(.timeLimit(.minutes(2))) struct `A build of rollups` {
    /// 4,000 records of three months.
    private func database() throws -> Database {
        let database = try Database()
        try database.run(addAttributed("1, 4000"))
        try database.merge()
        return database
    }

    /// Locks the sums of a day, so that a build waits there.
    private func lockDay(_ database: Database, _ day: String) throws -> Connection {
        let session = try Connection(url: database.url, applicationName: "lock", waitSeconds: 60)
        try session.run(
            """
            BEGIN; SELECT FROM usage_attribution_sum WHERE bucket_id IN (
                SELECT bucket_id FROM usage_bucket WHERE unit = 'day' AND starts_at = '\(day)') FOR UPDATE
            """)
        return session
    }

    @Test func `that is killed leaves sums that are right, and that readers use`() throws {
        let database = try database()
        // What a rebuild corrects is correct up to where it was killed.
        try database.run("UPDATE usage_quarter_sum SET messages = messages + 1")
        try database.run(addAttributed("1, 500", from: 5000))
        let lock = try lockDay(database, "2024-02-03Z")
        let build = try database.background("CALL build_usage_rollups(NULL)")
        #expect(try database.isBackgroundBlocked())
        try database.endBackground()
        #expect(build.wait() != 0)
        try lock.run("ROLLBACK")
        let differences = try database.rollupDifferences()
        #expect(!differences.isEmpty)
        #expect(
            differences.allSatisfy {
                $0.hasPrefix("quarter  2024-02") || $0.hasPrefix("quarter  2024-03")
            },
            "\(differences.prefix(3))")
        #expect(
            try database.value(
                "SELECT zone.is_built AND state.is_built FROM usage_zone AS zone, usage_rollup_state AS state"
            )
                == "t")
        try database.run("CALL build_usage_rollups(NULL)")
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `lets merges through after each of its transactions`() throws {
        let database = try database()
        let lock = try lockDay(database, "2024-02-03Z")
        let build = try database.background("CALL build_usage_rollups(NULL)")
        #expect(try database.isBackgroundBlocked())
        try database.run(addAttributed("1, 500", from: 5000))
        #expect(try database.value("SELECT merge_usage_deltas(10)") == nil)
        let last = try lockDay(database, "2024-03-02Z")
        try lock.run("ROLLBACK")
        #expect(
            try eventually {
                try database.value(
                    """
                    SELECT (SELECT count(*) = 0 FROM usage_delta) AND count(*) = 1 FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'background'
                        AND wait_event_type = 'Lock'
                    """) == "t"
            })
        #expect(try database.rollupDifferences() == [])
        try last.run("ROLLBACK")
        #expect(build.wait() == 0, "\(build.output)")
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `of a new zone continues after it was killed, beside merges`() throws {
        let database = try database()
        try database.run("INSERT INTO usage_zone (name) VALUES ('Europe/London')")
        // Merges have made its days and months, with some of the sums.
        try database.run(addAttributed("1, 4000", from: 5000))
        try database.merge()
        let lock = try lockDay(database, "2024-02-03Z")
        let build = try database.background("CALL build_usage_rollups('Europe/London', true)")
        #expect(try database.isBackgroundBlocked())
        try database.endBackground()
        #expect(build.wait() != 0)
        try lock.run("ROLLBACK")
        #expect(try database.value("SELECT is_built FROM usage_zone WHERE name <> 'UTC'") == "f")
        #expect(try database.store().zonesToBuild() == [])
        try database.run("UPDATE usage_zone SET built_at = built_at - interval '11 minutes'")
        #expect(try database.store().zonesToBuild() == ["Europe/London"])
        try database.run("UPDATE usage_record SET report_name = 'new' WHERE message_id % 3 = 0")
        try database.merge()
        // Adding it again continues it, too.
        var steps: [String] = []
        #expect(
            try database.store(waitSeconds: 60).addReportingZone("Europe/London") {
                steps.append($0)
            })
        #expect(
            steps == [2, 3].map { "summing the records of 2024-0\($0) in Europe/London" },
            "\(steps)")
        #expect(try database.value("SELECT count(*) FROM usage_zone WHERE is_built") == "2")
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `day by day makes the same sums as month by month`() throws {
        let database = try database()
        try database.run("INSERT INTO usage_zone (name) VALUES ('America/St_Johns')")
        try database.run(addAttributed("1, 500", from: 5000))
        try database.run("UPDATE usage_attribution_sum SET messages = 7")
        try database.run("CALL build_usage_rollups(NULL, false, 100)")
        #expect(try database.rollupDifferences() == [])
        try database.merge()
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `removes sums of records that were deleted without triggers`() throws {
        let database = try database()
        try database.run(
            """
            ALTER TABLE usage_record DISABLE TRIGGER USER;
            DELETE FROM usage_record WHERE "timestamp" >= '2024-02-01Z';
            DELETE FROM usage_record WHERE "timestamp" < '2024-01-03Z'
            """)
        #expect(try database.rollupDifferences() != [])
        try database.run("CALL build_usage_rollups(NULL)")
        #expect(try database.rollupDifferences() == [])
        try database.run("DELETE FROM usage_record")
        try database.run("CALL build_usage_rollups(NULL)")
        for table in ["quarter_sum", "attribution_sum", "value_sum", "value"] {
            #expect(try database.value("SELECT count(*) FROM usage_\(table)") == "0", "\(table)")
        }
    }

    @Test func `fails in a transaction with an older snapshot, and changes nothing`() throws {
        let database = try database()
        let old = try Connection(url: database.url, applicationName: "old", waitSeconds: 60)
        try old.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT usage_revision()")
        try database.run(addAttributed("1, 10", from: 5000))
        try database.merge()
        let error = #expect(throws: PostgresError.self) {
            try old.run("SELECT build_usage_days(1::smallint, '2024-01-01Z', '2024-02-01Z', true)")
        }
        #expect(error?.state == "40001")
        try old.run("ROLLBACK")
        #expect(try database.rollupDifferences() == [])
    }

    @Test
    func `replaces days and months whose clocks have changed, and no closed ones; all are exact`()
        throws
    {
        let database = try Database()
        // As another version of the time zone data had them; the second day has closed sums.
        try database.run(
            """
            INSERT INTO usage_bucket (bucket_id, zone_id, unit, starts_at, ends_at) VALUES
                (1001, 1, 'day', '2024-01-01T01:00Z', '2024-01-02T01:00Z'),
                (1002, 1, 'day', '2024-01-02T01:00Z', '2024-01-03T01:00Z'),
                (-1001, 1, 'month', '2024-01-01T01:00Z', '2024-02-01T01:00Z');
            INSERT INTO closed_attribution_sum (bucket_id, attribution_id) VALUES (1002, 0), (-1001, 0)
            """)
        try database.run(addAttributed("1, 3000"))
        try database.merge()
        #expect(try database.value(Database.wrongBuckets) == "0")
        #expect(try database.value(Database.overlappingBuckets) == "0")
        #expect(try database.store().zonesToBuild() == ["UTC"])
        // Those that have closed sums stay as they are.
        try database.run("CALL build_usage_rollups('UTC')")
        #expect(try database.value(Database.wrongBuckets) == "0")
        #expect(try database.value(Database.overlappingBuckets) == "0")
        #expect(
            try database.value(
                "SELECT string_agg(bucket_id::text, ' ' ORDER BY bucket_id DESC) FROM usage_bucket WHERE abs(bucket_id) BETWEEN 1001 AND 1002"
            )
                == "1002 -1001")
        try database.run(
            addAttributed("1, 3000", from: 5000) + "; DELETE FROM usage_record WHERE message_id < 9"
        )
        try database.merge()
        #expect(try database.value(Database.wrongBuckets) == "0")
        try database.run("TRUNCATE closed_attribution_sum; TRUNCATE usage_record")
        try database.run(addAttributed("1, 3000"))
        try database.run("CALL build_usage_rollups('UTC')")
        #expect(try database.rollupDifferences() == [])
        #expect(try database.store().zonesToBuild() == [])
    }
}
