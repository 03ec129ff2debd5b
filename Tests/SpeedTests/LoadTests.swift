import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct `Under load the service` {
    /// What one curl of many printed: the status, `Retry-After`, the size, and curl's own status.
    private struct Outcome: Hashable {
        let status: String
        let retryAfter: String
        let curlStatus: String
    }

    /// Starts curls that ask for `path` `count` times in all, 200 at once each.
    private func start(_ site: Site, _ path: String, count: Int) throws -> [Program] {
        let folder = TemporaryFolder.shared.file("requests")
        let list = (0..<200).map { _ in
            "url=\"http://localhost\(path)\"\noutput=/dev/null\n"
        }.joined()
        try list.write(to: folder, atomically: true, encoding: .utf8)
        return try (0..<count / 200).map { _ in
            try Program(
                "/usr/bin/curl",
                [
                    "-s", "--parallel", "--parallel-immediate", "--parallel-max", "200",
                    "--max-time", "60",
                    "--unix-socket", site.nginx.socketPath, "-K", folder.path,
                    "-w", "%{http_code} %header{retry-after} %{exitcode}\n",
                ])
        }
    }

    private func outcomes(_ programs: [Program]) -> [Outcome] {
        programs.forEach { $0.wait() }
        let lines = programs.flatMap { $0.output.split(separator: "\n") }
        // Beside what it is told to, a parallel curl prints its progress.
        return lines.filter { $0.prefixMatch(of: /[0-9]{3}[ ]/) != nil }.map { line in
            let words = line.split(separator: " ", omittingEmptySubsequences: false).map(
                String.init)
            return Outcome(
                status: words[0], retryAfter: words.count > 2 ? words[1] : "",
                curlStatus: words.last ?? "")
        }
    }

    @Test func `gives 400 clients at once a 200, or a 503 that says when to come again`() throws {
        let site = try Site(["QUEUE_LIMIT": "128"])
        defer { site.stop() }
        try site.database.addRecords(20_000)
        for path in ["/usage", "/health"] {
            let found = outcomes(try start(site, path, count: 400))
            #expect(found.count == 400)
            let allowed: Set = [
                Outcome(status: "200", retryAfter: "", curlStatus: "0"),
                Outcome(status: "503", retryAfter: "1", curlStatus: "0"),
            ]
            #expect(Set(found).subtracting(allowed) == [])
            #expect(found.contains { $0.status == "200" })
            print(
                "measured: 400 clients on \(path): \(found.count { $0.status == "200" }) times 200, \(found.count { $0.status == "503" }) times 503"
            )
        }
        #expect(eventually { site.responder.descriptorCount < 100 })
    }

    @Test func `responds to health checks within 100 ms while every full read is stuck`() throws {
        let site = try Site(["WORKERS": "8"])
        defer { site.stop() }
        // One connection per worker is opened before, as it is in a service that runs.
        for _ in 1...30 { #expect(try site.curl("/health").status == 200) }
        let lock = try site.database.lockRecords()
        // Half of the six permits.
        let reads = try (1...3).map { _ in
            try site.startCurl("/usage", options: ["-w", "%{http_code}"])
        }
        #expect(try eventually { try site.runningQueries("LOCK TABLE") == 3 })
        // One more is refused at once.
        let refused = try site.curl("/usage")
        #expect(refused.status == 503)
        #expect(refused.fields["retry-after"] == "1")
        let times = try (1...20).map { _ in try #require(try site.seconds("/health")) }.sorted()
        // The machine may stand still for a moment; behind a read it would be for ever.
        #expect(times[9] < 0.1 && times[19] < 1, "\(times)")
        try lock.run("ROLLBACK")
        #expect(reads.map { $0.wait() } == Array(repeating: 0, count: 3))
        #expect(reads.map(\.output) == Array(repeating: "200", count: 3))
    }

    @Test func `handles a 65th request while 64 connections are idle`() throws {
        let site = try Site(["WORKERS": "8"])
        defer { site.stop() }
        // Keep-alive connections of nginx after a burst of 64, and 64 more that are idle.
        _ = outcomes(try start(site, "/health/live", count: 200))
        let idle = (1...64).map { _ in FastCGIClient(site.responder.socketPath) }
        for client in idle {
            client.get("/health/live")
            #expect(client.answer() != nil)
        }
        let times = try (1...10).map { _ in try #require(try site.seconds("/health")) }.sorted()
        // A worker that an idle connection held would come free after 60 s.
        #expect(times[4] < 0.5 && times[9] < 5, "\(times)")
        withExtendedLifetime(idle) {}
    }

    @Test func `is drained by TERM: accepted requests are completed, the others get a problem`()
        throws
    {
        let site = try Site()
        defer { site.stop() }
        try site.database.addRecords(20_000)
        let programs = try start(site, "/usage", count: 400) + start(site, "/health", count: 400)
        #expect(
            try eventually {
                try site.runningQueries("") > 0 || programs.contains { !$0.output.isEmpty }
            })
        let begin = ContinuousClock.now
        site.responder.program.signal(SIGTERM)
        let found = outcomes(programs)
        #expect(site.responder.program.wait() == 0)
        #expect(ContinuousClock.now - begin < .seconds(10))
        #expect(found.count == 800)
        // No response is aborted: curl succeeds with each, and each is complete or a refusal.
        #expect(Set(found.map(\.curlStatus)) == ["0"])
        #expect(Set(found.map(\.status)).isSubset(of: ["200", "502", "503"]))
        #expect(found.allSatisfy { $0.status == "200" || $0.retryAfter == "1" })
        #expect(!FileManager.default.fileExists(atPath: site.responder.socketPath))
    }

    @Test func `lets a running full read end before it stops`() throws {
        let site = try Site()
        defer { site.stop() }
        try site.database.addRecords(1000)
        let lock = try site.database.lockRecords()
        let output = TemporaryFolder.shared.file("body").path
        let curl = try site.startCurl("/usage", output: output)
        #expect(try eventually { try site.runningQueries("LOCK TABLE") == 1 })
        site.responder.program.signal(SIGTERM)
        #expect(eventually { !FileManager.default.fileExists(atPath: site.responder.socketPath) })
        #expect(try site.curl("/health").status == 502)
        try lock.run("ROLLBACK")
        #expect(curl.wait() == 0)
        #expect(try String(contentsOfFile: output, encoding: .utf8).hasSuffix("}]}"))
        #expect(site.responder.program.wait() == 0)
    }

    @Test func `breaks off what does not end within the drain time, and says so`() throws {
        let site = try Site(["DRAIN_SECONDS": "1"])
        defer { site.stop() }
        let lock = try site.database.lockRecords()
        defer { _ = try? lock.run("ROLLBACK") }
        let curl = try site.startCurl("/usage", options: ["-w", "%{http_code}"])
        #expect(try eventually { try site.runningQueries("LOCK TABLE") == 1 })
        site.responder.program.signal(SIGTERM)
        #expect(site.responder.program.wait() == 1)
        curl.wait()
        #expect(curl.output == "502")
    }

    @Test func `reads its configuration again on HUP, and switches its log level on USR1`() throws {
        let site = try Site()
        defer { site.stop() }
        for _ in 1...5 { #expect(try site.curl("/health").status == 200) }
        site.responder.program.signal(SIGHUP)
        #expect(eventually { site.responder.program.output.contains("configuration reloaded") })
        site.responder.program.signal(SIGUSR1)
        #expect(eventually { site.responder.program.output.contains("log level switched") })
        for _ in 1...5 { #expect(try site.curl("/health").status == 200) }
    }
}
