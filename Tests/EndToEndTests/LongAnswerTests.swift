import Foundation
import Postgres
import TestSupport
import Testing

/// Answers that nginx sends from files: they carry their length, and those of the responder do not.
@Suite(.timeLimit(.minutes(2))) struct `A long answer that is asked for again` {
    private func site(_ environment: [String: String] = [:]) throws -> Site {
        let site = try Site(environment)
        try site.database.run(
            """
            INSERT INTO usage_record ("timestamp", report_name, message_text)
            SELECT '2024-01-01Z'::timestamptz + n * interval '1 minute', 'Report ' || n % 7, 'x'
            FROM generate_series(1, 10000) AS n
            """)
        return site
    }

    private func isFromFile(_ answer: Site.Answer) -> Bool {
        answer.fields["content-length"] == String(answer.body.utf8.count)
    }

    private static let changing = ["date", "content-length", "transfer-encoding", "x-request-id"]

    private func fields(_ answer: Site.Answer) -> [String: String] {
        var fields = answer.fields.filter { !Self.changing.contains($0.key) }
        // It is there each time, with other numbers.
        if fields["server-timing"] != nil { fields["server-timing"] = "" }
        return fields
    }

    @Test(arguments: [
        "", "?format=csv&totals=true", "?format=ndjson&tz=Europe/London&from=2024-01-01",
    ])
    func `comes from a file, the same in body and fields`(_ query: String) throws {
        let site = try site()
        defer { site.stop() }
        let answers = try (1...4).map { _ in try site.curl("/usage\(query)") }
        #expect(answers.map(isFromFile) == [false, false, true, true])
        for answer in answers {
            #expect(answer.status == 200)
            #expect(answer.body == answers[0].body)
            #expect(fields(answer) == fields(answers[0]))
        }
        let head = try site.curl("/usage\(query)", ["--head"])
        #expect(head.fields["etag"] == answers[0].fields["etag"])
        let tag = try #require(answers[3].fields["etag"])
        #expect(try site.curl("/usage\(query)", ["-H", "If-None-Match: \(tag)"]).status == 304)
    }

    @Test func `is never older than the last commit`() throws {
        let site = try site()
        defer { site.stop() }
        for round in 1...5 {
            for _ in 1...3 { _ = try site.curl("/usage") }
            #expect(isFromFile(try site.curl("/usage")))
            try site.database.run(
                """
                INSERT INTO usage_record (message_id, "timestamp", message_text)
                VALUES (\(100_000 + round), '2023-01-01Z', 'x')
                """)
            #expect(try site.curl("/usage").body.contains(#""message_id":\#(100_000 + round),"#))
        }
    }

    @Test func `is whole and found current, whatever the request says of ranges and dates`() throws
    {
        let site = try site()
        defer { site.stop() }
        let whole = try (1...3).map { _ in try site.curl("/usage") }[2]
        #expect(isFromFile(whole))
        for field in [
            "Range: bytes=0-9", "If-Match: \"other\"",
            "If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT",
            "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT",
        ] {
            let answer = try site.curl("/usage", ["-H", field])
            #expect(answer.status == 200, "\(field)")
            #expect(answer.body == whole.body, "\(field)")
            #expect(answer.fields["last-modified"] == nil && answer.fields["accept-ranges"] == nil)
        }
    }

    @Test func `wants a key as before`() throws {
        let site = try site(["ACCESS": "keyed"])
        defer { site.stop() }
        let key = try site.database.key(["usage:read"])
        for _ in 1...3 {
            let answer = try site.curl("/usage", ["-H", "Authorization: Bearer \(key)"])
            #expect(answer.fields["cache-control"] == "private, no-cache")
            #expect(answer.fields["vary"] == "Accept, Accept-Encoding, Authorization")
        }
        #expect(try site.curl("/usage").status == 401)
        #expect(try site.curl("/orbital-spool/").status == 404)
    }

    @Test func `finds room again after a reload, though some workers have had no request since`()
        throws
    {
        // Room for one answer.
        let site = try site(["SPOOL_MEGABYTES": "1"])
        defer { site.stop() }
        // Many workers at once.
        let lock = try site.database.lockRecords()
        let reads = try (1...8).map { _ in try site.startCurl("/usage?limit=1") }
        #expect(try eventually { try site.runningQueries("usage_record") == 8 })
        try lock.run("ROLLBACK")
        #expect(reads.map { $0.wait() } == Array(repeating: 0, count: 8))
        for _ in 1...3 { _ = try site.curl("/usage") }
        #expect(isFromFile(try site.curl("/usage")))
        site.responder.program.signal(SIGHUP)
        #expect(eventually { site.responder.program.output.contains("configuration reloaded") })
        let isKept = try eventually(seconds: 30) {
            // Each revision is a new try.
            try site.database.run("DELETE FROM usage_record WHERE false")
            for _ in 1...2 { _ = try site.curl("/usage") }
            return isFromFile(try site.curl("/usage"))
        }
        #expect(isKept)
    }

    @Test func `is streamed when the files have no room`() throws {
        let site = try site(["SPOOL_MEGABYTES": "1", "CACHE_MEGABYTES": "0"])
        defer { site.stop() }
        try site.database.run(
            """
            INSERT INTO usage_record ("timestamp", message_text)
            SELECT '2024-01-01Z', 'x' FROM generate_series(1, 10000)
            """)
        for _ in 1...4 {
            let answer = try site.curl("/usage")
            #expect(!isFromFile(answer))
            #expect(answer.body.count(of: "message_id") == 20_000)
        }
    }

    @Test func `is a 503 when its file is lost, and never an empty body`() throws {
        let site = try site()
        defer { site.stop() }
        for _ in 1...3 { _ = try site.curl("/usage") }
        let spool = "\(site.responder.socketPath).spool"
        let files = try FileManager.default.subpathsOfDirectory(atPath: spool)
        for file in files where file.hasSuffix("/1") {
            try FileManager.default.removeItem(atPath: "\(spool)/\(file)")
        }
        let answer = try site.curl("/usage")
        #expect(answer.status == 503)
        #expect(answer.fields["content-type"] == "application/problem+json")
        #expect(answer.fields["retry-after"] == "1")
    }
}

extension String {
    fileprivate func count(of part: String) -> Int { components(separatedBy: part).count - 1 }
}
