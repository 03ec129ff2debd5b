import Foundation
import Postgres
import TestSupport
import Testing
import Usage
@testable import UsageStore

/// Merging and building the sums of local years.
@Suite(.timeLimit(.minutes(2))) struct `The years of rollups` {
    @Test func `have sums by attribution after a merge, and none by value`() throws {
        let database = try Database()
        try database.run(
            """
            INSERT INTO usage_record ("timestamp", report_name, attribution_id, message_text)
            SELECT day, 'r', usage_attribution('u', NULL, NULL, NULL), 'x' FROM unnest(
                ARRAY['2023-12-31T23:59Z', '2024-01-01Z', '2024-12-31Z', '2025-01-01Z']::timestamptz[]) AS day
            """)
        try database.merge()
        func sums(_ level: String) throws -> String? {
            try database.value(
                """
                SELECT string_agg(concat_ws(' ', unit, to_char(starts_at, 'YYYY-MM-DD'), messages), ', '
                    ORDER BY unit DESC, starts_at)
                FROM (SELECT bucket_id, sum(messages) AS messages FROM usage_\(level)_sum GROUP BY 1) AS sums
                    JOIN usage_bucket USING (bucket_id)
                """)
        }
        let others =
            "month 2023-12-01 1, month 2024-01-01 1, month 2024-12-01 1, month 2025-01-01 1, "
            + "day 2023-12-31 1, day 2024-01-01 1, day 2024-12-31 1, day 2025-01-01 1"
        #expect(
            try sums("attribution")
                == "year 2023-01-01 1, year 2024-01-01 2, year 2025-01-01 1, " + others)
        #expect(
            try sums("value")
                == others.replacing(/(-[0-9]+) 1/) { "\($0.1) 3" })
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `have the months and days that are subtracted from one read with them`() throws {
        let database = try Database()
        try database.run(
            """
            INSERT INTO usage_record ("timestamp", attribution_id, message_text)
            SELECT instant, usage_attribution('u', NULL, 'm', NULL), 'x'
            FROM generate_series('2024-01-01Z'::timestamptz, '2024-12-01Z', '1 month') AS instant
            """)
        try database.merge()
        let store = database.store()
        defer { store.release() }
        var filter = UsageFilter()
        filter.from = Timestamp("2024-04-05T00:00:00Z")
        filter.to = Timestamp("2025-01-01T00:00:00Z")
        let parts = ["user_id", "model"].compactMap(GroupPart.init)
        let rollups = try #require(try store.snapshot().rollups(filter, by: parts))
        let cover = RollupCover([rollups.filter.range], with: rollups.buckets)
        // The year, minus three months and the first of April.
        #expect(cover.levels.map(\.isSubtracted) == [false, true, true, true, true])
    }

    /// Records of three years, and wrong sums of the years.
    private func databaseOfYears() throws -> Database {
        let database = try Database()
        try database.run(
            addAttributed("1, 300")
                + """
                ; UPDATE usage_record SET "timestamp" = "timestamp" + interval '1 year' * (message_id % 3 - 1)
                """)
        try database.merge()
        try database.run("UPDATE usage_attribution_year_sum SET messages = messages + 1")
        return database
    }

    @Test func `are corrected by a build that was killed before them, when it runs again`() throws {
        let database = try databaseOfYears()
        try database.run("UPDATE usage_attribution_month_sum SET messages = messages + 1")
        let lock = try Connection(url: database.url, applicationName: "lock", waitSeconds: 60)
        try lock.run(
            """
            BEGIN; SELECT FROM usage_attribution_year_sum JOIN usage_bucket USING (bucket_id)
            WHERE starts_at = '2024-01-01Z' FOR UPDATE OF usage_attribution_year_sum
            """)
        let build = try database.background("CALL build_usage_rollups(NULL)")
        #expect(try database.isBackgroundBlocked())
        try database.run(addAttributed("1, 50", from: 5000))
        try database.endBackground()
        #expect(build.wait() != 0)
        try lock.run("ROLLBACK")
        try database.merge()
        let found = Set(
            try database.rollupDifferences().map { $0.split(separator: " ")[2].prefix(7) })
        #expect(found == ["2024-01", "2025-01"])
        #expect(
            try database.value(
                "SELECT count(*) FROM usage_bucket WHERE unit <> 'day' AND starts_at = '2024-01-01Z'"
            ) == "2")
        try database.run("CALL build_usage_rollups(NULL)")
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `of a new zone are built when a build that was killed before them continues`() throws
    {
        let database = try databaseOfYears()
        try database.run("INSERT INTO usage_zone (name) VALUES ('Europe/London')")
        // Merges have made its years, with some of the sums.
        try database.run(addAttributed("1, 300", from: 5000))
        try database.merge()
        let lock = try Connection(url: database.url, applicationName: "lock", waitSeconds: 60)
        try lock.run("BEGIN; SELECT FROM usage_attribution_year_sum FOR UPDATE")
        let build = try database.background("CALL build_usage_rollups('Europe/London', true)")
        #expect(try database.isBackgroundBlocked())
        try database.endBackground()
        #expect(build.wait() != 0)
        try lock.run("ROLLBACK")
        try database.run("DELETE FROM usage_record WHERE message_id % 7 = 0")
        try database.merge()
        var steps: [String] = []
        #expect(
            try database.store(waitSeconds: 60).addReportingZone("Europe/London") {
                steps.append($0)
            })
        #expect(steps == [])
        try database.run("UPDATE usage_zone SET is_built = false WHERE name = 'UTC'")
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `do not let a build sum a first month that has no records`() throws {
        let database = try Database()
        try database.run(
            "INSERT INTO usage_record (\"timestamp\", message_text) VALUES ('2024-05-31Z', 'x')")
        try database.merge()
        var steps: [String] = []
        try database.store(waitSeconds: 60).rebuildRollups { steps.append($0) }
        #expect(steps == ["summing the records of 2024-05 in UTC"])
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `are replaced where clocks have changed`() throws {
        let database = try databaseOfYears()
        try database.run(
            "UPDATE usage_bucket SET ends_at = ends_at - interval '1 hour' WHERE unit = 'year'")
        #expect(try database.store().zonesToBuild() == ["UTC"])
        try database.run(addAttributed("1, 50", from: 5000))
        try database.run("CALL build_usage_rollups('UTC')")
        #expect(try database.store().zonesToBuild() == [])
        #expect(try database.rollupDifferences() == [])
    }

    @Test func `that are closed are summed from the records, if a month is partly in one`() throws {
        let database = try Database()
        // As another version of the time zone data had it; it has closed sums, its last month has none.
        try database.run(
            """
            INSERT INTO usage_bucket (bucket_id, zone_id, unit, starts_at, ends_at) VALUES
                (-1073742825, 1, 'year', '2023-01-01T01:00Z', '2024-01-01T01:00Z');
            INSERT INTO closed_attribution_sum (bucket_id, attribution_id) VALUES (-1073742825, 0)
            """)
        try database.run(
            addAttributed("1, 3000")
                + "; UPDATE usage_record SET \"timestamp\" = \"timestamp\" - interval '20 days'")
        try database.merge()
        for _ in 1...2 {
            #expect(try database.value(Database.wrongBuckets) == "0")
            #expect(try database.value(Database.overlappingBuckets) == "0")
            try database.run("UPDATE usage_attribution_year_sum SET messages = messages + 1")
            try database.run("CALL build_usage_rollups('UTC')")
        }
        #expect(try database.value(Database.wrongBuckets) == "0")
        #expect(
            try database.value(
                """
                SELECT string_agg(to_char(starts_at, 'YYYY-MM-DD HH24'), ', ' ORDER BY starts_at)
                FROM usage_bucket WHERE unit = 'year'
                """) == "2023-01-01 00, 2023-01-01 01, 2024-01-01 01")
    }
}
