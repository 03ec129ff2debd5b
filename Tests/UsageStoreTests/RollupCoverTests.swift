import TestSupport
import Testing
@testable import Usage
@testable import UsageStore

/// Buckets with these numbers, subtracted.
private func minus(_ numbers: ClosedRange<Int>) -> String {
    numbers.map { "-\($0)" }.joined(separator: " ")
}

@Suite struct `The cover of a range of time` {
    private static let day: Int64 = 86_400_000_000

    func range(_ start: String, _ end: String) throws -> Range<Timestamp> {
        try #require(Timestamp(start))..<#require(Timestamp(end))
    }

    /// Months and days of 2024 in UTC, numbered 1 to 12 and from 101; its year, 2024, and the next one.
    func buckets(hasYears: Bool = false) -> [RollupBucket] {
        let first = CivilDate(year: 2024, month: 1, day: 1).map(\.daysSince1970) ?? 0
        func start(_ days: Int64) -> Timestamp { Timestamp(microseconds: days * Self.day) }
        let months = (1...12).compactMap { CivilDate(year: 2024, month: $0, day: 1)?.daysSince1970 }
        let ends = months.dropFirst() + [first + 366]
        let whole = zip(months, ends).enumerated().map { index, month in
            RollupBucket(
                id: Int64(index + 1), unit: .month, range: start(month.0)..<start(month.1))
        }
        let days = (0..<366).map {
            RollupBucket(
                id: 101 + $0, unit: .day, range: start(first + $0)..<start(first + $0 + 1))
        }
        let years = [
            RollupBucket(id: 2024, unit: .year, range: start(first)..<start(first + 366)),
            RollupBucket(id: 2025, unit: .year, range: start(first + 366)..<start(first + 731)),
        ]
        return whole + days + (hasYears ? years : [])
    }

    /// The cover as text: levels, then records; with a minus if they are subtracted.
    private func text(_ cover: RollupCover) -> String {
        let levels = cover.levels.sorted { $0.id < $1.id }.map {
            "\($0.isSubtracted ? "-" : "")\($0.id)"
        }
        let records = cover.records.map { "\($0.range.lowerBound)..<\($0.range.upperBound)" }
        let subtracted = cover.subtracted.map { "-\($0.range.lowerBound)..<\($0.range.upperBound)" }
        return (levels + records + subtracted).joined(separator: " ")
    }

