import Testing
import Usage

/// Zones whose clocks do what clocks do somewhere; real zones are compared with PostgreSQL's and
/// Python's in the summary tests.
@Suite struct `A reporting period` {
    private func instant(_ text: String) throws -> Timestamp { try #require(Timestamp(text)) }

    private func zone(_ changes: [(String, Int)]) throws -> ZoneOffsets {
        ZoneOffsets(
            try changes.map {
                ZoneOffsets.Segment(start: try instant($0.0), offsetSeconds: $0.1 * 60)
            })
    }

    private func buckets(
        _ from: String, _ to: String, _ granularity: Granularity, _ offsets: ZoneOffsets,
        monthStart: Int = 1, weekStart: WeekStart = .monday
    ) throws -> [String] {
        let period = ReportingPeriod(
            from: try instant(from), to: try instant(to), offsets: offsets,
            monthStart: monthStart, weekStart: weekStart)
        let buckets = period.buckets(granularity).map { text(of: $0, offsets) }
        if [.week, .month].contains(granularity) {
            #expect(period.estimatedCount(granularity) == buckets.count)
        }
        return buckets
    }

    /// The start and the hours of a bucket.
    private func text(of bucket: Range<Timestamp>, _ offsets: ZoneOffsets) -> String {
        let offset = offsets.offsetSeconds(at: bucket.lowerBound)
        let seconds = bucket.upperBound.microseconds - bucket.lowerBound.microseconds
        let start = bucket.lowerBound.description(offsetSeconds: offset)
        return "\(start) \(Double(seconds) / 3_600_000_000)"
    }

    private func london() throws -> ZoneOffsets {
        try zone([
            ("2024-01-01T00:00:00Z", 0), ("2024-03-31T01:00:00Z", 60), ("2024-10-27T01:00:00Z", 0),
        ])
    }

    /// Skipped 30 December.
    private func apia() throws -> ZoneOffsets {
        try zone([("2011-12-01T00:00:00Z", -600), ("2011-12-30T10:00:00Z", 840)])
    }

    @Test func `has days of 23 and 25 hours`() throws {
        let london = try london()
        #expect(
            try buckets("2024-03-30T00:00:00Z", "2024-03-31T23:00:00Z", .day, london)
                == ["2024-03-30T00:00:00+00:00 24.0", "2024-03-31T00:00:00+00:00 23.0"])
        #expect(
            try buckets("2024-10-26T23:00:00Z", "2024-10-29T00:00:00Z", .day, london)
                == ["2024-10-27T00:00:00+01:00 25.0", "2024-10-28T00:00:00+00:00 24.0"])
    }

    @Test func `starts a day at the first of two midnights`() throws {
        let havana = try zone([("2024-10-01T00:00:00Z", -240), ("2024-11-03T05:00:00Z", -300)])
        #expect(
            try buckets("2024-11-02T04:00:00Z", "2024-11-04T05:00:00Z", .day, havana)
                == ["2024-11-02T00:00:00-04:00 24.0", "2024-11-03T00:00:00-04:00 25.0"])
        // Clocks that go back from 00:01 to 23:01 show the old date again; the new day has begun.
        let stJohns = try zone([("2006-10-01T00:00:00Z", -150), ("2006-10-29T02:31:00Z", -210)])
        #expect(
            try buckets("2006-10-28T02:30:00Z", "2006-10-30T03:30:00Z", .day, stJohns)
                == ["2006-10-28T00:00:00-02:30 24.0", "2006-10-29T00:00:00-02:30 25.0"])
    }

    @Test func `starts a day without midnight when the clocks go on`() throws {
        let toronto = try zone([("1919-03-01T00:00:00Z", -300), ("1919-03-31T04:30:00Z", -240)])
        #expect(
            try buckets("1919-03-30T05:00:00Z", "1919-04-01T04:00:00Z", .day, toronto)
                == ["1919-03-30T00:00:00-05:00 23.5", "1919-03-31T00:30:00-04:00 23.5"])
    }

    @Test func `leaves out a day that was skipped`() throws {
        let apia = try apia()
        #expect(
            try buckets("2011-12-29T10:00:00Z", "2012-01-01T10:00:00Z", .day, apia)
                == [
                    "2011-12-29T00:00:00-10:00 24.0", "2011-12-31T00:00:00+14:00 24.0",
                    "2012-01-01T00:00:00+14:00 24.0",
                ])
    }

    @Test func `has an hour for each that the clocks show, half ones where they are set by half`()
        throws
    {
        let lordHowe = try zone([("2024-04-01T00:00:00Z", 660), ("2024-04-06T15:00:00Z", 630)])
        #expect(
            try buckets("2024-04-06T13:00:00Z", "2024-04-06T17:00:00Z", .hour, lordHowe)
                == [
                    "2024-04-07T00:00:00+11:00 1.0", "2024-04-07T01:00:00+11:00 1.0",
                    "2024-04-07T01:30:00+10:30 0.5", "2024-04-07T02:00:00+10:30 1.0",
                    "2024-04-07T03:00:00+10:30 0.5",
                ])
    }

    @Test func `has weeks from Monday and months, clipped at its ends`() throws {
        #expect(
            try buckets("2024-01-03T12:00:00Z", "2024-01-16T06:00:00Z", .week, .utc)
                == [
                    "2024-01-03T12:00:00+00:00 108.0", "2024-01-08T00:00:00+00:00 168.0",
                    "2024-01-15T00:00:00+00:00 30.0",
                ])
        #expect(
            try buckets("2023-12-31T00:00:00Z", "2024-02-02T00:00:00Z", .month, .utc)
                == [
                    "2023-12-31T00:00:00+00:00 24.0", "2024-01-01T00:00:00+00:00 744.0",
                    "2024-02-01T00:00:00+00:00 24.0",
                ])
        #expect(
            try buckets("0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z", .total, .utc).count == 1)
        #expect(try buckets("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z", .day, .utc) == [])
    }

    @Test func `has months from any day that all months have`() throws {
        #expect(
            try buckets(
                "2024-01-10T00:00:00Z", "2024-03-16T00:00:00Z", .month, .utc, monthStart: 15)
                == [
                    "2024-01-10T00:00:00+00:00 120.0", "2024-01-15T00:00:00+00:00 744.0",
                    "2024-02-15T00:00:00+00:00 696.0", "2024-03-15T00:00:00+00:00 24.0",
                ])
        #expect(
            try buckets(
                "2023-01-28T00:00:00Z", "2023-03-28T00:00:00Z", .month, .utc, monthStart: 28)
                == ["2023-01-28T00:00:00+00:00 744.0", "2023-02-28T00:00:00+00:00 672.0"])
        #expect(
            try buckets(
                "0001-01-01T00:00:00Z", "0001-01-16T00:00:00Z", .month, .utc, monthStart: 15)
                == ["0001-01-01T00:00:00+00:00 336.0", "0001-01-15T00:00:00+00:00 24.0"])
    }

    @Test func `has months and weeks that start with the day of a clock change`() throws {
        let london = try london()
        #expect(
            try buckets(
                "2024-09-26T23:00:00Z", "2024-11-28T00:00:00Z", .month, london, monthStart: 27)
                == [
                    "2024-09-27T00:00:00+01:00 720.0", "2024-10-27T00:00:00+01:00 745.0",
                    "2024-11-27T00:00:00+00:00 24.0",
                ])
        #expect(
            try buckets(
                "2024-03-30T00:00:00Z", "2024-04-07T23:00:00Z", .week, london, weekStart: .sunday)
                == [
                    "2024-03-30T00:00:00+00:00 24.0", "2024-03-31T00:00:00+00:00 167.0",
                    "2024-04-07T00:00:00+01:00 24.0",
                ])
        // A skipped day starts with the next one, and so does its month; here, the 15th is skipped.
        let skipping = try zone([("2024-01-01T00:00:00Z", -600), ("2024-03-15T10:00:00Z", 840)])
        #expect(
            try buckets(
                "2024-03-14T10:00:00Z", "2024-03-16T10:00:00Z", .month, skipping, monthStart: 15)
                == ["2024-03-14T00:00:00-10:00 24.0", "2024-03-16T00:00:00+14:00 24.0"])
    }

    @Test func `has weeks from Sunday`() throws {
        #expect(
            try buckets(
                "2024-01-03T12:00:00Z", "2024-01-14T06:00:00Z", .week, .utc, weekStart: .sunday)
                == [
                    "2024-01-03T12:00:00+00:00 84.0", "2024-01-07T00:00:00+00:00 168.0",
                    "2024-01-14T00:00:00+00:00 6.0",
                ])
        #expect(
            try buckets(
                "1969-12-27T00:00:00Z", "1970-01-05T00:00:00Z", .week, .utc, weekStart: .sunday)
                == [
                    "1969-12-27T00:00:00+00:00 24.0", "1969-12-28T00:00:00+00:00 168.0",
                    "1970-01-04T00:00:00+00:00 24.0",
                ])
    }

    private func previous(
        _ from: String, _ to: String, _ offsets: ZoneOffsets, inDays: Bool = true
    ) throws -> String {
        let start = try instant(from)
        let period = ReportingPeriod(from: start, to: try instant(to), offsets: offsets)
        let previous = period.previous(inDays: inDays)
        #expect(previous.upperBound == start)
        return text(of: previous, offsets)
    }

    @Test func `follows a range of as many days, however long they are`() throws {
        for (from, to, expected) in [
            ("2024-03-31T00:00:00Z", "2024-04-01T23:00:00Z", "2024-03-29T00:00:00+00:00 48.0"),
            ("2024-03-31T23:00:00Z", "2024-04-01T23:00:00Z", "2024-03-31T00:00:00+00:00 23.0"),
            ("2024-10-28T00:00:00Z", "2024-10-29T00:00:00Z", "2024-10-27T00:00:00+01:00 25.0"),
            ("2024-04-30T23:00:00Z", "2024-05-31T23:00:00Z", "2024-03-31T00:00:00+00:00 743.0"),
            ("2024-03-01T00:00:00Z", "2024-03-01T00:00:00Z", "2024-03-01T00:00:00+00:00 0.0"),
        ] {
            #expect(try previous(from, to, london()) == expected)
        }
        // March has three days more than February.
        #expect(
            try previous("2023-03-01T00:00:00Z", "2023-04-01T00:00:00Z", .utc)
                == "2023-01-29T00:00:00+00:00 744.0")
        #expect(
            try previous("0001-01-03T00:00:00Z", "0001-01-13T00:00:00Z", .utc)
                == "0001-01-01T00:00:00+00:00 48.0")
    }

    @Test func `follows a range of as many seconds`() throws {
        for (from, to, expected) in [
            ("2024-03-31T00:00:00Z", "2024-03-31T23:00:00Z", "2024-03-30T01:00:00+00:00 23.0"),
            ("2024-04-01T00:00:00Z", "2024-04-02T00:00:00Z", "2024-03-31T00:00:00+00:00 24.0"),
            ("2024-06-01T12:00:00Z", "2024-06-01T12:30:00Z", "2024-06-01T12:30:00+01:00 0.5"),
        ] {
            #expect(try previous(from, to, london(), inDays: false) == expected)
        }
        #expect(
            try previous("0001-01-03T00:00:00Z", "9999-12-31T00:00:00Z", .utc, inDays: false)
                == "0001-01-01T00:00:00+00:00 48.0")
    }

    @Test func `does not count a skipped day, neither before it nor in it`() throws {
        for (from, to, expected) in [
            ("2011-12-30T10:00:00Z", "2012-01-01T10:00:00Z", "2011-12-28T00:00:00-10:00 48.0"),
            ("2011-12-31T10:00:00Z", "2012-01-02T10:00:00Z", "2011-12-29T00:00:00-10:00 48.0"),
            ("2011-12-29T10:00:00Z", "2011-12-31T10:00:00Z", "2011-12-27T00:00:00-10:00 48.0"),
        ] {
            #expect(try previous(from, to, apia()) == expected)
        }
    }

    @Test func `shows local mean time in whole minutes without moving the instant`() throws {
        let instant = try instant("1900-01-01T00:00:00Z")
        #expect(instant.description(offsetSeconds: 1172) == "1900-01-01T00:19:00+00:19")
        #expect(instant.description(offsetSeconds: -75) == "1899-12-31T23:58:00-00:02")
        #expect(
            try self.instant("9999-12-31T23:00:00Z").description(offsetSeconds: 3600)
                == "9999-12-31T23:00:00+00:00")
    }
}
