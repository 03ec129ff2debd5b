import Postgres
import TestSupport
import Testing
import Usage
@testable import UsageStore

/// A hundred thousand records, with ids from 1,000,000,000 in steps of 40.
///
/// A tenth have the minimum price, a thirtieth one hundredth more, another tenth the same time, two
/// thirds no report name.
enum PlannedDatabase {
    static let url: Result<String, any Error> = Result {
        let database = try Database()
        try database.run(
            """
            WITH attribution AS MATERIALIZED (
                SELECT n, usage_attribution('u-' || n % 5, NULL, 'model-' || n, '{"env":"dev"}')
                    AS attribution_id
                FROM generate_series(0, 38, 2) AS n
            )
            INSERT INTO usage_record (message_id, "timestamp", report_name, attribution_id,
                message_text, credit_rate_id, credit_hundredths, recorded_at)
            SELECT 1000000000 + 40 * record.n, instant,
                CASE WHEN record.n % 3 = 0 THEN 'Report ' || record.n % 1000 END, attribution_id,
                repeat('x', 20 + record.n % 200), 1,
                CASE WHEN record.n % 10 = 0 THEN 100 WHEN record.n % 30 = 7 THEN 101
                    ELSE 10 * (20 + record.n % 200) END, instant
            FROM (
                SELECT n, CASE WHEN n BETWEEN 40001 AND 50000 THEN '2024-01-19Z'
                    ELSE '2024-01-01'::timestamptz + n * interval '31 seconds' END AS instant
                FROM generate_series(1, 100000) AS n
            ) AS record
                LEFT JOIN attribution ON attribution.n = record.n % 40
            ORDER BY record.n
            """)
        try database.run("VACUUM (ANALYZE) usage_record, usage_attribution, credit_rate")
        return database.url
    }
}