    @Test(
        arguments: [
            ("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "1 2 3 4 5 6 7 8 9 10 11 12"),
            ("2024-01-03T00:00:00Z", "2024-03-01T00:00:00Z", "1 2 -101 -102"),
            ("2024-01-30T00:00:00Z", "2024-03-02T00:00:00Z", "2 130 131 161"),
            (
                "2024-01-02T01:00:00Z", "2024-01-03T00:00:00Z",
                "102 -2024-01-02T00:00:00Z..<2024-01-02T01:00:00Z"
            ),
            (
                "2024-01-01T23:00:00Z", "2024-01-02T00:00:00Z",
                "2024-01-01T23:00:00Z..<2024-01-02T00:00:00Z"
            ),
            ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z", ""),
            (
                "2023-06-01T00:00:00Z", "2024-02-01T00:00:00Z",
                "1 2023-06-01T00:00:00Z..<2024-01-01T00:00:00Z"
            ),
        ])
    func `has whole months, then days, or a month minus its other days`(
        start: String, end: String, expected: String
    ) throws {
        let cover = RollupCover([try range(start, end)], with: buckets())
        #expect(text(cover) == expected)
    }

    @Test(
        arguments: [
            ("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "2024"),
            ("2024-03-01T00:00:00Z", "2026-01-01T00:00:00Z", "-1 -2 2024 2025"),
            ("2024-01-01T00:00:00Z", "2024-07-01T00:00:00Z", "1 2 3 4 5 6"),
            ("2024-01-01T00:00:00Z", "2024-08-01T00:00:00Z", "-8 -9 -10 -11 -12 2024"),
            ("2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z", "2"),
            (
                "2024-01-11T00:00:00Z", "2024-12-20T00:00:00Z",
                "\(minus(101...110)) \(minus(455...466)) 2024"
            ),
            ("2024-01-30T00:00:00Z", "2024-12-01T00:00:00Z", "-1 -12 130 131 2024"),
            (
                "2024-01-01T00:00:00Z", "2024-12-31T23:00:00Z",
                "2024 -2024-12-31T23:00:00Z..<2025-01-01T00:00:00Z"
            ),
            // No month of 2025 has sums.
            (
                "2024-12-01T00:00:00Z", "2025-02-01T00:00:00Z",
                "12 2025-01-01T00:00:00Z..<2025-02-01T00:00:00Z"
            ),
        ])
    func `has whole years, then months and days, or a year minus its others`(
        start: String, end: String, expected: String
    ) throws {
        let cover = RollupCover([try range(start, end)], with: buckets(hasYears: true))
        #expect(text(cover) == expected)
    }

    @Test func `has the closed and the open sums of the year in which the line is`() throws {
        let line = try #require(Timestamp("2024-06-15T00:00:00Z"))
        let whole = try range("2024-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
        let cover = RollupCover([whole], with: buckets(hasYears: true), closedBefore: line)
        #expect(cover.levels.map(\.id) == [2024, 2025])
        #expect(cover.levels.map(\.isClosed) == [true, false])
        #expect(cover.levels.map(\.isOpen) == [true, true])
    }

    @Test func `leaves out a bucket over the start of 2000, whose sums lack what is before`() throws
    {
        let range = try range("1999-12-31T05:00:00Z", "2000-01-01T05:00:00Z")
        let cover = RollupCover([range], with: [RollupBucket(id: 1, unit: .day, range: range)])
        #expect(text(cover) == "\(range.lowerBound)..<\(range.upperBound)")
    }

    @Test func `of several ranges has no bucket that is not inside one of them`() throws {
        let ranges = [
            try range("2024-01-01T00:00:00Z", "2024-01-31T12:00:00Z"),
            try range("2024-01-31T12:00:00Z", "2024-03-01T00:00:00Z"),
        ]
        let cover = RollupCover(ranges, with: buckets(hasYears: true))
        #expect(cover.levels.filter { $0.number == 1 }.map(\.id) == Array(101...130))
        #expect(cover.levels.filter { $0.number == 2 }.map(\.id) == [2])
        #expect(
            cover.records == [
                RollupCover.Part(
                    range: try range("2024-01-31T00:00:00Z", "2024-01-31T12:00:00Z"), number: 1),
                RollupCover.Part(
                    range: try range("2024-01-31T12:00:00Z", "2024-02-01T00:00:00Z"), number: 2),
            ])
        #expect(cover.covered.map(\.number) == [1, 2])
    }

    /// How often a cover has the records at `instant`, for each range.
    private func weights(_ cover: RollupCover, _ buckets: [RollupBucket], _ instant: Timestamp)
        -> (all: [Int: Int], levels: [Int: Int])
    {
        var levels: [Int: Int] = [:]
        for level in cover.levels {
            guard let bucket = buckets.first(where: { $0.id == level.id }),
                bucket.range.contains(instant)
            else { continue }
            levels[level.number, default: 0] += level.isSubtracted ? -1 : 1
        }
        var all = levels
        for part in cover.quarters where part.range.contains(instant) {
            levels[part.number, default: 0] += 1
            all[part.number, default: 0] += 1
        }
        for part in cover.subtractedQuarters where part.range.contains(instant) {
            levels[part.number, default: 0] -= 1
            all[part.number, default: 0] -= 1
        }
        for part in cover.records where part.range.contains(instant) {
            all[part.number, default: 0] += 1
        }
        for part in cover.subtracted where part.range.contains(instant) {
            all[part.number, default: 0] -= 1
        }
        return (all.filter { $0.value != 0 }, levels.filter { $0.value != 0 })
    }

    @Test(arguments: 1...8)
    func `has each instant once, whatever buckets are stored`(seed: Int) throws {
        var random = SeededGenerator(UInt64(seed))
        let hour: Int64 = 3_600_000_000
        for _ in 0..<10 {
            let shift: Int64 = [0, 0, 5, -7].randomElement(using: &random) ?? 0
            let all = buckets(hasYears: seed % 2 == 0)
            let stored = all.filter { _ in Int.random(in: 0...9, using: &random) > 0 }.map {
                RollupBucket(
                    id: $0.id, unit: $0.unit,
                    range: Timestamp(
                        microseconds: $0.range.lowerBound.microseconds + shift * hour)..<Timestamp(
                            microseconds: $0.range.upperBound.microseconds + shift * hour))
            }
            let first = try #require(Timestamp("2023-12-20T00:00:00Z")).microseconds
            let cuts = (0...Int.random(in: 1...3, using: &random)).map { _ in
                first + Int64.random(in: 0...9600, using: &random) * hour
            }
            let starts = Set(cuts).sorted().map(Timestamp.init(microseconds:))
            let ranges = zip(starts, starts.dropFirst()).map { $0..<$1 }
            let hasQuarters = Bool.random(using: &random)
            let cover = RollupCover(ranges, with: stored, hasQuarters: hasQuarters)
            if hasQuarters { #expect(cover.records.isEmpty && cover.subtracted.isEmpty) }
            for _ in 0..<40 {
                let instant = Timestamp(
                    microseconds: first + Int64.random(in: 0...9600 * 4, using: &random) * hour / 4)
                let found = weights(cover, stored, instant)
                let number = ranges.firstIndex { $0.contains(instant) }.map { $0 + 1 }
                #expect(found.all == (number.map { [$0: 1] } ?? [:]))
                let covered = cover.covered.filter { $0.range.contains(instant) }
                #expect(found.levels.keys.sorted() == covered.map { $0.number })
            }
        }
    }
}
