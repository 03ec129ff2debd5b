import Testing
@testable import Usage
@testable import UsageStore

extension `The cover of a range of time` {
    @Test(
        arguments: [
            ("2024-01-01T00:00:00Z", "2024-03-01T00:00:00Z", "1 2", ""),
            (
                "2024-01-30T23:10:00Z", "2024-03-01T06:00:00Z", "2 131",
                "2024-01-30T23:15:00Z..<2024-01-31T00:00:00Z "
                    + "2024-03-01T00:00:00Z..<2024-03-01T06:00:00Z"
            ),
            // No day of 2023 has sums.
            (
                "2023-12-31T00:00:00Z", "2024-01-02T00:00:00Z", "101",
                "2023-12-31T00:00:00Z..<2024-01-01T00:00:00Z"
            ),
        ])
    func `has quarters of an hour where neither months nor days fit`(
        start: String, end: String, levels: String, quarters: String
    ) throws {
        let line = try #require(Timestamp("2024-02-01T00:00:00Z"))
        for closedBefore in [nil, line] {
            let cover = RollupCover(
                [try range(start, end)], with: buckets(), hasQuarters: true,
                closedBefore: closedBefore)
            let ids = cover.levels.map(\.id).sorted().map(String.init)
            #expect(ids.joined(separator: " ") == levels)
            let parts = cover.quarters.map { "\($0.range.lowerBound)..<\($0.range.upperBound)" }
            #expect(parts.joined(separator: " ") == quarters)
        }
    }

    @Test func `has days of another zone minus the quarters of an hour at their ends`() throws {
        let bounds = try ["2024-01-01T23:00:00Z", "2024-01-02T23:00:00Z", "2024-01-03T23:00:00Z"]
            .map { try #require(Timestamp($0)) }
        let cover = RollupCover(
            [bounds[0]..<bounds[1], bounds[1]..<bounds[2]], with: buckets(), hasQuarters: true)
        #expect(cover.levels.map { [Int($0.id), $0.number] } == [[102, 1], [103, 2]])
        func text(_ parts: [RollupCover.Part]) -> [String] {
            parts.map { "\($0.number): \($0.range.lowerBound)..<\($0.range.upperBound)" }
        }
        #expect(
            text(cover.quarters) == [
                "1: 2024-01-01T23:00:00Z..<2024-01-02T00:00:00Z",
                "2: 2024-01-02T23:00:00Z..<2024-01-03T00:00:00Z",
            ])
        #expect(
            text(cover.subtractedQuarters) == [
                "1: 2024-01-02T23:00:00Z..<2024-01-03T00:00:00Z",
                "2: 2024-01-03T23:00:00Z..<2024-01-04T00:00:00Z",
            ])
        #expect(cover.covered.map(\.range) == [bounds[0]..<bounds[1], bounds[1]..<bounds[2]])
    }

    @Test(
        arguments: [
            ("2024-01-01T00:00:00Z", "2024-01-01T00:15:00Z", 1, 0),
            ("2024-01-01T00:00:00.000001Z", "2024-01-01T00:30:00Z", 1, 1),
            ("2024-01-01T00:01:00Z", "2024-01-01T00:29:00Z", 0, 1),
            ("1999-12-31T23:00:00Z", "2000-01-01T00:15:00Z", 1, 1),
            ("1960-01-01T00:07:00Z", "1960-01-01T00:22:00Z", 0, 1),
            ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 1, 2),
        ])
    func `with quarters of an hour has the records of its edges and of before 2000`(
        start: String, end: String, covered: Int, records: Int
    ) throws {
        let whole = try range(start, end)
        let cover = RollupCover([whole], hasQuarters: true)
        #expect(cover.covered.count == covered)
        #expect(cover.records.count == records)
        let parts = (cover.covered + cover.records).map(\.range)
            .sorted { $0.lowerBound < $1.lowerBound }
        #expect(parts.first?.lowerBound == whole.lowerBound)
        #expect(parts.last?.upperBound == whole.upperBound)
        for (part, next) in zip(parts, parts.dropFirst()) {
            #expect(part.upperBound == next.lowerBound)
        }
    }
}
