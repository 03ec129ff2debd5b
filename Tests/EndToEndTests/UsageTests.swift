import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct `GET /usage through nginx` {
    @Test func `is byte for byte that of the contract`() throws {
        let site = try Site()
        defer { site.stop() }
        try site.database.addContractRecords()
        let answer = try site.curl("/usage")
        #expect(answer.status == 200)
        #expect(
            answer.body == #"""
                {"usage":[{"message_id":1,"timestamp":"2024-01-15T14:30:00Z","report_name":"Contract Analysis","credits_used":15.60},{"message_id":2,"timestamp":"2024-01-15T15:45:00Z","credits_used":8.20}]}
                """#)
        #expect(answer.fields["content-type"] == "application/json")
        #expect(answer.fields["cache-control"] == "no-cache")
        #expect(answer.fields["x-content-type-options"] == "nosniff")
        #expect(answer.fields["content-security-policy"]?.hasPrefix("default-src 'none'") == true)
    }

    /// The table of the contract, and texts in which bytes, code points and graphemes differ.
    private static let prices: [(text: String, credits: String)] = [
        ("", "1.00"), (String(repeating: "x", count: 10), "1.00"),
        (String(repeating: "x", count: 50), "5.00"), (String(repeating: "x", count: 100), "10.00"),
        (String(repeating: "x", count: 500), "50.00"), ("What is the rent?", "1.70"),
        // The family is 7 code points, the accent 2, CRLF 2, the emoji and the old Italic letter 1.
        (
            String(
                repeating: "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}\u{200D}\u{1F466}", count: 10
            ), "7.00"
        ),
        (String(repeating: "e\u{301}", count: 10), "2.00"),
        (String(repeating: "\r\n", count: 10), "2.00"),
        (String(repeating: "\u{1F600}", count: 11), "1.10"),
        (String(repeating: "\u{10300}", count: 12), "1.20"),
        (String(repeating: "漢", count: 13), "1.30"),
    ]

    private func credits(_ site: Site) throws -> [String] {
        try site.curl("/usage").body.matches(of: /"credits_used":([0-9.]+)/).map { String($0.1) }
    }

    @Test func `shows the credits of the contract for records inserted with psql`() throws {
        let site = try Site()
        defer { site.stop() }
        for (index, price) in Self.prices.enumerated() {
            let text = price.text.unicodeScalars.map { "chr(\($0.value))" }.joined(
                separator: " || ")
            _ = try site.database.psql(
                "INSERT INTO usage_record (message_id, \"timestamp\", message_text) VALUES (\(index), '2024-01-01Z', \(text.isEmpty ? "''" : text))"
            )
        }
        #expect(try credits(site) == Self.prices.map(\.credits))
    }

    @Test func `shows the same credits for records that were imported`() throws {
        let site = try Site()
        defer { site.stop() }
        let lines = try Self.prices.enumerated().map { index, price in
            let text = String(decoding: try JSONEncoder().encode(price.text), as: UTF8.self)
            return
                "{\"message_id\":\(index),\"timestamp\":\"2024-01-01T00:00:00Z\",\"message_text\":\(text)}\n"
        }
        let imported = try Program.run(
            Repository.program("orbitalctl"), ["import", "-"],
            environment: ["DATABASE_URL": site.database.url], input: lines.joined())
        #expect(imported.output == "created \(lines.count), duplicates 0, conflicts 0, invalid 0\n")
        #expect(try credits(site) == Self.prices.map(\.credits))
    }

    @Test func `responds to HEAD with the header alone, and leaves no query behind`() throws {
        let site = try Site()
        defer { site.stop() }
        try site.database.addRecords(300_000)
        for _ in 1...10 {
            let answer = try site.curl("/usage", ["--head"])
            #expect(answer.status == 200)
            #expect(answer.body == "")
        }
        #expect(try eventually(seconds: 1) { try site.runningQueries() == 0 })
    }

    @Test func `names every parameter that it refuses`() throws {
        let site = try Site()
        defer { site.stop() }
        let answer = try site.curl("/usage?limit=0&%3Cb%3E=%22")
        #expect(answer.status == 400)
        #expect(answer.fields["content-type"] == "application/problem+json")
        #expect(
            answer.body.contains(
                #""errors":[{"in":"query","name":"limit","code":"out_of_range","message":"limit must be a number from 1 to 1000."},{"in":"query","name":"<b>","code":"unknown","#
            ))
    }

    @Test func `is compressed for those who ask, and the same after that`() throws {
        let site = try Site()
        defer { site.stop() }
        try site.database.addRecords(5000)
        let plain = try site.curl("/usage")
        let compressed = try site.curl("/usage", ["--compressed"])
        #expect(compressed.fields["content-encoding"] == "gzip")
        #expect(compressed.body == plain.body)
    }
}
