import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `The log` {
    /// The lines of a responder that had three requests, one of them made slow by a lock.
    private func lines(_ environment: [String: String]) throws -> [String] {
        let site = try Site(environment)
        defer { site.stop() }
        let lock = try site.database.lockRecords()
        let slow = try site.startCurl("/usage?report_name=Secret&limit=10")
        #expect(try eventually { try site.runningQueries("usage_record") == 1 })
        usleep(1_200_000)
        try lock.run("ROLLBACK")
        #expect(slow.wait() == 0)
        _ = try site.curl("/usage?limit=10")
        _ = try site.curl("/health")
        site.responder.stop()
        return site.responder.program.output.split(separator: "\n").map(String.init)
    }

    private struct Line: Decodable {
        let time: String
        let level: String
        let logger: String
        let message: String
        let request_id: String?
        let method: String?
        let route: String?
        let status: Int?
        let queue_ms: Int?
        let database_ms: Int?
        let first_byte_ms: Int?
        let total_ms: Int?
        let bytes: Int?
    }

    @Test func `has a JSON object on each line if LOG_FORMAT is json`() throws {
        let lines = try lines(["LOG_FORMAT": "json", "SLOW_MILLISECONDS": "1000"])
        let objects = try lines.map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        #expect(objects.map(\.message) == ["serving", "slow request", "draining", "stopped"])
        for object in objects {
            #expect(object.time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
            #expect(object.logger == "orbital-fcgi")
        }
        let slow = objects[1]
        #expect(slow.level == "warning" && slow.method == "GET" && slow.route == "/usage")
        #expect(slow.status == 200 && slow.request_id?.count == 32)
        let (database, total) = try (#require(slow.database_ms), #require(slow.total_ms))
        #expect((1000...10_000).contains(database) && database <= total)
        // What ends a snapshot is waited for after the response.
        #expect((1000...total).contains(try #require(slow.first_byte_ms)) && slow.queue_ms != nil)
        #expect(try #require(slow.bytes) > 100)
        #expect(!lines.joined().contains("Secret"))
    }

    @Test func `says at level debug where each response came from`() throws {
        let site = try Site(["LOG_LEVEL": "debug"])
        defer { site.stop() }
        let tag = try #require(site.curl("/usage").fields["etag"])
        _ = try site.curl("/usage")
        _ = try site.curl("/usage", ["-H", "If-None-Match: \(tag)"])
        _ = try site.curl("/health/live")
        site.responder.stop()
        let facts = requests(of: site, ["route", "status", "source", "connects"])
        #expect(
            facts == [
                "/usage 200 database 1", "/usage 200 memory 0", "/usage 304 client 0",
                "/health/live 200 none 0",
            ])
    }

    /// The values of these fields in each line about a request.
    private func requests(of site: Site, _ names: [String]) -> [String] {
        site.responder.program.output.split(separator: "\n")
            .filter { $0.hasSuffix("[orbital_fcgi] request") }
            .map { line in
                names.map { name in
                    line.split(separator: " ").first { $0.hasPrefix("\(name)=") }
                        .map { String($0.dropFirst(name.count + 1)) } ?? "none"
                }.joined(separator: " ")
            }
    }

    @Test func `says at level debug what each request ran, and how it was admitted`() throws {
        let site = try Site(["LOG_LEVEL": "debug", "WORKERS": "4", "RESERVED_WORKERS": "2"])
        defer { site.stop() }
        let key = try site.database.key()
        _ = try site.curl("/usage?limit=10")
        _ = try site.curl("/usage?limit=11")
        let post = ["-H", "Content-Type: application/json", "-d", #"{"message_text":"Secret"}"#]
        #expect(
            try site.curl("/usage", post + ["-H", "Authorization: Bearer \(key)"]).status == 201)
        let lock = try site.database.lockRecords()
        let long = try site.startCurl("/usage?min_credits=0")
        #expect(try eventually { try site.runningQueries("usage_record") == 1 })
        #expect(try site.curl("/usage?min_credits=1").status == 503)
        let page = try site.startCurl("/usage?limit=12")
        #expect(try eventually { try site.runningQueries("usage_record") == 2 })
        _ = try site.curl("/health")
        try lock.run("ROLLBACK")
        #expect(long.wait() == 0 && page.wait() == 0)
        _ = try site.curl("/health/live")
        site.responder.stop()
        #expect(
            requests(of: site, ["status", "statements", "admission", "connects"]).sorted() == [
                "200 none none 0",
                "200 revision,snapshot,lock_timeout,list,rollback long 0",
                "200 revision,snapshot,page,rollback short 0",
                "200 revision,snapshot,page,rollback short 0",
                "200 session,health health 1",
                "200 session,revision,snapshot,page,rollback short 1",
                "201 revision,key,rates,insert short 0",
                "503 session,revision,snapshot,rollback refused 1",
            ])
        let waits = requests(of: site, ["admission_ms"])
        #expect(waits.prefix(7).allSatisfy { (0..<1000).contains(Int($0) ?? -1) }, "\(waits)")
        #expect(waits.last == "none")
        #expect(!site.responder.program.output.contains("Secret"))
    }

    @Test func `is at level debug as the runbook shows it`() throws {
        let site = try Site(["LOG_LEVEL": "debug"])
        defer { site.stop() }
        for limit in 1...2 { _ = try site.curl("/usage?limit=\(limit)") }
        site.responder.stop()
        let runbook = try String(
            contentsOfFile: Repository.path("deploy/RUNBOOK.md"), encoding: .utf8)
        let example = try #require(runbook.firstMatch(of: /`[^`]*( debug [^`]* request)`/))
        let line = try #require(
            site.responder.program.output.firstMatch(of: /( debug .* connects=0.* request)\n/))
        #expect(masked(line.1) == masked(example.1.replacing("\n ", with: "")), "\(line.0)")
    }

    /// Text without numbers and request ids.
    private func masked(_ text: Substring) -> Substring {
        text.replacing(/=[0-9a-f]{32}|=[0-9]+/, with: "=0")
    }

    @Test func `says at level debug when connections close and settings are reloaded`() throws {
        let site = try Site(["LOG_LEVEL": "debug"])
        defer { site.stop() }
        _ = try site.curl("/usage")
        let sessions =
            "FROM pg_stat_activity WHERE application_name = 'orbital-fcgi'"
            + " AND datname = current_database()"
        _ = try site.database.value("SELECT pg_terminate_backend(pid) \(sessions)")
        #expect(try eventually { try site.database.value("SELECT count(*) \(sessions)") == "0" })
        _ = try site.curl("/usage")
        site.responder.program.signal(SIGHUP)
        let line = "debug orbital-fcgi: disconnects=1 [orbital_fcgi] idle connections closed\n"
        #expect(eventually { site.responder.program.output.contains(line) })
        _ = try site.curl("/usage")
        site.responder.stop()
        #expect(requests(of: site, ["connects", "disconnects"]) == ["1 0", "1 1", "1 0"])
        #expect(site.responder.program.output.contains("[orbital_fcgi] configuration reloaded\n"))
    }

    @Test func `names settings that were removed, at start and at reload`() throws {
        let site = try Site(["SPOOL_DIRECTORY": "/nowhere"])
        defer { site.stop() }
        let warning =
            "warning orbital-fcgi: warning=SPOOL_DIRECTORY was removed in version 0.2.0 and has no "
            + "effect [orbital_fcgi] configuration\n"
        let count = { site.responder.program.output.components(separatedBy: warning).count - 1 }
        #expect(eventually { count() == 1 }, "\(site.responder.program.output)")
        site.responder.program.signal(SIGHUP)
        #expect(eventually { count() == 2 }, "\(site.responder.program.output)")
        #expect(try site.curl("/usage").status == 200)
    }

    @Test func `tells in text where the time of a slow request went`() throws {
        let slow = try lines(["SLOW_MILLISECONDS": "1000"]).filter { $0.contains("slow request") }
        #expect(slow.count == 1)
        let phases = /bytes=\d+ database_ms=\d+ first_byte_ms=\d+ method=GET queue_ms=\d+/
        #expect(slow.first?.contains(phases) == true, "\(slow)")
        #expect(slow.first?.contains("route=/usage status=200 total_ms=") == true)
        #expect(slow.first?.contains("Secret") == false)
    }

    @Test(arguments: ["text", "json"])
    func `has no line that a client wrote`(format: String) throws {
        let responder = try Responder(
            databaseURL: "postgresql:///x?host=/nowhere",
            environment: ["ACCESS": "keyed", "LOG_FORMAT": format])
        let client = FastCGIClient(responder.socketPath)
        let forged = "2026-01-01T00:00:00+0000 notice orbital-fcgi: [orbital_fcgi] all is well"
        client.send(
            FastCGIClient.request(
                [
                    "REQUEST_METHOD": "GET",
                    "SCRIPT_NAME": "/usage/1\n\(forged)\r\u{2028}\(forged)",
                    "HTTP_AUTHORIZATION":
                        "Bearer orb_000000000000_\(String(repeating: "x", count: 43))",
                ], true))
        #expect(client.answer()?.hasPrefix("Status: 503") == true)
        responder.stop()
        let lines = responder.program.output.components(separatedBy: "\n")
        #expect(
            lines.contains { $0.contains("database unavailable") && $0.contains("all is well") })
        #expect(!lines.contains { $0.hasPrefix(forged) }, "\(lines)")
    }

    @Test(arguments: ["0", "60000"])
    func `has no slow request below the limit, and none without one`(limit: String) throws {
        #expect(try lines(["SLOW_MILLISECONDS": limit]).allSatisfy { !$0.contains("slow") })
    }

    @Test func `is sent to the client as far as it is known when the response begins`() throws {
        let site = try Site()
        defer { site.stop() }
        try site.database.addContractRecords()
        let pattern = /queue;dur=\d+\.\d{3}, db;dur=\d+\.\d{3}/
        for path in ["/usage", "/usage", "/usage/summary", "/usage/1"] {
            let answer = try site.curl(path)
            let timing = try #require(answer.fields["server-timing"])
            #expect(timing.wholeMatch(of: pattern) != nil, "\(path): \(timing)")
        }
        #expect(try site.curl("/health").fields["server-timing"] == nil)
    }
}
