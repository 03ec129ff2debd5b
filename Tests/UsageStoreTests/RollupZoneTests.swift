import Foundation
import Postgres
import TestSupport
import Testing
import Usage
import UsageStore

/// PostgreSQL's local days of the rollups, compared with those of summaries.
@Suite(.timeLimit(.minutes(5))) struct `The days, months and years of rollups` {
    @Test func `begin when those of summaries do, in zones of every kind`() throws {
        let database = try Database()
        let zones = try database.connection.query(
            """
            SELECT DISTINCT ON (utc_offset, is_dst, abbrev) name FROM pg_timezone_names
            WHERE name !~ '^(posix|right)/' AND name NOT IN ('Factory', 'localtime', 'posixrules')
            UNION
            SELECT unnest(ARRAY[
                'Africa/Cairo', 'Africa/Casablanca', 'America/Asuncion', 'America/Havana',
                'America/Sao_Paulo', 'America/St_Johns', 'Antarctica/Troll', 'Asia/Amman',
                'Asia/Beirut', 'Asia/Gaza', 'Asia/Tehran', 'Australia/Lord_Howe', 'CET',
                'Europe/London', 'Pacific/Apia', 'Pacific/Kwajalein'])
            """)
        #expect(zones.count > 80)
        let store = database.store()
        let first = try #require(Timestamp("2000-01-03T00:00:00Z"))
        let last = try #require(Timestamp("2040-01-01T00:00:00Z"))
        var compared = 0
        for zone in (0..<zones.count).compactMap({ zones[$0, 0] }) {
            let offsets = try store.offsets(of: zone, from: first, to: last)
            try compareStarts(database, zone, offsets)
            let changes = offsets.segments.dropFirst().map(\.start).filter { $0 > first }
            compared += try compareBuckets(database, zone, offsets, [first, last] + changes)
        }
        #expect(compared > 8_000)
    }

    /// The starts of all months, and of the days around each change of the clocks.
    private func compareStarts(
        _ database: Database, _ zone: String, _ offsets: ZoneOffsets
    ) throws {
        var days = (2000 * 12 + 1..<2040 * 12).compactMap { month in
            CivilDate(year: month / 12, month: month % 12 + 1, day: 1)
        }
        for segment in offsets.segments.dropFirst() {
            let number = offsets.date(at: segment.start).daysSince1970
            days += (-1...2).map { CivilDate(daysSince1970: number + $0) }
        }
        try database.connection.query("SELECT set_config('TimeZone', $1::text, false)", [zone])
        let result = try database.connection.query(
            """
            SELECT string_agg(
                (extract(epoch FROM usage_day_start('1970-01-01'::date + day)) * 1000000)::bigint::text,
                ',' ORDER BY position)
            FROM unnest($1::integer[]) WITH ORDINALITY AS days(day, position)
            """, ["{\(days.map { String($0.daysSince1970) }.joined(separator: ","))}"])
        let starts = (result[0, 0] ?? "").split(separator: ",").compactMap { Int64($0) }
        let wrong = zip(days, starts).filter { offsets.start(of: $0).microseconds != $1 }
        #expect(wrong.isEmpty, "\(zone): \(wrong.prefix(3))")
        #expect(starts.count == days.count)
    }

    /// The day, the month and the year of the quarters of an hour around each instant; their number.
    private func compareBuckets(
        _ database: Database, _ zone: String, _ offsets: ZoneOffsets, _ instants: [Timestamp]
    ) throws -> Int {
        let quarter: Int64 = 900_000_000
        let quarters = Set(
            instants.flatMap { instant in
                (-13...13).map { instant.microseconds / quarter * quarter + $0 * quarter }
            })
        let result = try database.connection.query(
            """
            SELECT (extract(epoch FROM quarter) * 1000000)::bigint, unit,
                (extract(epoch FROM starts_at) * 1000000)::bigint,
                (extract(epoch FROM ends_at) * 1000000)::bigint
            FROM usage_buckets_at($1::text,
                ARRAY(SELECT to_timestamp(n / 1000000) FROM unnest($2::bigint[]) AS n))
            """, [zone, "{\(quarters.map(String.init).joined(separator: ","))}"])
        #expect(result.count == 3 * quarters.count)
        var wrong: [String] = []
        for row in 0..<result.count {
            let values = [0, 2, 3].map { column in
                Timestamp(microseconds: Int64(result[row, column] ?? "") ?? 0)
            }
            let (instant, start, end) = (values[0], values[1], values[2])
            let unit = result[row, 1] ?? ""
            if !(start <= instant && instant < end && isWhole(unit, start..<end, offsets)
                && (unit != "day" || offsets.startOfDay(after: instant) == end))
            {
                wrong.append("\(instant): \(start) to \(end)")
            }
        }
        #expect(wrong.isEmpty, "\(zone): \(wrong.prefix(3))")
        return result.count
    }

    private func isWhole(
        _ unit: String, _ range: Range<Timestamp>, _ offsets: ZoneOffsets
    ) -> Bool {
        if unit == "year" {
            let year = offsets.date(at: range.lowerBound).year
            return [year, year + 1].map { CivilDate(year: $0, month: 1, day: 1) }
                == [range.lowerBound, range.upperBound].map { offsets.date(at: $0) }
                && [range.lowerBound, range.upperBound].allSatisfy {
                    offsets.start(of: offsets.date(at: $0)) == $0
                }
        }
        // A bucket of summaries, cut at both ends by the period.
        let period = ReportingPeriod(from: range.lowerBound, to: range.upperBound, offsets: offsets)
        let before = Timestamp(microseconds: range.lowerBound.microseconds - 1)
        return period.buckets(unit == "month" ? .month : .day) == [range]
            && offsets.startOfDay(after: before) == range.lowerBound
    }
}
