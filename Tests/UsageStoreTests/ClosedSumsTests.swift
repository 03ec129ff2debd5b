import TestSupport
import Testing
@testable import Usage
@testable import UsageStore

/// Questions before and after a closing.
@Suite(.timeLimit(.minutes(2))) struct `Sums of closed records` {
    private let database: Database

    /// 1218 of 2000 records are before the line, a midnight of Asia/Kathmandu.
    private let line = Timestamp("2025-01-15T05:45:00Z")

    init() throws {
        database = try Database()
        try database.run(
            """
            INSERT INTO usage_zone (name, is_built)
            VALUES ('America/New_York', true), ('Asia/Kathmandu', true);
            INSERT INTO usage_record (message_id, "timestamp", report_name, input_tokens,
                output_tokens, attribution_id)
            SELECT n, '2024-12-20Z'::timestamptz + n * interval '31 minutes',
                CASE WHEN n % 3 = 0 THEN 'r' || n % 7 END, n % 1000, CASE WHEN n % 5 = 0 THEN 3 END,
                CASE WHEN n % 11 > 0 THEN usage_attribution('u' || n % 17, NULL, 'm' || n % 3,
                    CASE WHEN n % 5 > 0 THEN jsonb_build_object('env', 'e' || n % 5) END) END
            FROM generate_series(1, 2000) AS n
            """)
    }

    private func close() throws {
        let store = database.store(waitSeconds: 60)
        let closing = try store.beginClosing(
            before: try #require(line), directory: "/archive", waits: {})
        try store.closeSums(of: closing) { _ in }
        try store.archive(
            closing,
            as: .init(
                records: 1218, credits: "0.00", sha256: String(repeating: "0", count: 64)))
        try store.closeIDs(of: closing, progress: { _ in }, waits: {})
        try store.deleteRecords(of: closing) { _ in }
        store.release()
    }

    private struct Question {
        let zone: String
        let from: String
        let to: String
        var granularity = Granularity.month
        var parts: [String] = []
        var filter = UsageFilter()
    }

    /// All sums, as text.
    private func answer(_ question: Question) throws -> [String] {
        let store = database.store()
        defer { store.release() }
        let snapshot = try store.snapshot()
        let from = try #require(Timestamp(question.from))
        let to = try #require(Timestamp(question.to))
        let offsets = try snapshot.offsets(of: question.zone, from: from, to: to)
        let buckets = ReportingPeriod(from: from, to: to, offsets: offsets)
            .buckets(question.granularity)
        let parts = try question.parts.map { try #require(GroupPart($0)) }
        let summary = try snapshot.summary(
            question.filter, buckets: buckets, zone: question.zone,
            grouping: parts.isEmpty ? nil : SummaryGrouping(by: parts, top: 5))
        var lines = ([summary.totals] + summary.buckets).map(text)
        while let report = try summary.nextReport() {
            lines.append("\(report.reportName ?? "-"): \(text(report.sum))")
        }
        while let group = try summary.nextGroup() {
            lines.append("\(group.values) \(text(group.sum)) \(group.series.map(\.creditsUsed))")
        }
        return lines
    }

    private func text(_ sum: UsageSum) -> String {
        "\(sum.messages) \(sum.reports) \(sum.creditsUsed) \(sum.tokens.input) \(sum.tokens.output)"
    }

    private func filter(
        _ column: UsageRecord.Column, _ values: [String], tag: String? = nil
    ) -> UsageFilter {
        var filter = UsageFilter()
        filter.texts = [(column, values)]
        if let tag { filter.tags = [("env", tag)] }
        return filter
    }

    /// Whole quarters of all records; whole days, months and years of the reporting zones by value.
    private var answered: [Question] {
        let days = ("2024-12-20T18:15:00Z", "2025-01-30T18:15:00Z")
        let year = ("2024-12-31T18:15:00Z", "2025-01-31T18:15:00Z")
        return [
            Question(zone: "Asia/Kathmandu", from: days.0, to: days.1, granularity: .day),
            Question(zone: "Asia/Kathmandu", from: year.0, to: year.1),
            Question(
                zone: "America/New_York", from: "2024-12-20T05:00:00Z", to: "2025-02-01T05:00:00Z",
                granularity: .day, parts: ["user_id"]),
            Question(
                zone: "UTC", from: "2024-12-21T00:00:00Z", to: "2025-01-29T00:00:00Z",
                granularity: .week, parts: ["model"], filter: filter(.model, ["m1", ""])),
            Question(
                zone: "UTC", from: "2024-12-01T00:00:00Z", to: "2025-02-01T00:00:00Z",
                parts: ["user_id", "model"]),
            Question(
                zone: "UTC", from: "2024-01-01T00:00:00Z", to: "2026-01-01T00:00:00Z",
                parts: ["user_id", "model"]),
            Question(
                zone: "Asia/Kathmandu", from: days.0, to: days.1, granularity: .day,
                parts: ["tag:env"], filter: filter(.userID, ["u3", "u4"], tag: "e1")),
            Question(
                zone: "UTC", from: "2024-12-20T00:00:00Z", to: "2025-02-01T00:00:00Z",
                granularity: .day, parts: ["report_name"], filter: filter(.reportName, ["r1"])),
        ]
    }

    private var refused: [Question] {
        var expensive = UsageFilter()
        expensive.minimumCredits = Credits(hundredths: 1)
        return [
            // Another zone by value; hours by value; bounds within a day by value, within a quarter.
            Question(
                zone: "Europe/London", from: "2024-12-31T23:00:00Z", to: "2025-01-31T23:00:00Z",
                granularity: .hour, parts: ["user_id"]),
            Question(
                zone: "UTC", from: "2025-01-01T00:00:00Z", to: "2025-01-03T00:00:00Z",
                granularity: .hour, parts: ["user_id"]),
            Question(zone: "UTC", from: "2025-01-01T06:00:00Z", to: "2025-01-03T00:00:00Z"),
            Question(zone: "UTC", from: "2025-01-01T00:05:00Z", to: "2025-01-03T00:00:00Z"),
            // Report with attribution; credits.
            Question(
                zone: "UTC", from: "2025-01-01T00:00:00Z", to: "2025-02-01T00:00:00Z",
                parts: ["report_name", "user_id"]),
            Question(
                zone: "UTC", from: "2025-01-01T00:00:00Z", to: "2025-02-01T00:00:00Z",
                filter: filter(.userID, ["u1"]).and(filter(.reportName, ["r1"]))),
            Question(
                zone: "UTC", from: "2025-01-01T00:00:00Z", to: "2025-02-01T00:00:00Z",
                filter: expensive),
        ]
    }

    @Test func `stay the same where there are sums, and are refused elsewhere`() throws {
        let before = try answered.map(answer)
        #expect(before.allSatisfy { $0.count > 2 && !$0[0].hasPrefix("0 ") })
        let open = refused.map { question in
            Question(
                zone: question.zone, from: "2025-01-15T05:45:00Z", to: "2025-01-16T00:00:00Z",
                granularity: question.granularity, parts: question.parts, filter: question.filter)
        }
        let beforeOpen = try open.map(answer)
        _ = try refused.map(answer)
        try close()
        for (question, before) in zip(answered, before) {
            #expect(try answer(question) == before, "\(question)")
        }
        for question in refused {
            let closed = #expect(throws: SumsClosed.self, "\(question)") { try answer(question) }
            #expect(closed?.before == line)
        }
        #expect(try open.map(answer) == beforeOpen)
    }

    @Test func `of a zone that is added afterwards are refused by value`() throws {
        try close()
        try database.run("INSERT INTO usage_zone (name) VALUES ('Europe/London')")
        try database.run("CALL build_usage_rollups('Europe/London')")
        let month = Question(
            zone: "Europe/London", from: "2025-01-01T00:00:00Z", to: "2025-02-01T00:00:00Z",
            parts: ["model"])
        #expect(throws: SumsClosed.self) { try answer(month) }
        let open = Question(
            zone: "Europe/London", from: "2025-01-16T00:00:00Z", to: "2025-02-01T00:00:00Z",
            parts: ["model"])
        #expect(try answer(open)[0].hasPrefix("743 "))
    }

    @Test func `of all records stay the same in a zone that is added afterwards`() throws {
        // A month of Tokyo, whose 15 January has the line inside.
        var month = UsageFilter()
        month.from = Timestamp("2024-12-31T15:00:00Z")
        month.to = Timestamp("2025-01-31T15:00:00Z")
        func total() throws -> String {
            let store = database.store()
            defer { store.release() }
            return try text(store.snapshot().total(month))
        }
        let before = try total()
        try close()
        try database.run("INSERT INTO usage_zone (name) VALUES ('Asia/Tokyo')")
        try database.run("CALL build_usage_rollups('Asia/Tokyo')")
        #expect(try total() == before)
    }

    @Test func `bound the default range, also of one user`() throws {
        let store = database.store()
        func extents() throws -> [ClosedRange<Timestamp>?] {
            defer { store.release() }
            let snapshot = try store.snapshot()
            return try [UsageFilter(), filter(.userID, ["u3"]), filter(.userID, ["nobody"])].map {
                try snapshot.extent($0)
            }
        }
        let before = try extents()
        try close()
        let after = try extents()
        #expect(after[0]?.lowerBound == Timestamp("2024-12-20T00:30:00Z"))
        #expect(after[1]?.lowerBound == Timestamp("2024-12-20T00:00:00Z"))
        #expect(after.map { $0?.upperBound } == before.map { $0?.upperBound })
        #expect(after[2] == nil)
    }

    @Test func `are not in the totals of lists`() throws {
        try close()
        let store = database.store()
        defer { store.release() }
        #expect(try store.snapshot().totals(UsageFilter()).records == 782)
        #expect(try store.snapshot().totals(filter(.model, ["m1"])).records < 782)
    }
}
