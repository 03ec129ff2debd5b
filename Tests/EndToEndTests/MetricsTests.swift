import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct `Metrics` {
    /// The samples by name and labels.
    private func samples(_ text: String) -> [String: Double] {
        let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
        return Dictionary(
            uniqueKeysWithValues: lines.compactMap { line in
                line.lastIndex(of: " ").map { end in
                    (String(line[..<end]), Double(line[end...].dropFirst()) ?? .nan)
                }
            })
    }

    private func scrape(_ responder: Responder) throws -> String {
        let client = FastCGIClient(responder.socketPath)
        client.send(
            FastCGIClient.request(
                [
                    "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/metrics", "ORBITAL_INTERNAL": "1",
                    "QUERY_STRING": "_=1&%ff&x",
                ], false))
        let answer = try #require(client.answer())
        let parts = answer.components(separatedBy: "\r\n\r\n")
        #expect(parts[0].hasPrefix("Status: 200 OK\r\nContent-Type: text/plain; version=0.0.4;"))
        return parts[1]
    }

    @Test func `distinguish a body without a length from a missing response`() throws {
        let site = try Site()
        defer { site.stop() }
        let client = FastCGIClient(site.responder.socketPath)
        client.send(
            FastCGIClient.request(
                [
                    "REQUEST_METHOD": "POST", "SCRIPT_NAME": "/usage/estimate",
                    "CONTENT_TYPE": "application/json", "HTTP_TRANSFER_ENCODING": "chunked",
                ], false))
        #expect(client.answer()?.hasPrefix("Status: 411 ") == true)
        let samples = samples(try scrape(site.responder))
        let requests = #"orbital_requests_total{route="/usage/estimate",method="POST","#
        #expect(samples[requests + #"code="411"}"#] == 1)
        #expect(samples[requests + #"code="none"}"#] == nil)
    }

    @Test func `are sent at once while the table of records is locked`() throws {
        let site = try Site()
        defer { site.stop() }
        let lock = try site.database.lockRecords()
        let begin = ContinuousClock.now
        let samples = samples(try scrape(site.responder))
        #expect(ContinuousClock.now - begin < .seconds(1))
        #expect(samples[#"orbital_refusals_total{reason="bulk"}"#] == 0)
        try lock.run("COMMIT")
    }

    @Test func `count what the service has done`() throws {
        let site = try Site(["QUEUE_LIMIT": "7"])
        defer { site.stop() }
        let key = try site.database.key()
        try site.database.run("UPDATE api_key SET expires_at = '2100-01-01Z'")
        try site.database.addContractRecords()
        let tag = try #require(site.curl("/usage").fields["etag"])
        _ = try site.curl("/usage")
        _ = try site.curl("/usage", ["-H", "If-None-Match: \(tag)"])
        _ = try site.curl("/usage?limit=0")
        _ = try site.curl("/usage/1")
        _ = try site.curl("/usage/2?x=orb_secret")
        _ = try site.curl("/health/secret")
        let body = #"[{"message_id":1,"message_text":"a"},{"message_text":"b"},{"x":1}]"#
        for _ in 1...2 {
            _ = try site.curl(
                "/usage",
                [
                    "-H", "Authorization: Bearer \(key)", "-H", "Content-Type: application/json",
                    "-d", body,
                ])
        }
        let text = try scrape(site.responder)
        let samples = samples(text)
        let requests = "orbital_requests_total"
        #expect(samples[requests + #"{route="/usage",method="GET",code="200"}"#] == 2)
        #expect(samples[requests + #"{route="/usage",method="GET",code="304"}"#] == 1)
        #expect(samples[requests + #"{route="/usage",method="GET",code="400"}"#] == 1)
        #expect(samples[requests + #"{route="/usage",method="POST",code="200"}"#] == 2)
        #expect(samples[requests + #"{route="/usage/{message_id}",method="GET",code="200"}"#] == 1)
        #expect(samples[requests + #"{route="/usage/{message_id}",method="GET",code="400"}"#] == 1)
        #expect(samples[requests + #"{route="none",method="GET",code="404"}"#] == 1)
        let durations = "orbital_request_duration_seconds_count"
        #expect(samples[durations + #"{route="/usage",method="GET"}"#] == 4)
        #expect(samples[durations + #"{route="/usage",method="POST"}"#] == 2)
        #expect(samples["orbital_sent_rows_total"] == 2)
        #expect(samples[#"orbital_query_answers_total{source="client"}"#] == 1)
        #expect(samples[#"orbital_query_answers_total{source="memory"}"#] == 1)
        #expect(samples[#"orbital_query_answers_total{source="database"}"#] == 2)
        #expect(samples[#"orbital_messages_total{outcome="created"}"#] == 2)
        #expect(text.contains("\norbital_credits_recorded_total 2.00\n"))
        let expiry = samples["orbital_key_expires_timestamp_seconds"]
        #expect(expiry == 4_102_444_800)
        #expect(samples["orbital_archive_failing"] == nil)
        #expect(samples[#"orbital_messages_total{outcome="conflict"}"#] == 2)
        #expect(samples[#"orbital_messages_total{outcome="duplicate"}"#] == 0)
        #expect(samples[#"orbital_messages_total{outcome="invalid"}"#] == 2)
        #expect(samples["orbital_workers"] == 16 && samples["orbital_workers_busy"] == 1)
        #expect(samples["orbital_queue_limit"] == 7 && samples["orbital_queue_length"] == 0)
        #expect(samples[#"orbital_healthy{check="database"}"#] == 1)
        #expect(samples[#"orbital_healthy{check="schema"}"#] == 1)
        #expect((samples["orbital_database_commands_total"] ?? 0) > 5)
        #expect((samples["orbital_database_wait_seconds_total"] ?? 0) > 0)
        #expect((samples["process_resident_memory_bytes"] ?? 0) > 1_000_000)
        let revision = try site.database.value("SELECT usage_revision()")
        #expect(samples["orbital_revision"].map { String(Int($0)) } == revision)
        // Nothing that a client has written is in it.
        #expect(!text.contains("secret") && !text.contains("orb_"))
    }

    @Test
    func `count records with a model that a rate without one has priced, of the newest 1,000`()
        throws
    {
        let site = try Site()
        defer { site.stop() }
        let name = "orbital_newest_records_without_model_rate"
        func insert(_ model: String, _ count: Int) throws {
            try site.database.run(
                """
                INSERT INTO usage_record ("timestamp", message_text, attribution_id)
                SELECT now(), 'x', usage_attribution('u', NULL, '\(model)', NULL)
                FROM generate_series(1, \(count))
                """)
        }
        func summarised() throws -> String? {
            try site.curl("/usage/summary").body
                .firstMatch(of: /"newest_records_without_model_rate":(\d+),/).map { String($0.1) }
        }
        #expect(samples(try scrape(site.responder))[name] == 0)
        try insert("gpt-5", 3)
        try insert("", 5)
        #expect(samples(try scrape(site.responder))[name] == 3)
        // Without a rate for a model, nobody expects one.
        #expect(try summarised() == nil)
        try site.database.run(
            """
            INSERT INTO credit_rate (model, effective_from, tokenizer, input_price, output_price,
                cache_read_price, cache_creation_price, minimum_hundredths)
            VALUES ('o*', '2024-01-01Z', 'characters', 1, 1, 1, 1, 1)
            """)
        #expect(try summarised() == "3")
        try insert("o3", 998)
        try insert("gpt-5", 1)
        #expect(samples(try scrape(site.responder))[name] == 1)
        #expect(try summarised() == "1")
        try insert("o3", 1000)
        #expect(samples(try scrape(site.responder))[name] == 0)
        #expect(try summarised() == nil)
    }

    @Test func `are valid for Prometheus`() throws {
        let site = try Site()
        defer { site.stop() }
        let checked = try Program.run(
            Repository.path(".run/promtool/promtool"), ["check", "metrics"],
            input: scrape(site.responder))
        #expect(checked.status == 0)
        #expect(checked.output + checked.errors == "")
    }

    @Test func `are neither on the public site nor visible to clients other than operators`() throws
    {
        let site = try Site(nginxFiles: ["orbital-metrics.conf"])
        defer { site.stop() }
        for path in ["/metrics", "/metrics/", "/usage/metrics", "/health/metrics"] {
            let answer = try site.curl(path, ["-H", "Orbital-Internal: 1"])
            #expect([400, 404].contains(answer.status), "\(path)")
            #expect(!answer.body.contains("orbital_build_info"))
        }
        #expect(try site.curl("/metrics").status == 404)
        let client = FastCGIClient(site.responder.socketPath)
        client.get("/metrics", keepConnection: false)
        #expect(client.answer()?.hasPrefix("Status: 404 Not Found\r\n") == true)
        // The optional file has a listener of its own, and nothing else on it.
        let socket = site.nginx.folder.appendingPathComponent("metrics").path
        func curl(_ path: String) throws -> String {
            try Program.run(
                "/usr/bin/curl", ["-sS", "--unix-socket", socket, "http://localhost\(path)"]
            ).output
        }
        #expect(try curl("/metrics").hasPrefix("# HELP orbital_build_info "))
        #expect(try curl("/usage").contains("404 Not Found"))
    }

    @Test func `show an unavailable database, and the requests that failed`() throws {
        let responder = try Responder(databaseURL: "host=/nowhere")
        defer { responder.stop() }
        let client = FastCGIClient(responder.socketPath)
        client.get("/usage", keepConnection: false)
        #expect(client.answer()?.hasPrefix("Status: 503 ") == true)
        let samples = samples(try scrape(responder))
        #expect(samples[#"orbital_healthy{check="database"}"#] == 0)
        #expect(samples[#"orbital_healthy{check="schema"}"#] == nil)
        #expect(samples["orbital_database_failures_total"] == 1)
        #expect(samples["orbital_revision"] == nil)
        let unavailable = #"orbital_requests_total{route="/usage",method="GET",code="503"}"#
        #expect(samples[unavailable] == 1)
    }
}
