import Foundation
import TestSupport
import Testing

/// What the responder tells systemd, over a real notification socket.
@Suite(.timeLimit(.minutes(2))) struct `The service manager` {
    @Test(arguments: [false, true])
    func `hears when the responder is ready, reloads and stops`(isAbstract: Bool) throws {
        let supervisor = try Supervisor(databaseURL: Database().url, isAbstract: isAbstract)
        let before = monotonicMicroseconds()
        try supervisor.reload()
        supervisor.stop()
        #expect(supervisor.output.contains("ended \(supervisor.responderPID) 0\n"))
        let said = supervisor.notifications
        try #require(said.count == 4, "\(said)")
        #expect(said[0] == "READY=1 STATUS=serving with 16 workers")
        let reload = try #require(
            said[1].firstMatch(of: #/^RELOADING=1 MONOTONIC_USEC=([0-9]+) STATUS=reloading$/#))
        let when = try #require(Int(reload.1))
        #expect((before...before + 60_000_000).contains(when))
        #expect(said[2] == said[0])
        #expect(
            said[3]
                == "STOPPING=1 STATUS=finishing accepted requests EXTEND_TIMEOUT_USEC=20000000")
        // Only the main process speaks (NotifyAccess=main).
        let senders = supervisor.output.matches(of: #/notify ([0-9]+) /#).map { Int32($0.1) }
        #expect(Set(senders) == [supervisor.responderPID])
    }

    @Test func `hears that a new configuration is not in force, and why`() throws {
        let folder = TemporaryFolder.shared.file("config")
        try FileManager.default.createDirectory(
            at: folder.appendingPathComponent("deploy/config"), withIntermediateDirectories: true)
        let file = folder.appendingPathComponent("deploy/config/test.env")
        try "LOG_LEVEL=info\n".write(to: file, atomically: true, encoding: .utf8)
        let supervisor = try Supervisor(databaseURL: Database().url, directory: folder)
        defer { supervisor.stop() }
        try "WORKERS=many\nDRAIN_SECONDS=x\n".write(to: file, atomically: true, encoding: .utf8)
        try supervisor.reload()
        #expect(
            supervisor.notifications.last
                == "READY=1 STATUS=serving with 16 workers; configuration not reloaded: deploy/config/test.env line 1: WORKERS must be a number from 1 to 256; deploy/config/test.env line 2: DRAIN_SECONDS must be a number from 1 to 3600"
        )
    }

    @Test func `gets a watchdog notification only while workers respond`() throws {
        let supervisor = try Supervisor(
            databaseURL: Database().url,
            ["WATCHDOG_USEC": "800000", "WORKERS": "3", "RESERVED_WORKERS": "1"])
        defer { supervisor.stop() }
        #expect(eventually { supervisor.pingCount >= 5 })
        // Two of three hang, each in an incomplete request: one still responds.
        let whole = FastCGIClient.request(["SCRIPT_NAME": "/"], true)
        var stuck = (1...2).map { _ in FastCGIClient(supervisor.socketPath) }
        for client in stuck { client.send(Array(whole.prefix(20))) }
        usleep(300_000)
        let withOne = supervisor.pingCount
        #expect(eventually { supervisor.pingCount >= withOne + 5 })
        // The third hangs, too: the acceptor and its timer continue, but no worker responds.
        stuck.append(FastCGIClient(supervisor.socketPath))
        stuck[2].send(Array(whole.prefix(20)))
        var hanging = supervisor.pingCount
        #expect(
            eventually {
                usleep(1_000_000)
                defer { hanging = supervisor.pingCount }
                return supervisor.pingCount == hanging
            }, "signs of life go on")
        usleep(2_000_000)
        #expect(supervisor.pingCount == hanging)
        // One is free again.
        stuck[0].hangUp()
        #expect(eventually { supervisor.pingCount >= hanging + 3 })
        withExtendedLifetime(stuck) {}
    }

    @Test
    func `gets a watchdog notification while PostgreSQL is unavailable: a restart would not help`()
        throws
    {
        let supervisor = try Supervisor(
            databaseURL: "postgresql:///x?host=/nowhere", ["WATCHDOG_USEC": "400000"])
        defer { supervisor.stop() }
        #expect(eventually { supervisor.pingCount >= 5 })
        let client = FastCGIClient(supervisor.socketPath)
        client.get("/health")
        #expect(client.answer()?.hasPrefix("Status: 503") == true)
    }

    private func monotonicMicroseconds() -> Int {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return now.tv_sec * 1_000_000 + now.tv_nsec / 1000
    }
}
