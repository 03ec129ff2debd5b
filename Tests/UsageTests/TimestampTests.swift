import Testing
import Usage

@Suite struct `A timestamp` {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (1, "1970-01-01T00:00:00.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"), (1_705_329_000_000_000, "2024-01-15T14:30:00Z"),
        (1_705_329_000_500_000, "2024-01-15T14:30:00.500000Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00Z"),
        (-62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
    ])
    func `is written in UTC, with six decimals unless they are zero`(
        microseconds: Int64, text: String
    ) {
        #expect(Timestamp(microseconds: microseconds).description == text)
        #expect(Timestamp(text)?.microseconds == microseconds)
    }

    @Test(arguments: [
        ("2024-01-15T14:30:00+02:00", "2024-01-15T12:30:00Z"),
        ("2024-01-15T14:30:00-05:30", "2024-01-15T20:00:00Z"),
        ("2024-01-15t14:30:00z", "2024-01-15T14:30:00Z"),
        ("2024-01-15 14:30:00Z", "2024-01-15T14:30:00Z"),
        ("2024-01-15T14:30:00.5Z", "2024-01-15T14:30:00.500000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2024-01-15T23:59:59.9999999Z", "2024-01-15T23:59:59.999999Z"),
    ])
    func `is read from RFC 3339`(text: String, utc: String) {
        #expect(Timestamp(text)?.description == utc)
    }

    @Test(arguments: [
        "", "2024-01-15", "2024-01-15T14:30:00", "2024-01-15T14:30Z", "2024-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z",
        "2024-01-00T00:00:00Z", "2024-01-15T24:00:00Z", "2024-01-15T14:60:00Z",
        "2024-01-15T14:30:61Z", "2024-01-15T14:30:00.Z", "2024-01-15T14:30:00+25:00",
        "2024-01-15T14:30:00+02", "2024-01-15T14:30:00Z ", "24-01-15T14:30:00Z",
        "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00",
        "1705329000", "2024-01-15T14:30:00.1234567890Z",
    ])
    func `refuses anything else`(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test func `keeps every day of four thousand years`() {
        var expected = CivilDate(year: 1, month: 1, day: 1)
        for days in Int64(-719_162)...Int64(741_800) {
            let date = CivilDate(daysSince1970: days)
            #expect(date == expected)
            #expect(date.daysSince1970 == days)
            expected =
                CivilDate(year: date.year, month: date.month, day: date.day + 1)
                ?? CivilDate(year: date.year, month: date.month + 1, day: 1)
                ?? CivilDate(year: date.year + 1, month: 1, day: 1)
        }
    }

    @Test func `drops the fraction downwards, before 1970 too`() {
        #expect(Timestamp(microseconds: 1_999_999).wholeSeconds.microseconds == 1_000_000)
        #expect(Timestamp(microseconds: -1).wholeSeconds.microseconds == -1_000_000)
    }
}
