import Postgres
import TestSupport
import Testing
@testable import Usage
@testable import UsageStore

extension Summary {
    /// All sums as text, a line for each.
    func lines() throws -> [String] {
        var lines = ["totals \(totals)"] + buckets.map { "bucket \($0)" }
        while let report = try nextReport() {
            let sum = report.sum
            lines.append("report \(report.reportName ?? "-") \(sum.messages) \(sum.creditsUsed)")
        }
        while let group = try nextGroup() {
            let values = group.values.map { $0 ?? "-" }
            lines.append("group \(values) \(group.otherCount ?? 0) \(group.sum) \(group.series)")
        }
        return lines
    }
}

/// A random question about the records.
private struct Question {
    var filter = UsageFilter()
    var zone = "UTC"
    var granularity = Granularity.day
    var start = Timestamp(microseconds: 0)
    var end = Timestamp(microseconds: 0)
    var grouping: SummaryGrouping?

    private static let zones = [
        "UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe",
    ]
    private static let parts = [
        "report_name", "user_id", "team_id", "model", "tag:env", "tag:feature", "tag:none",
    ].compactMap(GroupPart.init)

    init(_ random: inout SeededGenerator, _ offsets: (String) throws -> ZoneOffsets) throws {
        zone = try #require(Self.zones.randomElement(using: &random))
        let first = try #require(Timestamp("2024-09-20T00:00:00Z"))
        let days = Int64.random(in: 1...110, using: &random)
        let from = first.microseconds + Int64.random(in: 0...80, using: &random) * 86_400_000_000
        let step: Int64 = [1, 1_000_000, 900_000_000].randomElement(using: &random) ?? 1
        start = Timestamp(microseconds: from + Int64.random(in: 0...500, using: &random) * step)
        end = Timestamp(microseconds: from + days * 86_400_000_000)
        if Bool.random(using: &random) {
            let offsets = try offsets(zone)
            start = offsets.start(of: offsets.date(at: start))
            end = offsets.startOfDay(after: end)
        }
        granularity = Granularity.allCases.randomElement(using: &random) ?? .day
        if granularity == .hour {
            end = min(end, Timestamp(microseconds: from + 5 * 86_400_000_000))
        }
        let chosen = Self.parts.shuffled(using: &random)
        let count = Int.random(in: 0...2, using: &random)
        if count > 0 {
            grouping = SummaryGrouping(
                by: Array(chosen.prefix(count)), top: Int.random(in: 1...5, using: &random))
        }
        addFilter(&random)
    }

