import Postgres
import TestSupport
import Testing
import Usage
@testable import UsageStore

@Suite(.timeLimit(.minutes(2))) struct `A page` {
    /// Records with many equal values, over blocks of ids of indexes, some of them far away.
    private static let database: Result<String, any Error> = Result {
        let database = try Database()
        try database.run(
            """
            SELECT setseed(0.5);
            INSERT INTO usage_record (message_id, "timestamp", report_name, message_text,
                credit_hundredths, attribution_id, recorded_at)
            SELECT CASE n WHEN 1 THEN -9223372036854775808 WHEN 2 THEN 9223372036854775807
                    ELSE (n % 3 - 1) * (n / 7 * 1000 + n % 7) END,
                '2024-01-01Z'::timestamptz + floor(random() * random() * 60) * interval '7 minutes',
                CASE WHEN random() < 0.4
                    THEN ('{a,A,b c,é,漢,\u{FFFF},\u{1F600}}'::text[])[1 + floor(random() * 7)] END,
                'x', (ARRAY[100, 100, 100, 100, 170, 1560, n, 7 * n])[1 + floor(random() * 8)],
                CASE WHEN n % 2 = 0
                    THEN usage_attribution(
                        CASE WHEN n % 4 = 0 THEN 'u-' || n % 3 END, NULL, 'm-' || n % 5, NULL) END,
                '2024-01-01Z'::timestamptz + n % 60 * interval '1 second'
            FROM generate_series(1, 3000) AS n
            WHERE n % 3 <> 1 OR n < 3 ON CONFLICT DO NOTHING;
            """)
        try database.run("VACUUM (ANALYZE) usage_record")
        return database.url
    }

    private static func store(_ url: Result<String, any Error>) throws -> UsageStore {
        UsageStore(databaseURL: try url.get(), applicationName: "tests", waitSeconds: 20)
    }

    private func list(
        _ store: UsageStore, _ filter: UsageFilter, _ sort: SortOrder,
        after cursor: PageCursor? = nil, limit: Int? = nil
    ) throws -> (records: [UsageRecord], next: PageCursor?) {
        let snapshot = try store.snapshot()
        defer { store.release() }
        let rows = try snapshot.records(filter, sort: sort, after: cursor, limit: limit)
        var records: [UsageRecord] = []
        while try rows.next() { records.append(rows.record) }
        return (records, rows.nextCursor)
    }

    /// Whether one record comes before another in an order.
    private func isBefore(_ left: UsageRecord, _ right: UsageRecord, _ sort: SortOrder) -> Bool {
        let values = (PageCursor(left, sort).values, PageCursor(right, sort).values)
        for (term, pair) in zip(sort.terms, zip(values.0, values.1)) where pair.0 != pair.1 {
            switch pair {
            case (.text(nil), _): return false
            case (_, .text(nil)): return true
            case (.text(let left?), .text(let right?)):
                return left.utf8.lexicographicallyPrecedes(right.utf8) != term.isDescending
            case (.integer(let left), .integer(let right)):
                return (left < right) != term.isDescending
            default: preconditionFailure("values of different kinds")
            }
        }
        return false
    }

    private static var filters: [UsageFilter] {
        var time = UsageFilter()
        time.from = Timestamp("2024-01-01T00:30:00Z")
        time.to = Timestamp("2024-01-01T03:30:00Z")
        var report = UsageFilter()
        report.texts = [(.reportName, ["a", "é"])]
        var credits = UsageFilter()
        credits.minimumCredits = Credits(hundredths: 100)
        credits.maximumCredits = Credits(hundredths: 170)
        credits.hasReport = false
        var user = UsageFilter()
        user.texts = [(.userID, ["u-0"])]
        var others = UsageFilter()
        others.texts = [(.userID, ["u-2", ""])]
        var none = UsageFilter()
        none.texts = [(.userID, [""])]
        var recorded = UsageFilter()
        recorded.recordedFrom = Timestamp("2024-01-01T00:00:20Z")
        recorded.recordedTo = Timestamp("2024-01-01T00:00:55Z")
        return [
            UsageFilter(), time, report, credits, user, others, none, recorded,
            recorded.and(others),
        ]
    }

    private static let sorts = [
        "timestamp", "timestamp:desc", "credits_used", "credits_used:desc", "report_name",
        "report_name:desc", "message_id", "message_id:desc",
        "timestamp,message_id:desc", "timestamp:desc,message_id:desc",
        "credits_used,message_id:desc", "credits_used:desc,message_id:desc",
        "report_name,message_id:desc", "report_name:desc,message_id:desc",
        "report_name,credits_used:desc", "credits_used,report_name:desc,message_id:desc",
        "timestamp:desc,report_name", "credits_used,timestamp", "report_name:desc,timestamp:desc",
        "credits_used:desc,timestamp:desc,report_name:desc",
    ]

    @Test(arguments: sorts)
    func `is that part of the whole list, wherever it begins and ends`(text: String) throws {
        let store = try Self.store(Self.database)
        let sort = try #require(SortOrder(text))
        var generator = SeededGenerator(UInt64(text.utf8.count))
        for filter in Self.filters {
            let whole = try list(store, filter, .standard).records
                .sorted { isBefore($0, $1, sort) }
            #expect(whole.count > 200)
            for _ in 0..<10 {
                let start = Int.random(in: 0...whole.count, using: &generator)
                let limit = [1, 2, 7, 100, 1000].randomElement(using: &generator) ?? 1
                let cursor = start == 0 ? nil : PageCursor(whole[start - 1], sort)
                let page = try list(store, filter, sort, after: cursor, limit: limit)
                let expected = whole[start...].prefix(limit)
                #expect(page.records.map(\.messageID) == expected.map(\.messageID))
                let isLast = start + limit >= whole.count
                #expect(page.next == (isLast ? nil : expected.last.map { PageCursor($0, sort) }))
            }
        }
    }

    @Test(
        arguments: [
            ("credits_used:desc", nil), ("credits_used:desc", [.integer(170), .integer(5)]),
            ("credits_used:desc", [.integer(100), .integer(1_002_000_000)]),
            ("credits_used:desc", [.integer(101), .integer(1_002_000_000)]),
            ("credits_used:asc", [.integer(101), .integer(1_002_000_000)]),
            ("credits_used:asc,message_id:desc", [.integer(101), .integer(1_002_000_000)]),
            ("credits_used:desc", [.integer(101), .integer(1_003_990_000)]),
            ("credits_used:asc", nil),
            ("credits_used:asc", [.integer(100), .integer(1_002_000_000)]),
            ("credits_used:asc,message_id:desc", nil),
            ("credits_used:desc,message_id:desc", [.integer(100), .integer(1_002_000_000)]),
            ("report_name:desc", [.text("Report 0"), .integer(1_003_999_960)]),
            ("report_name:desc", [.text(nil), .integer(1_002_000_000)]),
            ("report_name:asc", [.text("Report 999"), .integer(1_003_999_960)]),
            ("report_name:asc", [.text(nil), .integer(1_002_000_000)]),
            ("report_name:asc,message_id:desc", [.text(nil), .integer(1_002_000_000)]),
            ("timestamp:desc", [.integer(1_706_400_000_000_000), .integer(5)]),
            ("timestamp:desc", [.integer(1_705_622_400_000_000), .integer(5)]),
            ("timestamp:asc", [.integer(1_705_622_400_000_000), .integer(1_001_800_000)]),
            ("message_id:desc", [.integer(1_002_000_000)]),
        ] as [(String, [PageCursor.Value]?)])
    func `reads little more than its records, however many are equal where it begins or ends`(
        sort: String, after: [PageCursor.Value]?
    ) throws {
        let store = try Self.store(PlannedDatabase.url)
        let sort = try #require(SortOrder(sort))
        let snapshot = try store.snapshot()
        defer { store.release() }
        let rows = try snapshot.records(
            UsageFilter(), sort: sort, after: after.map { PageCursor($0) }, limit: 100)
        var count = 0
        while try rows.next() { count += 1 }
        #expect(count == 100)
        // Two thirds have no name, which are soon found in the order of ids; a thirtieth have 1.01
        // credits, which are found in one block or two, after a walk. Others need two walks.
        let most =
            switch after?.first {
            case .text(nil): 500
            case .integer(101): 2500
            default: 4000
            }
        #expect(try recordsRead(snapshot) < most)
    }

    /// How many records and entries of their indexes the transaction has read.
    private func recordsRead(_ snapshot: Snapshot) throws -> Int {
        let read = try snapshot.connection.query(
            """
            SELECT pg_stat_get_xact_tuples_returned('usage_record'::regclass)
                + sum(pg_stat_get_xact_tuples_returned(indexrelid))
            FROM pg_index WHERE indrelid = 'usage_record'::regclass
            """)
        return try #require(read[0, 0].flatMap(Int.init))
    }

    @Test(
        arguments: [
            "timestamp", "timestamp:desc", "message_id", "message_id:desc", "credits_used",
        ],
        [97, 91])
    func `of what was recorded lately has its first records, and reads few earlier ones`(
        text: String, percent: Int64
    ) throws {
        let sort = try #require(SortOrder(text))
        var filter = UsageFilter()
        let first = try #require(Timestamp("2024-01-01T00:00:00Z")).microseconds
        filter.recordedFrom = Timestamp(microseconds: first + percent * 1000 * 31_000_000)
        let store = try Self.store(PlannedDatabase.url)
        let snapshot = try store.snapshot()
        defer { store.release() }
        let rows = try snapshot.records(filter, sort: sort, limit: 100)
        var found: [Int64?] = []
        while try rows.next() { found.append(rows.record.messageID) }
        let read = try recordsRead(snapshot)
        var bindings = Bindings()
        let expected = try snapshot.connection.query(
            """
            SELECT message_id FROM usage_record \(whereClause(filter.conditions(&bindings)))
            ORDER BY \(sort.terms.map(\.sql).joined(separator: ", ")) LIMIT 100
            """, bindings.values)
        #expect(found == (0..<100).map { expected[$0, 0].flatMap { Int64($0) } })
        // 3,000 are read and sorted, and 9,000 after a walk; the newest of these are soon found.
        let most = percent == 97 ? 7000 : text.hasSuffix(":desc") ? 9000 : 40_000
        #expect(read < most)
    }

    @Test func `of records without a value reads little more, if nearly all have one`() throws {
        let database = try Database()
        try database.addRecords(20_000)
        try database.run(
            """
            UPDATE usage_record SET attribution_id = usage_attribution(
                CASE WHEN message_id > 400 THEN 'u-' || message_id % 500 END, NULL, 'm', '{"env":"dev"}')
            WHERE message_id % 2 = 0 OR message_id > 400
            """)
        try database.run("VACUUM FULL usage_record")
        try database.run("VACUUM (ANALYZE) usage_record, usage_attribution")
        let store = database.store()
        var user = UsageFilter()
        user.texts = [(.userID, [""])]
        var tag = UsageFilter()
        tag.tags = [("env", "")]
        // The even ones have the tag.
        for (filter, last, step) in [(user, 400, 1), (tag, 399, 2)] {
            let snapshot = try store.snapshot()
            defer { store.release() }
            let rows = try snapshot.records(
                filter, sort: try #require(SortOrder("timestamp:desc")), limit: 100)
            var ids: [Int64?] = []
            while try rows.next() { ids.append(rows.record.messageID) }
            #expect(ids == (0..<100).map { Int64(last - step * $0) })
            #expect(try recordsRead(snapshot) < 1000)
        }
    }
}
