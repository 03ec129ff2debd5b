import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct `POST /usage` {
    private func record(_ body: String, at site: Site, _ key: String) throws -> Site.Answer {
        try site.curl(
            "/usage",
            [
                "-H", "Authorization: Bearer \(key)", "-H", "Content-Type: application/json",
                "-d", body,
            ])
    }

    @Test func `records the others while one message waits for a transaction elsewhere`() throws {
        let site = try Site()
        defer { site.stop() }
        let key = try site.database.key()
        func post(_ id: Int) throws -> Program {
            try Program(
                "/usr/bin/curl",
                [
                    "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H",
                    "Authorization: Bearer \(key)", "-H", "Content-Type: application/json", "-d",
                    #"{"message_id":\#(id),"message_text":"x"}"#,
                ] + site.curlArguments("/usage"))
        }
        let other = try Connection(url: site.database.url, applicationName: "t", waitSeconds: 60)
        try other.run(
            """
            BEGIN;
            INSERT INTO usage_record (message_id, "timestamp", message_text) VALUES (5, now(), 'y')
            """)
        let waiting = try post(5)
        let begin = ContinuousClock.now
        let others = try (6...25).map { try post($0) }
        #expect(others.map { $0.wait() } == Array(repeating: 0, count: 20))
        #expect(others.map(\.output) == Array(repeating: "201", count: 20))
        #expect(ContinuousClock.now - begin < .seconds(5))
        #expect(waiting.isRunning)
        try other.run("COMMIT")
        waiting.wait()
        #expect(waiting.output == "409")
    }

    @Test(arguments: [
        "INSERT INTO usage_record (message_id, \"timestamp\", message_text) VALUES (5, now(), 'y')",
        "LOCK TABLE usage_record IN SHARE MODE",
    ])
    func `leaves workers for health while it waits for a lock`(lock: String) throws {
        let site = try Site()
        defer { site.stop() }
        let key = try site.database.key()
        let other = try Connection(url: site.database.url, applicationName: "t", waitSeconds: 60)
        try other.run("BEGIN; \(lock)")
        let waiting = try (1...10).map { _ in
            try site.startCurl(
                "/usage",
                options: [
                    "-w", "%{http_code}", "-H", "Authorization: Bearer \(key)", "-H",
                    "Content-Type: application/json", "-d", #"{"message_id":5,"message_text":"x"}"#,
                ])
        }
        var slowest = Duration.zero
        for _ in 1...20 {
            let begin = ContinuousClock.now
            #expect(try site.curl("/health/live").status == 200)
            slowest = max(slowest, ContinuousClock.now - begin)
        }
        #expect(slowest < .seconds(5))
        #expect(waiting.map { $0.wait() } == Array(repeating: 0, count: 10))
        #expect(Set(waiting.map(\.output)) == ["503"])
        try other.run("ROLLBACK")
    }

    @Test func `finds free ids though a client has taken thousands of those that come next`() throws
    {
        let site = try Site()
        defer { site.stop() }
        let key = try site.database.key()
        func post(_ body: String) throws -> Site.Answer { try record(body, at: site, key) }
        for first in [1, 4_503_599_627_370_497, 9_007_199_250_000_000] {
            try site.database.run(
                """
                INSERT INTO usage_record (message_id, "timestamp", message_text)
                SELECT \(first) + n, now(), 'x' FROM generate_series(0, 20000) AS n;
                SELECT setval('usage_record_message_id_seq', \(first))
                """)
            #expect(try post(#"{"message_text":"one"}"#).status == 201)
            let many = try post(#"[{"message_text":"two"},{"message_text":"three"}]"#)
            #expect(many.body.hasPrefix(#"{"created":2,"#), "\(many.body)")
        }
        // An id that the database would choose next is its client's own.
        let last = try site.database.value("SELECT last_value FROM usage_record_message_id_seq")
        let next = (Int64(last ?? "") ?? 0) + 1
        let answer = try post(#"[{"message_text":"a"},{"message_id":\#(next),"message_text":"b"}]"#)
        #expect(answer.body.hasPrefix(#"{"created":2,"#), "\(answer.body)")
        #expect(answer.body.contains(#"{"index":1,"message_id":\#(next),"status":"created""#))
    }

    @Test func `chooses ids that JavaScript can hold, whatever ids clients have chosen`() throws {
        let site = try Site()
        defer { site.stop() }
        let key = try site.database.key()
        func post(_ body: String) throws -> Site.Answer { try record(body, at: site, key) }
        let clients = [1, 2, (1 << 53) - 1, 1 << 53, 1 << 60].map {
            #"{"message_id":\#($0),"timestamp":"2024-01-01T00:00:00Z","message_text":"x"}"#
        }
        #expect(try post("[\(clients.joined(separator: ","))]").body.hasPrefix(#"{"created":5,"#))
        #expect(try post(#"{"message_text":"y"}"#).status == 201)
        let imported = try Program.run(
            Repository.program("orbitalctl"), ["import", "-"],
            environment: ["DATABASE_URL": site.database.url],
            input: clients.joined(separator: "\n").replacing(":90071", with: ":80071"))
        #expect(imported.status == 0, "\(imported.output)")
        #expect(try post(#"[{"message_text":"y"},{"message_text":"y"}]"#).status == 200)
        try site.database.run(
            "INSERT INTO usage_record (\"timestamp\", message_text) VALUES (now(), 'y')")
        #expect(
            try site.database.value(
                "SELECT string_agg(message_id::text, ' ' ORDER BY message_id) FROM usage_record WHERE message_text = 'y'"
            ) == "3 4 5 6")
        // After the last id, none is left.
        try site.database.run(
            "SELECT setval('usage_record_message_id_seq', \((1 << 53) - 2))")
        let none = try post(#"{"message_text":"z"}"#)
        #expect(none.status == 503, "\(none.body)")
        #expect(site.responder.program.output.contains("no message_id is left to assign"))
        #expect(try post(#"{"message_id":9,"message_text":"z"}"#).status == 201)
        let error = #expect(throws: PostgresError.self) {
            try site.database.run(
                "INSERT INTO usage_record (\"timestamp\", message_text) VALUES (now(), 'z')")
        }
        #expect(error?.state == "2200H")
    }

    @Test func `works under a CGI server, large bodies included`() throws {
        let database = try Database()
        let text = String(repeating: "x", count: 2_000_000)
        let body = #"{"message_id":5,"message_text":"\#(text)"}"#
        func post(_ more: [String: String]) throws -> String {
            try Program.run(
                Repository.program("orbital-fcgi"),
                environment: [
                    "DATABASE_URL": database.url, "REQUEST_METHOD": "POST",
                    "SCRIPT_NAME": "/cgi-bin/orbital", "PATH_INFO": "/usage",
                    "CONTENT_TYPE": "application/json",
                ].merging(more) { $1 }, input: body
            ).output
        }
        // Apache hands the field on by a rewrite rule, under this name.
        let key = ["REDIRECT_HTTP_AUTHORIZATION": "Bearer \(try database.key())"]
        let length = ["CONTENT_LENGTH": String(body.utf8.count)]
        let created = try post(key.merging(length) { $1 })
        #expect(created.hasPrefix("Status: 201 Created\r\n"))
        #expect(created.contains("\r\nLocation: /cgi-bin/orbital/usage/5\r\n"))
        #expect(created.contains(#""credits_used":200000.00}"#))
        // An incomplete body is rejected.
        let cut = try post(key.merging(["CONTENT_LENGTH": String(body.utf8.count + 1)]) { $1 })
        #expect(!cut.contains("Status: 20"))
        #expect(try post(length).hasPrefix("Status: 401 Unauthorized\r\n"))
        #expect(try database.value("SELECT count(*) FROM usage_record") == "1")
    }
}
