import TestSupport
import Testing
@testable import Usage
@testable import UsageStore

@Suite(.timeLimit(.minutes(2))) struct `The groups of a summary` {
    private func hours(_ count: Int64) throws -> [Range<Timestamp>] {
        let first = try #require(Timestamp("2024-01-15T00:00:00Z"))
        return (0..<count).map { hour in
            let start = Timestamp(microseconds: first.microseconds + hour * 3_600_000_000)
            return start..<Timestamp(microseconds: start.microseconds + 3_600_000_000)
        }
    }

    /// The groups as text: values, messages and reports, credits, tokens, series.
    private func groups(
        _ database: Database, by parts: [String], top: Int, _ filter: UsageFilter = UsageFilter()
    ) throws -> [String] {
        let store = database.store()
        defer { store.release() }
        let grouping = SummaryGrouping(by: try parts.map { try #require(GroupPart($0)) }, top: top)
        let summary = try store.snapshot().summary(
            filter, buckets: hours(3), zone: "UTC", grouping: grouping)
        var lines: [String] = []
        while let group = try summary.nextGroup() {
            let names = group.otherCount.map { ["\($0) others"] } ?? group.values.map { $0 ?? "-" }
            let sum = group.sum
            lines.append(
                """
                \(names.joined(separator: "+")): \(sum.messages) \(sum.reports) \(sum.creditsUsed) \
                \(sum.tokens.input)/\(sum.tokens.output) \
                [\(group.series.map(\.creditsUsed).joined(separator: " "))]
                """)
        }
        #expect(try summary.nextGroup() == nil && summary.nextReport() == nil)
        return lines
    }

    private func addRecords(_ database: Database) throws {
        try database.run(
            """
            INSERT INTO usage_record ("timestamp", report_name, credit_hundredths, attribution_id,
                message_text, input_tokens, output_tokens)
            SELECT '2024-01-15'::timestamptz + hour * interval '1 hour', report, hundredths,
                usage_attribution("user", NULL, model, tags::jsonb), 'x', input, output
            FROM (VALUES
                (0, 'r', 500, 'u-1', 'b', '{"env":"prod"}', 10, NULL),
                (1, NULL, 300, 'u-1', 'a', '{"env":"dev"}', NULL, 7),
                (1, NULL, 400, 'u-2', 'b', '{}', 1, 1),
                (2, 'r', 400, 'u-3', NULL, '{}', NULL, NULL),
                (2, 's', 400, NULL, 'a', '{}', NULL, NULL),
                (0, NULL, 400, NULL, NULL, NULL, NULL, NULL)
            ) AS message (hour, report, hundredths, "user", model, tags, input, output)
            """)
    }

    @Test func `have most credits first, equal ones by value, those without a value last`() throws {
        let database = try Database()
        try addRecords(database)
        #expect(
            try groups(database, by: ["user_id"], top: 4) == [
                "u-1: 2 1 8.00 10/7 [5.00 3.00 0.00]",
                "-: 2 1 8.00 0/0 [4.00 0.00 4.00]",
                "u-2: 1 0 4.00 1/1 [0.00 4.00 0.00]",
                "u-3: 1 1 4.00 0/0 [0.00 0.00 4.00]",
            ])
        #expect(
            try groups(database, by: ["user_id"], top: 1) == [
                "u-1: 2 1 8.00 10/7 [5.00 3.00 0.00]",
                "3 others: 4 2 16.00 1/1 [4.00 4.00 8.00]",
            ])
        #expect(
            try groups(database, by: ["tag:env"], top: 2) == [
                "-: 4 2 16.00 1/1 [4.00 4.00 8.00]",
                "prod: 1 1 5.00 10/0 [5.00 0.00 0.00]",
                "1 others: 1 0 3.00 0/7 [0.00 3.00 0.00]",
            ])
        #expect(
            try groups(database, by: ["model", "report_name"], top: 9) == [
                "b+r: 1 1 5.00 10/0 [5.00 0.00 0.00]",
                "a+s: 1 1 4.00 0/0 [0.00 0.00 4.00]",
                "b+-: 1 0 4.00 1/1 [0.00 4.00 0.00]",
                "-+r: 1 1 4.00 0/0 [0.00 0.00 4.00]",
                "-+-: 1 0 4.00 0/0 [4.00 0.00 0.00]",
                "a+-: 1 0 3.00 0/7 [0.00 3.00 0.00]",
            ])
    }

    @Test func `are those of the records that match`() throws {
        let database = try Database()
        try addRecords(database)
        var filter = UsageFilter()
        filter.hasReport = true
        filter.texts = [(.userID, ["u-1", ""])]
        #expect(
            try groups(database, by: ["user_id", "model"], top: 2, filter) == [
                "u-1+b: 1 1 5.00 10/0 [5.00 0.00 0.00]",
                "-+a: 1 1 4.00 0/0 [0.00 0.00 4.00]",
            ])
        filter.texts = [(.userID, ["u-4"])]
        #expect(try groups(database, by: ["user_id"], top: 2, filter) == [])
    }

    @Test func `are exact beyond 64 bits`() throws {
        let database = try Database()
        try database.run(
            """
            INSERT INTO usage_record ("timestamp", credit_hundredths, message_text)
            SELECT '2024-01-15', 9007199254740992, 'x' FROM generate_series(1, 1025)
            """)
        #expect(
            try groups(database, by: ["model"], top: 1) == [
                "-: 1025 0 92323792361095168.00 0/0 [92323792361095168.00 0.00 0.00]"
            ])
    }
}
