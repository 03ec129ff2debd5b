import Foundation
import Postgres
import TestSupport
import Testing

/// 200 requests a second through nginx, while something is restarted or reloaded underneath.
@Suite(.timeLimit(.minutes(4))) struct `No request is lost` {
    private struct Figures: Decodable {
        let sent: Int
        let perSecond: Double
        let failed: Int
        let failures: [String]
        let recorded: Int
        let medianMilliseconds: Double
        let p99Milliseconds: Double
        let longestMilliseconds: Double
    }

    private let database: Database
    private let supervisor: Supervisor
    private let nginx: Nginx
    private let key: String

    init() throws {
        database = try Database()
        try database.addRecords(500)
        key = try database.key()
        // As in production: a busy machine may stand still for a third of a second.
        supervisor = try Supervisor(
            databaseURL: database.url, ["ACCESS": "keyed", "QUEUE_LIMIT": "256"])
        nginx = try Nginx(responderPath: supervisor.socketPath)
    }

    /// Lets `seconds` of requests come, calls `disturb` five times meanwhile, and reckons up.
    ///
    /// One request in ten records a message: nginx does not send one again that was broken off.
    private func underLoad(_ what: String, seconds: Int = 15, _ disturb: () throws -> Void) throws {
        defer {
            nginx.stop()
            supervisor.stop()
        }
        let load = try Program(
            "/usr/bin/python3",
            [
                Repository.path("Tests/load/paced.py"), nginx.socketPath, "200", "\(seconds)", key,
            ])
        sleep(1)
        for _ in 1...5 {
            try disturb()
            usleep(1_200_000)
        }
        #expect(load.isRunning, "the disturbance outlasted the load")
        #expect(load.wait() == 0, "\(load.output)")
        let figures = try JSONDecoder().decode(Figures.self, from: Data(load.output.utf8))
        print(
            "measured: \(figures.sent) requests at \(Int(figures.perSecond.rounded())) a second during five times \(what): \(figures.failed) failed; median \(Int(figures.medianMilliseconds.rounded())) ms, 99% within \(Int(figures.p99Milliseconds.rounded())) ms, longest \(Int(figures.longestMilliseconds.rounded())) ms"
        )
        #expect(figures.failed == 0, "\(figures.failures)")
        #expect(figures.sent == 200 * seconds)
        #expect(figures.perSecond > 190)
        let recorded = try database.value(
            "SELECT count(*) FROM usage_record WHERE message_id >= 1000000")
        #expect(recorded == "\(figures.recorded)")
    }

    @Test func `by a restart of the responder`() throws {
        var pids: Set<Int32> = [supervisor.responderPID]
        try underLoad("restart of the responder") {
            try supervisor.restart()
            pids.insert(supervisor.responderPID)
        }
        #expect(pids.count == 6)
        #expect(supervisor.output.matches(of: /ended [0-9]+ 0\n/).count == 6)
    }

    @Test func `by a reload of the responder`() throws {
        try underLoad("HUP to the responder") { try supervisor.reload() }
        #expect(supervisor.notifications.count { $0.hasPrefix("RELOADING=1") } == 5)
    }

    @Test func `by a reload of nginx`() throws {
        func workers() throws -> Set<Substring> {
            Set(
                try Program.run("/usr/bin/pgrep", ["-P", "\(nginx.program.pid)"]).output
                    .split(separator: "\n"))
        }
        var seen = try workers()
        try underLoad("nginx -s reload") {
            nginx.program.signal(SIGHUP)
            #expect(try eventually { try !workers().isSubset(of: seen) }, "no new worker came")
            seen.formUnion(try workers())
        }
    }

    @Test func `by a restart while a long export runs: new requests wait for its end`() throws {
        let lock = try database.lockRecords()
        let output = TemporaryFolder.shared.file("export").path
        let export = try Program(
            "/usr/bin/curl",
            [
                "-sS", "-o", output, "-w", "%{http_code}", "-H", "Authorization: Bearer \(key)",
                "--unix-socket", nginx.socketPath, "http://localhost/usage?format=csv",
            ])
        #expect(
            try eventually {
                try database.value(
                    """
                    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                    AND application_name = 'orbital-fcgi' AND wait_event_type = 'Lock'
                    """) == "1"
            })
        try supervisor.command("restart")
        #expect(eventually { supervisor.notifications.last?.hasPrefix("STOPPING=1") == true })
        usleep(500_000)
        // The old responder waits for the export; this one is for the next.
        let waiting = try Program(
            "/usr/bin/curl",
            [
                "-sS", "-w", "%{http_code}", "-o", "/dev/null", "--unix-socket", nginx.socketPath,
                "http://localhost/health/live",
            ])
        usleep(500_000)
        #expect(waiting.isRunning)
        try lock.run("ROLLBACK")
        #expect(export.wait() == 0)
        #expect(export.output == "200")
        #expect(try String(contentsOfFile: output, encoding: .utf8).hasSuffix("\r\n"))
        #expect(waiting.wait() == 0)
        #expect(waiting.output == "200")
        nginx.stop()
        supervisor.stop()
    }
}
