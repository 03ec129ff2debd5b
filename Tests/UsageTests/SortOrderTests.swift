import Testing
import Usage

@Suite struct `A sort order` {
    @Test(arguments: [
        ("timestamp", "timestamp:asc,message_id:asc"),
        ("credits_used:desc,report_name:asc", "credits_used:desc,report_name:asc,message_id:asc"),
        ("message_id:desc", "message_id:desc"),
        // After the id nothing is alike, so what follows orders nothing.
        ("message_id:desc,timestamp:asc", "message_id:desc"),
    ])
    func `is read`(text: String, order: String) {
        #expect(SortOrder(text)?.description == order)
    }

    @Test(arguments: [
        "", ",", "timestamp,", "timestamp:", "timestamp:up", "timestamp:ASC", "Timestamp", "text",
        "timestamp:asc:asc", "timestamp,timestamp:desc", " timestamp", "message_text",
        "timestamp;drop table usage_record",
    ])
    func `is refused`(text: String) { #expect(SortOrder(text) == nil) }
}

@Suite struct `A page cursor` {
    private let sort = SortOrder("report_name:desc,credits_used,timestamp")
    private let values: [PageCursor.Value] = [
        .text("é\u{1F600}"), .integer(-1), .integer(1_700_000_000_000_000), .integer(.min),
    ]

    @Test func `is read back, for its own query only`() throws {
        let sort = try #require(sort)
        for name: String? in ["é\u{1F600}", "", nil] {
            let cursor = PageCursor([.text(name)] + values.dropFirst())
            let text = cursor.text(fingerprint: 7)
            #expect(
                text.utf8.allSatisfy {
                    "-_".utf8.contains($0) || Character(UnicodeScalar($0)).isASCII
                })
            #expect(PageCursor(text, fingerprint: 7, sort: sort) == cursor)
            #expect(PageCursor(text, fingerprint: 8, sort: sort) == nil)
            #expect(PageCursor(text, fingerprint: 7, sort: .standard) == nil)
        }
    }

    @Test func `is refused when a single character is missing, added or changed to nonsense`()
        throws
    {
        let sort = try #require(sort)
        let text = PageCursor(values).text(fingerprint: 7)
        for end in text.indices {
            #expect(PageCursor(String(text[..<end]), fingerprint: 7, sort: sort) == nil)
            for character in ["", "=", "+", "é", "\0"] {
                let changed = text[..<end] + character + text[text.index(after: end)...]
                #expect(PageCursor(String(changed), fingerprint: 7, sort: sort) == nil)
            }
        }
        for added in ["A", "AA", "AAAA", "="] {
            #expect(PageCursor(text + added, fingerprint: 7, sort: sort) == nil)
        }
        #expect(PageCursor(String(repeating: "A", count: 5000), fingerprint: 7, sort: sort) == nil)
    }

    @Test func `never holds a time that there is not, or a name that is no text`() throws {
        let sort = try #require(SortOrder("timestamp"))
        for microseconds in [
            Int64.min, Int64.max, -62_135_596_800_000_001, 253_402_300_800_000_000,
        ] {
            let text = PageCursor([.integer(microseconds), .integer(1)]).text(fingerprint: 7)
            #expect(PageCursor(text, fingerprint: 7, sort: sort) == nil)
        }
        let names = try #require(SortOrder("report_name"))
        let text = PageCursor([.text("a\0b"), .integer(1)]).text(fingerprint: 7)
        #expect(PageCursor(text, fingerprint: 7, sort: names) == nil)
    }
}

@Suite struct `An end of a period` {
    @Test func `is a date or an instant`() {
        #expect(
            PeriodBound("2024-02-29") == CivilDate(year: 2024, month: 2, day: 29).map { .day($0) })
        #expect(
            PeriodBound("2024-01-01T01:00:00+01:00")
                == Timestamp("2024-01-01T00:00:00Z").map { .instant($0) })
    }

    @Test(arguments: [
        "", "2024", "2024-02-30", "2023-02-29", "2024-1-1", "0000-01-01", "10000-01-01",
        "2024-01-01 ", "2024-01-01T00:00:00", "2024-01-01T00:00:00 01:00", "now", "1704067200",
        "2024-01-01T24:00:00Z", "-2024-01-01", "２０２４-01-01",
    ])
    func `is nothing else`(text: String) { #expect(PeriodBound(text) == nil) }
}