/// The plans of the statements as they are.
@Suite(.timeLimit(.minutes(2))) struct `PostgreSQL's plan` {
    /// The plan as text, for the values that are bound.
    private func plan(
        _ text: String, _ values: [String], mode: String = "force_custom_plan"
    ) throws -> String {
        let connection = try Connection(
            url: PlannedDatabase.url.get(), applicationName: "tests", waitSeconds: 20)
        try connection.run("SET plan_cache_mode = \(mode); SET jit = off")
        try connection.run("PREPARE statement AS \(text)")
        let list = values.map { "'\($0)'" }.joined(separator: ", ")
        let result = try connection.query(
            "EXPLAIN (ANALYZE, TIMING off, COSTS off) EXECUTE statement\(values.isEmpty ? "" : " (\(list))")"
        )
        return (0..<result.count).compactMap { result[$0, 0] }.joined(separator: "\n")
    }

    /// The plans of the ranges of a page, or of all records.
    private func plan(
        _ filter: UsageFilter = UsageFilter(), sort: String = "timestamp",
        after values: [PageCursor.Value]? = nil, limit: Int? = 1001
    ) throws -> String {
        let sort = try #require(SortOrder(sort))
        let ranges = PageRange.ranges(sort, after: values.map { PageCursor($0) })
        let statements =
            limit.map { limit in
                ranges.map { RecordsStatement(filter, sort: sort, $0, limit: limit) }
            } ?? [RecordsStatement(filter, sort: sort)]
        return try statements.map { try plan($0.text, $0.bindings.values) }
            .joined(separator: "\n")
    }

    private func range() -> UsageFilter {
        var filter = UsageFilter()
        filter.from = Timestamp("2024-01-10T00:00:00Z")
        filter.to = Timestamp("2024-01-11T00:00:00Z")
        return filter
    }

    @Test func `of a full read is the covering index alone, without a sort`() throws {
        let plan = try plan(limit: nil)
        #expect(plan.contains("Index Only Scan using usage_record_timestamp_idx"))
        #expect(plan.contains("Heap Fetches: 0"))
        #expect(!plan.contains("Sort"))
    }

    @Test func `of a full read with all fields does not make the text of tags for each record`()
        throws
    {
        let statement = RecordsStatement(
            UsageFilter(), sort: .standard, fields: UsageRecord.Column.columns(of: .fields))
        let connection = try Connection(
            url: PlannedDatabase.url.get(), applicationName: "tests", waitSeconds: 20)
        // Without a cache of attributions, as if there were more of them than it can hold.
        try connection.run("SET track_functions = 'all'; SET enable_memoize = off; BEGIN")
        let rows = try connection.query(statement.text)
        #expect(rows.count == 100_000)
        let calls = try connection.query(
            "SELECT coalesce(sum(calls), 0) FROM pg_stat_xact_user_functions")
        #expect(calls[0, 0] == "0")
    }

    @Test func `of a range of time is that range of the index`() throws {
        for plan in [try plan(range(), limit: nil), try plan(range())] {
            #expect(plan.contains("Index Only Scan using usage_record_timestamp_idx"))
            #expect(plan.contains(#"Index Cond: (("timestamp" >= '2024-01-10"#))
            #expect(!plan.contains("Sort"))
        }
    }

    @Test func `of a report name is the index of names`() throws {
        var filter = UsageFilter()
        filter.texts = [(.reportName, ["Report 3"])]
        let plan = try plan(filter, limit: nil)
        #expect(plan.contains("usage_record_report_name_block_idx"))
        #expect(plan.contains("Index Cond: (report_name = 'Report 3'::text)"))
        #expect(!plan.contains("Seq Scan"))
    }

    @Test func `of a page in the order of time begins at the cursor`() throws {
        let after: [PageCursor.Value] = [.integer(1_706_000_000_000_000), .integer(5)]
        let plan = try plan(after: after)
        #expect(plan.contains("Index Only Scan using usage_record_timestamp_idx"))
        #expect(plan.contains(#"Index Cond: (ROW("timestamp", message_id) > ROW("#))
        #expect(!plan.contains("Sort"))
    }

    @Test(
        arguments: [
            (
                "timestamp:desc", "usage_record_timestamp_idx",
                [.integer(1_706_000_000_000_000), .integer(5)]
            ),
            ("credits_used:asc", "usage_record_credits_block_idx", [.integer(1000), .integer(5)]),
            ("credits_used:desc", "usage_record_credits_block_idx", [.integer(1000), .integer(5)]),
            (
                "report_name:asc", "usage_record_report_name_block_idx",
                [.text("Report 5"), .integer(5)]
            ),
            (
                "report_name:desc", "usage_record_report_name_block_idx",
                [.text("Report 5"), .integer(5)]
            ),
            ("message_id:desc", "usage_record_pkey", [.integer(1_002_000_000)]),
        ] as [(String, String, [PageCursor.Value])])
    func `of a sorted page walks an index, first page and later`(
        sort: String, index: String, after: [PageCursor.Value]
    ) throws {
        for plan in [
            try plan(sort: sort, limit: 101), try plan(sort: sort, after: after, limit: 101),
        ] {
            let statements = plan.matches(of: /Execution Time/).count
            let scans = plan.matches(of: try Regex("(using|on) \(index) ")).count
            #expect(scans == statements, "\(plan)")
            // Few more than a page, or those of a block: two thirds have no name.
            let rows = plan.matches(of: /rows=([0-9]+) loops/).compactMap { Int($0.1) }
            #expect(rows.max() ?? .max < 5000, "\(plan)")
        }
    }

    @Test(arguments: ["timestamp:desc", "timestamp:asc"])
    func `of a page of some attributions reads little more than the page, first and later`(
        sort: String
    ) throws {
        var filter = UsageFilter()
        filter.texts = [(.userID, ["u-1"])]
        let after = PageCursor([.integer(1_706_000_000_000_000), .integer(5)])
        let order = try #require(SortOrder(sort))
        for cursor in [nil, after] {
            let pages = AttributionPages(
                filter, sort: order, after: cursor, limit: 101, fields: UsageRows.standardFields)
            let statement = pages.merge("{1,2,3,4,5,6,7,8,9,10}", count: 10)
            let plan = try plan(statement.text, statement.bindings.values)
            let scan = "(using|on) usage_record_attribution_idx"
            #expect(plan.matches(of: try Regex(scan)).count == 3, "\(plan)")
            let alone = "Index Only Scan (Backward )?using usage_record_attribution_idx"
            #expect(plan.matches(of: try Regex(alone)).count == 2, "\(plan)")
            #expect(!plan.contains("Seq Scan"), "\(plan)")
            let rows = plan.matches(of: /rows=([0-9]+) loops/).compactMap { Int($0.1) }
            #expect(rows.max() ?? .max < 500, "\(plan)")
        }
    }

    private func summaryPlan(_ filter: UsageFilter) throws -> String {
        let first = try #require(Timestamp("2024-01-01T00:00:00Z"))
        let buckets = (Int64(0)..<36).map { day in
            let start = Timestamp(microseconds: first.microseconds + day * 86_400_000_000)
            return start..<Timestamp(microseconds: start.microseconds + 86_400_000_000)
        }
        let statement = SummaryStatement(filter, buckets: buckets, grouping: nil)
        return try plan(statement.text, statement.bindings.values)
    }

    @Test func `of a summary is a range of the index for each bucket`() throws {
        let plan = try summaryPlan(UsageFilter())
        #expect(plan.contains("usage_record_timestamp_idx"))
        #expect(plan.contains(#"("timestamp" >= period.bucket_start)"#))
        #expect(plan.contains("loops=36"))
    }

    @Test func `of a summary of some attributions does not look for them again for each bucket`()
        throws
    {
        var filter = UsageFilter()
        filter.tags = [("env", "prod")]
        let ofTag = try summaryPlan(filter)
        #expect(ofTag.contains("on usage_attribution"), "\(ofTag)")
        #expect(!ofTag.contains("loops=36"), "\(ofTag)")
        filter.tags = []
        filter.texts = [(.userID, ["u-2"])]
        let ofUser = try summaryPlan(filter)
        #expect(ofUser.contains("on usage_attribution"), "\(ofUser)")
        #expect(!ofUser.contains("loops=36"), "\(ofUser)")
    }

    @Test func `of sums without many tags does not look for the records of each attribution`()
        throws
    {
        var filter = UsageFilter()
        filter.tags = (1...100).map { ("k\($0)", "") }
        let statement = AttributionSumsStatement(limit: 101) {
            recordValues(of: .column(.userID), prefix: "", filter, &$0)
        }
        let plan = try plan(statement.text, statement.bindings.values)
        #expect(!plan.contains("usage_record_attribution_idx"), "\(plan)")
    }

    @Test func `of messages of many models does not compare each message with each period`() throws
    {
        for text in [
            RecordingStatements.many[isPlain: false].insert(storesTexts: true),
            RecordingStatements.estimate[isPlain: false].text,
        ] {
            let parameters = Array(
                repeating: "{}", count: RecordingStatements.columns(isPlain: false).count + 3)
            let plan = try plan(text, parameters, mode: "force_generic_plan")
            #expect(plan.contains(/Hash Cond: .*used_model/), "\(plan)")
        }
    }
}
