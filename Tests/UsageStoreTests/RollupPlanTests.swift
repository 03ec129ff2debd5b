import Postgres
import TestSupport
import Testing
import Usage
@testable import UsageStore

/// The plans of sums from rollups, with a hundred thousand records of 36 days and 400 attributions.
@Suite(.timeLimit(.minutes(2))) struct `PostgreSQL's plan of a sum from rollups` {
    private static let database = Result {
        let database = try Database()
        try database.run(
            """
            SELECT usage_attribution('u-' || n % 20, NULL, 'model-' || n / 20, '{"env":"dev"}')
            FROM generate_series(0, 399) AS n;
            INSERT INTO usage_record
                ("timestamp", report_name, attribution_id, message_text, credit_hundredths)
            SELECT '2024-01-01'::timestamptz + n * interval '31 seconds',
                CASE WHEN n % 3 = 0 THEN 'Report ' || n % 1000 END, nullif(n % 401, 0), 'x', n % 999
            FROM generate_series(1, 100000) AS n;
            -- Faster than merging as many deltas.
            DELETE FROM usage_delta;
            """)
        try database.run("CALL build_usage_rollups(NULL)")
        try database.run("VACUUM (ANALYZE)")
        return database.url
    }

    private func plan(_ statement: SummaryStatement) throws -> String {
        let connection = try Connection(
            url: Self.database.get(), applicationName: "tests", waitSeconds: 20)
        try connection.run("SET plan_cache_mode = force_custom_plan; SET jit = off")
        try connection.run("PREPARE statement AS \(statement.text)")
        let values = statement.bindings.values.map { "'\($0)'" }.joined(separator: ", ")
        let result = try connection.query(
            "EXPLAIN (ANALYZE, TIMING off, COSTS off) EXECUTE statement (\(values))")
        return (0..<result.count).compactMap { result[$0, 0] }.joined(separator: "\n")
    }

    /// The statements of a summary by days.
    private func summary(
        _ start: String, _ end: String, by parts: [String], _ filter: UsageFilter = UsageFilter()
    ) throws -> RollupSummary {
        let store = try Database(sharing: Self.database.get()).store()
        defer { store.release() }
        let first = try #require(Timestamp(start))
        let last = try #require(Timestamp(end))
        let ranges = ReportingPeriod(from: first, to: last, offsets: .utc).buckets(.day)
        let parts = parts.compactMap(GroupPart.init)
        let found = try store.snapshot().rollups(filter, zone: "UTC", by: parts)
        let rollups = try #require(found)
        return RollupSummary(rollups: rollups, ranges: rollups.ranges(ranges), parts: parts)
    }

    /// The plan of the sum of all records that match.
    private func total(_ filter: UsageFilter) throws -> String {
        let store = try Database(sharing: Self.database.get()).store()
        defer { store.release() }
        let rollups = try #require(try store.snapshot().rollups(filter, zone: "UTC"))
        let ranges = rollups.ranges([rollups.filter.range])
        return try plan(RollupSummary(rollups: rollups, ranges: ranges, parts: []).ofBuckets())
    }

    /// The largest number of rows that a step returns.
    private func rows(_ plan: String) -> Int {
        plan.matches(of: /rows=([0-9]+) loops/).compactMap { Int($0.1) }.max() ?? .max
    }

    @Test func `by days reads the sums of the days, and neither quarters of an hour nor records`()
        throws
    {
        let summary = try summary("2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z", by: ["model"])
        let plan = try plan(summary.ofBuckets())
        #expect(!plan.contains("usage_quarter_sum"), "\(plan)")
        #expect(!plan.contains("usage_record"), "\(plan)")
        #expect(rows(plan) < 50, "\(plan)")
    }

    @Test func `off the grid reads the quarters of an hour and the records of the edges alone`()
        throws
    {
        let summary = try summary("2024-01-01T00:01:00Z", "2024-02-01T06:00:00Z", by: ["model"])
        let plan = try plan(summary.ofBuckets())
        #expect(plan.contains("usage_quarter_sum"), "\(plan)")
        #expect(plan.contains("usage_record_timestamp_idx"), "\(plan)")
        #expect(rows(plan) < 200, "\(plan)")
    }

    @Test(
        arguments: [
            (["user_id"], "month"), (["report_name"], "month"), (["user_id", "model"], "year"),
        ])
    func `by groups reads months or years, if they are whole, and neither days nor records`(
        parts: [String], unit: String
    ) throws {
        let summary = try summary("2024-01-01T00:00:00Z", "2024-03-01T00:00:00Z", by: parts)
        let plan = try plan(summary.ofGroups(top: 10))
        let units = ["year", "month", "day"].filter { plan.contains("_\($0)_sum") }
        #expect(units == [unit], "\(plan)")
        #expect(!plan.contains("usage_record"), "\(plan)")
    }

    @Test(arguments: [["user_id"], ["user_id", "model"]])
    func `of other days reads no record, and few days`(parts: [String]) throws {
        let summary = try summary("2024-01-03T00:00:00Z", "2024-02-01T00:00:00Z", by: parts)
        let plan = try plan(summary.ofGroups(top: 10))
        #expect(plan.contains("_month_sum") && plan.contains("_day_sum"), "\(plan)")
        #expect(!plan.contains("usage_record"), "\(plan)")
        #expect(rows(plan) < 2000, "\(plan)")
    }

    @Test func `of the series of some groups reads little more than their days`() throws {
        let summary = try summary(
            "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z", by: ["user_id", "model"])
        let shown = [(1, "u-3", "model-3"), (2, "u-4", "model-7")].map { rank, user, model in
            SummaryRow(kind: .group, rank: rank, values: [user, model], sum: .zero)
        }
        let plan = try plan(series(shown, summary))
        #expect(!plan.contains("Seq Scan on usage_attribution_day_sum"), "\(plan)")
        #expect(!plan.contains("usage_record"), "\(plan)")
        #expect(rows(plan) < 500, "\(plan)")
    }

    /// The statement of the series of `groups`.
    private func series(
        _ groups: [SummaryRow], _ summary: RollupSummary
    ) throws -> SummaryStatement {
        let store = try Database(sharing: Self.database.get()).store()
        defer { store.release() }
        return try store.snapshot().series(of: groups, summary)
    }

    @Test func `of a tag that all attributions have looks none of them up in each day`() throws {
        var filter = UsageFilter()
        filter.tags = [("env", "dev")]
        let summary = try summary(
            "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z", by: ["model"], filter)
        let shown = (0..<10).map { number in
            SummaryRow(
                kind: .group, rank: Int64(number + 1), values: ["model-\(number)"], sum: .zero)
        }
        let plan = try plan(series(shown, summary))
        let loops = plan.matches(of: /loops=([0-9]+)/).compactMap { Int($0.1) }.max()
        #expect(try #require(loops) < 200, "\(plan)")
        #expect(!plan.contains("usage_record"), "\(plan)")
    }

    private static var valueFilters: [UsageFilter] {
        var report = UsageFilter()
        report.texts = [(.reportName, (0..<10).map { "Report \(3 * $0)" })]
        var user = UsageFilter()
        user.texts = [(.userID, ["u-3"])]
        return [report, user]
    }

    @Test(arguments: valueFilters.indices)
    func `of a value without bounds of time reads none of its records`(number: Int) throws {
        let plan = try total(Self.valueFilters[number])
        #expect(plan.contains("_month_sum"), "\(plan)")
        let index = "usage_record_(report_name_block|attribution)_idx"
        #expect(plan.matches(of: try Regex(index)).isEmpty, "\(plan)")
        #expect(rows(plan) < 3000, "\(plan)")
    }

    @Test(arguments: [["user_id"], ["report_name"], ["user_id", "model"]])
    func `of days until now reads no record of the last one`(parts: [String]) throws {
        // The last record is of 21:06 on the last day.
        let summary = try summary("2024-01-30T00:00:00Z", "2024-02-05T22:07:00Z", by: parts)
        let values = ["user_id": "u-3", "report_name": "Report 300", "model": "model-3"]
        let shown = [
            SummaryRow(kind: .group, rank: 1, values: parts.map { values[$0] }, sum: .zero)
        ]
        let read = try [
            plan(summary.ofBuckets()), plan(summary.ofGroups(top: 10)),
            // One range of several is not a day minus its end.
            plan(series(shown, summary)),
        ]
        for plan in read {
            let records = plan.matches(of: /using usage_record.*rows=([0-9]+) loops/)
            #expect(records.allSatisfy { $0.1 == "0" }, "\(plan)")
        }
    }

    @Test func `of open records does not read the sums of closed ones`() throws {
        let summary = try summary("2024-01-01T00:00:00Z", "2024-03-01T00:00:00Z", by: ["user_id"])
        let plan = try plan(summary.ofGroups(top: 10))
        #expect(!plan.contains("closed_"), "\(plan)")
    }
}
