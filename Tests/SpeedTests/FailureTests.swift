import Foundation
import Postgres
import TestSupport
import Testing

/// Failures in the middle of a response.
@Suite(.timeLimit(.minutes(5))) struct `A full read` {
    /// A million records: 95 MB, which take long enough to be in the middle of them.
    private static let millionURL = Result {
        let database = try Database()
        try database.addRecords(1_000_000)
        return database.url
    }

    private func site() throws -> Site {
        try Site(database: Database(sharing: Self.millionURL.get()))
    }

    /// Starts curl, and freezes the responder once curl has part of the response.
    private func frozenRead(
        _ site: Site, _ path: String = "/usage"
    ) throws -> (curl: Program, output: String) {
        for _ in 1...5 {
            let output = TemporaryFolder.shared.file("body").path
            let curl = try site.startCurl(path, output: output)
            #expect(eventually { size(output) > 100_000 })
            site.responder.program.signal(SIGSTOP)
            if curl.isRunning, size(output) < 40_000_000 { return (curl, output) }
            // The machine stood still meanwhile.
            site.responder.program.signal(SIGCONT)
            try giveUp(curl, site)
        }
        throw TooLate()
    }

    /// Starts a curl that reads slowly, and returns while its query runs.
    private func slowRead(_ site: Site) throws -> Program {
        for _ in 1...5 {
            let curl = try site.startCurl("/usage", options: ["--limit-rate", "1M"])
            // nginx reads the response long before curl does.
            if try eventually(seconds: 3, { try site.runningQueries() == 1 }) { return curl }
            try giveUp(curl, site)
        }
        throw TooLate()
    }

    /// The response was read to its end before its middle was seen, five times.
    private struct TooLate: Error {}

    private func giveUp(_ curl: Program, _ site: Site) throws {
        curl.signal(SIGKILL)
        curl.wait()
        // A statement without effect raises the revision, so the next read is not from the cache.
        try site.database.run("DELETE FROM usage_record WHERE false")
    }

    private func size(_ path: String) -> Int {
        (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
    }

    @Test func `fails visibly when the responder is killed in its middle`() throws {
        let site = try site()
        defer { site.stop() }
        let (curl, output) = try frozenRead(site)
        site.responder.program.signal(SIGKILL)
        #expect(curl.wait() == 18)
        #expect(size(output) < 95_000_000)
    }

    @Test(arguments: [
        "/usage", "/usage?from=2000-01-01&format=csv", "/usage?sort=report_name:desc&format=ndjson",
    ])
    func `fails visibly when its database backend is terminated in its middle`(
        path: String
    ) throws {
        let site = try site()
        defer { site.stop() }
        let (curl, output) = try frozenRead(site, path)
        try site.database.run(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'orbital-fcgi' AND query LIKE '%usage_record%'
            """)
        site.responder.program.signal(SIGCONT)
        #expect(curl.wait() == 18)
        #expect(size(output) < 95_000_000)
        #expect(eventually { site.responder.program.output.contains("response aborted") })
        #expect(try site.curl("/health").status == 200)
    }

    @Test func `ends within a second of its client, while it sends`() throws {
        let site = try site()
        defer { site.stop() }
        for _ in 1...5 {
            let client = FastCGIClient(site.responder.socketPath)
            client.get("/usage")
            #expect(client.readSome() > 0)
            #expect(try site.runningQueries() == 1)
            client.hangUp()
            #expect(try eventually(seconds: 1) { try site.runningQueries() == 0 })
        }
    }

    @Test func `ends within a second of curl, while it waits for a lock`() throws {
        let site = try site()
        defer { site.stop() }
        let lock = try site.database.lockRecords()
        defer { _ = try? lock.run("ROLLBACK") }
        let curl = try site.startCurl("/usage")
        #expect(try eventually { try site.runningQueries("LOCK TABLE") == 1 })
        curl.signal(SIGKILL)
        curl.wait()
        #expect(try eventually(seconds: 1) { try site.runningQueries("LOCK TABLE") == 0 })
    }

    @Test func `ends within a second of curl, while curl reads slowly`() throws {
        let site = try site()
        defer { site.stop() }
        for _ in 1...4 {
            let curl = try slowRead(site)
            curl.signal(SIGKILL)
            curl.wait()
            #expect(try eventually(seconds: 1) { try site.runningQueries() == 0 })
        }
    }

    @Test func `costs at most twice what psql takes for the same rows, in constant memory`() throws
    {
        let million = try Database(sharing: Self.millionURL.get())
        let thousand = try Database()
        try thousand.addRecords(1000)
        let streamed = ["CACHE_MEGABYTES": "0"]
        let small = try Site(streamed, database: thousand)
        for _ in 1...3 { #expect(try small.curl("/usage").status == 200) }
        let smallPeak = small.responder.peakMemoryKilobytes
        small.stop()

        let site = try Site(streamed, database: million)
        defer { site.stop() }
        let command = """
            COPY (SELECT message_id, "timestamp", report_name, credit_hundredths FROM usage_record
            ORDER BY "timestamp", message_id) TO STDOUT (FORMAT binary)
            """
        var ratios: [Double] = []
        for _ in 1...7 {
            let psql = try seconds {
                try Program(
                    "/bin/sh",
                    ["-c", "exec psql -Xq \"$0\" -c \"$1\" >/dev/null", million.url, command])
            }
            let curl = try seconds { try site.startCurl("/usage") }
            ratios.append(curl / psql)
        }
        let median = ratios.sorted()[3]
        let largePeak = site.responder.peakMemoryKilobytes
        print(
            "measured: full read of a million records / psql COPY = \(median), peak memory \(largePeak) kB, with a thousand records \(smallPeak) kB"
        )
        #expect(median <= 2)
        #expect(largePeak < 40_000)
        #expect(abs(largePeak - smallPeak) < 4000)
    }

    private func seconds(_ start: () throws -> Program) throws -> Double {
        let begin = ContinuousClock.now
        #expect(try start().wait() == 0)
        return (ContinuousClock.now - begin) / .seconds(1)
    }

    @Test func `becomes a 503 while PostgreSQL is unavailable, and works again when it is back`()
        throws
    {
        let site = try site()
        defer { site.stop() }
        for _ in 1...10 { #expect(try site.curl("/health").status == 200) }
        Cluster.shared.stop()
        defer { Cluster.shared.start() }
        let stopped = ContinuousClock.now
        let answer = try site.curl("/usage")
        #expect(answer.status == 503)
        #expect(answer.fields["content-type"] == "application/problem+json")
        #expect(answer.fields["retry-after"] == "1")
        var health = try site.curl("/health")
        while health.status == 200, ContinuousClock.now - stopped < .seconds(1) {
            health = try site.curl("/health")
        }
        #expect(health.status == 503)
        #expect(health.body.contains(#""status":"unhealthy""#))
        #expect(try site.curl("/health/live").status == 200)
        Cluster.shared.start()
        for _ in 1...20 { #expect(try site.curl("/health").status == 200) }
        #expect(try site.curl("/usage", ["-o", "/dev/null"]).curlStatus == 0)
    }
}
