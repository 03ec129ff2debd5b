import Foundation
import Postgres
import TestSupport
import Testing

/// What `Tests/api` does not compare with models.
@Suite(.timeLimit(.minutes(5))) struct `The API` {
    @Test func `lets clients cache a response for CACHE_SECONDS`() throws {
        let site = try Site(["CACHE_SECONDS": "60"])
        defer { site.stop() }
        for _ in 1...2 {
            #expect(try site.curl("/usage").fields["cache-control"] == "max-age=60")
        }
        #expect(try site.curl("/health").fields["cache-control"] == "no-store")
    }
}

/// Faults that an attack has found, each named after its symptom.
@Suite(.timeLimit(.minutes(2))) struct `The API, mended,` {
    @Test(arguments: [
        ("hour", "2024-02-01"), ("day", "2025-01-01"), ("week", "2028-12-25"),
        ("month", "2034-01-01"),
    ])
    func `survives a summary with as many buckets as there may be`(
        granularity: String, to: String
    ) throws {
        let site = try Site()
        defer { site.stop() }
        try site.database.run(
            """
            SET session_replication_role = replica;
            INSERT INTO usage_record ("timestamp", message_text, credit_hundredths)
            SELECT '2024-01-01Z'::timestamptz + n * interval '1 h', 'x', 9223372036854775807
            FROM generate_series(0, 100000) AS n;
            RESET session_replication_role
            """)
        let answer = try site.curl(
            "/usage/summary?from=2024-01-01&to=\(to)&granularity=\(granularity)")
        #expect(answer.status == 200)
        #expect(answer.body.hasSuffix("]}"))
        #expect(answer.body.count > 13_000)
    }

    @Test func `does not take report names that only look alike for the same`() throws {
        for memory in ["4", "0"] {
            let site = try Site(["CACHE_MEGABYTES": memory, "WORKERS": "1"])
            defer { site.stop() }
            try site.database.run(
                """
                INSERT INTO usage_record (message_id, "timestamp", report_name, message_text) VALUES
                (101, '2024-01-01Z', U&'caf\\00e9', 'x'), (102, '2024-01-02Z', U&'cafe\\0301', 'x')
                """)
            func ids(_ query: String) throws -> [String] {
                try site.curl("/usage?\(query)").body.matches(of: /"message_id":([0-9]+)/).map {
                    String($0.1)
                }
            }
            #expect(try ids("report_name=caf%C3%A9") == ["101"])
            #expect(try ids("report_name=cafe%CC%81") == ["102"])
            #expect(try ids("report_name=caf%C3%A9&report_name=cafe%CC%81") == ["101", "102"])
            #expect(try ids("report_name=caf\u{e9}") == ["101"])
            #expect(try ids("report_name=cafe\u{301}") == ["102"])
        }
    }

    @Test func `refuses bytes that are no UTF-8, and a zone with a Kelvin sign`() throws {
        let site = try Site()
        defer { site.stop() }
        let client = FastCGIClient(site.responder.socketPath)
        client.send(
            FastCGIClient.request(
                [
                    "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/usage",
                    "QUERY_STRING": "report_name=@@",
                ],
                true
            ).map { $0 == UInt8(ascii: "@") ? 0xff : $0 })
        #expect(client.answer()?.hasPrefix("Status: 400 ") == true)
        for path in [
            "/usage?from=2024-01-01&tz=Europe/%E2%84%AAiev", "/usage?tz=Europe/%E2%84%AAiev",
        ] {
            #expect(try site.curl(path).status == 400)
        }
    }

    @Test func `responds to health/live at once while the revision cannot be read`() throws {
        let site = try Site()
        defer { site.stop() }
        for _ in 1...20 { #expect(try site.curl("/usage").status == 200) }
        let lock = try Connection(url: site.database.url, applicationName: "lock", waitSeconds: 60)
        try lock.run("BEGIN; LOCK TABLE usage_revision IN ACCESS EXCLUSIVE MODE")
        let reads = try (1...30).map { _ in
            try site.startCurl("/usage", options: ["-w", "%{http_code}"])
        }
        #expect(eventually { reads.contains { $0.output == "503" } })
        let times = try (1...20).map { _ in try #require(try site.seconds("/health/live")) }
            .sorted()
        // Behind one that waits for the revision it would be half a second at least.
        #expect(times[9] < 0.1 && times[19] < 1, "\(times)")
        try lock.run("ROLLBACK")
        #expect(reads.map { $0.wait() }.allSatisfy { $0 == 0 })
        #expect(Set(reads.map(\.output)).isSubset(of: ["200", "503"]))
    }

    @Test func `sums records of the first and the last day in every zone`() throws {
        let site = try Site()
        defer { site.stop() }
        try site.database.replicate(
            "(1, '0001-01-01Z', 'x', 1, 1), (2, '9999-12-31T23:59:59.999999Z', 'x', 1, 1)")
        for zone in ["UTC", "Europe/London", "America/New_York", "Asia/Tokyo", "Etc/GMT-14"] {
            let answer = try site.curl("/usage/summary?granularity=total&tz=\(zone)")
            #expect(answer.status == 200)
            #expect(answer.body.contains(#""totals":{"messages":2,"#))
        }
    }

    @Test func `writes links and file names in the words of each request`() throws {
        let site = try Site()
        defer { site.stop() }
        try site.database.addRecords(5)
        let range = "limit=2&from=2024-01-01&to=2024-01-03"
        _ = try site.curl("/usage?\(range)", ["-H", "Accept: text/csv"])
        let second = try site.curl("/usage?format=csv&\(range)&tz=UTC")
        #expect(
            second.fields["link"]?.hasPrefix("</usage?format=csv&\(range)&tz=UTC&cursor=") == true)
        #expect(
            second.fields["content-disposition"]
                == #"attachment; filename="usage_2024-01-01_2024-01-03_UTC.csv""#)
        let users = try site.curl("/usage/attributions?of=tag:env&format=csv&to=2024-01-03")
        #expect(
            users.fields["content-disposition"]
                == #"attachment; filename="usage_attributions_tagenv_2024-01-03.csv""#)
        let long = (0..<100).map { "report_name=\($0)\(String(repeating: "\u{20ac}", count: 90))" }
            .joined(separator: "&")
        let answer = try site.curl("/usage?limit=1&\(long)")
        #expect(answer.status == 200 || answer.status == 414)
    }

    @Test func `keeps its database connections through HEAD, If-None-Match: * and any zone`() throws
    {
        let site = try Site(["WORKERS": "1", "CACHE_MEGABYTES": "0"])
        defer { site.stop() }
        try site.database.addRecords(50_000)
        func backend() throws -> String? {
            try site.database.value(
                "SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE application_name = 'orbital-fcgi' AND datname = current_database()"
            )
        }
        _ = try site.curl("/usage", ["--head"])
        let first = try backend()
        for path in ["/usage", "/usage/summary?granularity=week", "/usage?format=csv&totals=true"] {
            #expect(try site.curl(path, ["--head"]).status == 200)
            #expect(try site.curl(path, ["-H", "If-None-Match: *"]).status == 304)
        }
        for query in [
            "granularity=week&tz=Asia/Tokyo", "granularity=total&tz=Europe/London",
            "granularity=week&tz=Asia/Kathmandu&from=2024-01-01",
        ] {
            #expect(try site.curl("/usage/summary?\(query)").status == 200)
        }
        #expect(try backend() == first)
    }
}