    private mutating func addFilter(_ random: inout SeededGenerator) {
        func some(_ values: [String]) -> [String] {
            Array(values.shuffled(using: &random).prefix(Int.random(in: 1...2, using: &random)))
        }
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            var other = UsageFilter()
            switch Int.random(in: 0...7, using: &random) {
            case 0: other.texts = [(.userID, some(["u-1", "u-2", "u-3", "", "é"]))]
            case 1: other.texts = [(.model, some(["m-1", "m-2", ""]))]
            case 2: other.texts = [(.reportName, some(["r-1", "r-2", "r\"\\", "no"]))]
            case 3: other.tags = [("env", some(["dev", "prod", ""])[0])]
            case 4: other.hasReport = Bool.random(using: &random)
            case 5: other.texts = [(.teamID, some(["t-1", ""]))]
            case 6: other.from = Timestamp(microseconds: start.microseconds + 86_400_000_007)
            default: other.minimumCredits = Credits(hundredths: 300)
            }
            filter = filter.and(other)
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct `A summary from rollups` {
    /// Adds, changes and removes random records, with attributions of all kinds.
    private func write(_ database: Database, _ random: inout SeededGenerator, _ count: Int) throws {
        let seed = Double.random(in: 0...1, using: &random)
        try database.run(
            """
            SELECT setseed(\(seed));
            INSERT INTO usage_record ("timestamp", report_name, attribution_id, message_text,
                credit_hundredths, input_tokens, output_tokens, cache_read_input_tokens)
            SELECT '2024-09-25Z'::timestamptz + random() * random() * interval '100 days',
                (ARRAY['r-1', 'r-2', 'R', 'é', 'r"\\', NULL, NULL])[(1 + random() * 6)::integer],
                usage_attribution((ARRAY['u-1', 'u-2', 'u-3', 'é', NULL])[(1 + random() * 4)::integer],
                    (ARRAY['t-1', 't-2', NULL])[(1 + random() * 2)::integer],
                    (ARRAY['m-1', 'm-2', NULL])[(1 + random() * 2)::integer],
                    (ARRAY['{"env":"dev"}', '{"env":"prod","feature":"a"}', '{}', NULL])[(1 + random() * 3)::integer]::jsonb),
                'x', 100 * (random() * 9)::integer, 10 + n, n % 3, nullif(n % 5, 0)
            FROM generate_series(1, \(count)) AS n;
            UPDATE usage_record SET report_name = 'r-1', credit_hundredths = credit_hundredths + 1
            WHERE random() < 0.02;
            UPDATE usage_record SET "timestamp" = "timestamp" + interval '20 days'
            WHERE random() < 0.01;
            DELETE FROM usage_record WHERE random() < 0.01
            """)
    }

    /// Compares the responses to random questions; returns how many had rollups.
    private func compare(
        _ database: Database, _ count: Int, _ random: inout SeededGenerator, _ seed: UInt64
    ) throws -> Int {
        let store = database.store()
        defer { store.release() }
        let snapshot = try store.snapshot()
        try snapshot.waitForLocks()
        let first = try #require(Timestamp("2024-09-01T00:00:00Z"))
        let last = try #require(Timestamp("2025-06-01T00:00:00Z"))
        var rolledUp = 0
        for number in 0..<count {
            let question = try Question(&random) {
                try snapshot.offsets(of: $0, from: first, to: last)
            }
            let offsets = try snapshot.offsets(of: question.zone, from: first, to: last)
            let buckets = ReportingPeriod(from: question.start, to: question.end, offsets: offsets)
                .buckets(question.granularity)
            guard !buckets.isEmpty else { continue }
            let parts = question.grouping?.parts ?? [.reportName]
            rolledUp +=
                try snapshot.rollups(question.filter, zone: "UTC", by: parts) == nil ? 0 : 1
            let summary = try snapshot.summary(
                question.filter, buckets: buckets, zone: question.zone,
                grouping: question.grouping
            ).lines()
            let expected = try snapshot.recordSummary(
                question.filter, buckets: buckets, grouping: question.grouping
            ).lines()
            #expect(summary == expected, "seed \(seed), question \(number): \(question)")
            #expect(try snapshot.total(question.filter) == snapshot.recordTotal(question.filter))
            try compareAttributions(snapshot, question.filter)
            #expect(try snapshot.extent(question.filter) == snapshot.recordExtent(question.filter))
        }
        return rolledUp
    }

    private func compareAttributions(_ snapshot: Snapshot, _ filter: UsageFilter) throws {
        for (part, prefix) in [(AttributionPart.column(.userID), ""), (.tag("env"), "d")] {
            let sums = try snapshot.attributionSums(of: part, prefix: prefix, filter, limit: 3)
            let expected = try snapshot.attributionSums(
                AttributionSumsStatement(limit: 3) {
                    recordValues(of: part, prefix: prefix, filter, &$0)
                })
            #expect(sums == expected, "\(filter)")
        }
    }

    @Test func `is read before TRUNCATE, which would empty its snapshot`() throws {
        let database = try Database()
        try database.addRecords(100)
        try database.merge()
        let store = database.store()
        defer { store.release() }
        let snapshot = try store.snapshot()
        try snapshot.prepareForSums()
        #expect(throws: PostgresError.self) {
            try database.run("SET lock_timeout = '100ms'; TRUNCATE usage_record")
        }
        #expect(try snapshot.total(UsageFilter()).messages == 100)
        store.release()
        try database.run("TRUNCATE usage_record")
        #expect(try store.snapshot().total(UsageFilter()) == .zero)
    }

    @Test func `has the records of before 2000 in a local day that ends after`() throws {
        let database = try Database()
        try database.run(
            """
            SET session_replication_role = replica;
            INSERT INTO usage_record ("timestamp", message_text, credit_hundredths, report_name)
            VALUES ('1999-12-31T12:00Z', 'x', 100, 'r'), ('2000-01-01T02:00Z', 'x', 200, 'r');
            RESET session_replication_role;
            INSERT INTO usage_zone (name) VALUES ('America/New_York')
            """)
        try database.run("CALL build_usage_rollups('America/New_York')")
        let store = database.store()
        defer { store.release() }
        let start = try #require(Timestamp("1999-12-31T05:00:00Z"))
        let end = try #require(Timestamp("2000-01-01T05:00:00Z"))
        let sums = try store.snapshot().summary(
            UsageFilter(), buckets: [start..<end], zone: "America/New_York")
        let report = try #require(try sums.nextReport())
        #expect((report.sum.messages, report.sum.creditsUsed) == (2, "3.00"))
    }

    @Test func `reads the days of the zone in which its range begins`() throws {
        let database = try Database()
        try database.run(
            """
            INSERT INTO usage_record ("timestamp", message_text) VALUES ('2024-06-09T22:00Z', 'x');
            INSERT INTO usage_zone (name) VALUES ('Asia/Tokyo'), ('Europe/Berlin')
            """)
        try database.run("CALL build_usage_rollups(NULL)")
        let store = database.store()
        defer { store.release() }
        var filter = UsageFilter()
        filter.texts = [(.userID, ["u"])]
        for (start, zone) in [
            ("T22:00:00Z", "Europe/Berlin"), ("T15:00:00Z", "Asia/Tokyo"), ("T00:00:00Z", "UTC"),
        ] {
            filter.from = Timestamp("2024-06-09\(start)")
            let buckets = try #require(try store.snapshot().rollups(filter)).buckets
            let expected = try database.value(
                """
                SELECT string_agg(bucket_id::text, ' ' ORDER BY bucket_id)
                FROM usage_bucket JOIN usage_zone USING (zone_id) WHERE name = '\(zone)'
                """)
            let found = buckets.map(\.id).sorted().map(String.init).joined(separator: " ")
            #expect(found == expected, "\(start)")
        }
    }

    @Test(arguments: [1, 2] as [UInt64])
    func `equals that from the records, merged or not, in every zone`(seed: UInt64) throws {
        let database = try Database()
        var random = SeededGenerator(seed)
        try database.run(
            """
            INSERT INTO usage_record ("timestamp", message_text, credit_hundredths, report_name)
            VALUES ('2001-01-01', 'x', 77, 'r-1');
            SET session_replication_role = replica;
            INSERT INTO usage_record ("timestamp", message_text, credit_hundredths, report_name)
            VALUES ('1999-12-31T23:59:59.9Z', 'x', 55, 'r-1');
            RESET session_replication_role
            """)
        var rolledUp = 0
        for step in 0..<4 {
            try write(database, &random, 400)
            rolledUp += try compare(database, 10, &random, seed)
            try database.run("SELECT merge_usage_deltas(\(step == 2 ? 100 : 100_000))")
            if step == 1 {
                try database.run("INSERT INTO usage_zone (name) VALUES ('Europe/Berlin')")
                try database.run("CALL build_usage_rollups('Europe/Berlin')")
            }
            rolledUp += try compare(database, 10, &random, seed)
        }
        #expect(rolledUp > 30)
    }
}
