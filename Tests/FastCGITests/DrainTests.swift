import FastCGI
import Foundation
import Synchronization
import TestSupport
import Testing

/// A server in this process whose responses wait for the test.
private final class HeldServer: Sendable {
    let path = TemporaryFolder.shared.file("held").path
    let server: Server
    let isOpen = Atomic(true)
    let running = Atomic(0)

    init(_ limits: ServerLimits = ServerLimits()) throws {
        server = try Server(
            listener: try Listener(path: path), limits: limits, refusal: Array("full".utf8),
            paths: UrgentPaths(urgent: "/well", live: "/well/now"))
    }

    func start() throws {
        try server.start { [self] in
            { [self] exchange in
                running.add(1, ordering: .relaxed)
                while !isOpen.load(ordering: .relaxed) { usleep(1000) }
                let text = "Status: 200 OK\r\n\r\n" + (exchange.parameter("SCRIPT_NAME") ?? "")
                try? exchange.write(Array(text.utf8).span)
            }
        }
    }

    func drainInBackground() { Thread.detachNewThread { _ = self.server.drain(seconds: 20) } }
}

@Suite(.timeLimit(.minutes(2))) struct `A drain` {
    private func answer(_ path: String) -> String { "Status: 200 OK\r\n\r\n" + path }

    @Test func `ends the last response so that nginx does not send on its connection again`() throws
    {
        let held = try HeldServer()
        try held.start()
        let client = FastCGIClient(held.path)
        client.get("/before")
        #expect(client.answer() == answer("/before"))
        held.isOpen.store(false, ordering: .relaxed)
        client.get("/meanwhile")
        #expect(eventually { held.running.load(ordering: .relaxed) == 2 })
        held.drainInBackground()
        #expect(eventually { held.server.isDraining })
        held.isOpen.store(true, ordering: .relaxed)
        #expect(client.answer() == answer("/meanwhile"))
        // One management record behind the end, then the end of the connection.
        #expect(client.readSome() == 16)
        #expect(client.readSome() == 0)
    }

    @Test func `handles a request on a connection that nginx used just before`() throws {
        var limits = ServerLimits()
        limits.quietMilliseconds = 2000
        let held = try HeldServer(limits)
        try held.start()
        let silent = FastCGIClient(held.path)
        silent.get("/")
        #expect(silent.answer() == answer("/"))
        usleep(2_200_000)
        let used = FastCGIClient(held.path)
        used.get("/")
        #expect(used.answer() == answer("/"))
        held.drainInBackground()
        #expect(silent.readSome() == 0)
        used.get("/late")
        #expect(used.answer() == answer("/late"))
        #expect(used.readSome() == 16)
        #expect(used.readSome() == 0)
    }
}

@Suite(.timeLimit(.minutes(2))) struct `A server's own probe` {
    private final class Responses: Sendable {
        let all = Mutex<[String]>([])
        var count: Int { all.withLock { $0.count } }

        func append(_ response: String) { all.withLock { $0.append(response) } }
    }

    @Test func `is repeated an interval after each response`() throws {
        let responses = Responses()
        let held = try HeldServer()
        try held.start()
        defer { _ = held.server.drain(seconds: 10) }
        try held.server.probeItself("/well", every: .milliseconds(200)) { responses.append($0) }
        #expect(eventually { responses.count == 1 })
        let begin = ContinuousClock.now
        #expect(eventually { responses.count == 11 })
        #expect((.seconds(1.9)...(.seconds(3))).contains(ContinuousClock.now - begin))
    }

    @Test func `gets no response while all workers hang, and the next one when one is free`()
        throws
    {
        let responses = Responses()
        var limits = ServerLimits()
        limits.workers = 1
        limits.queued = 2
        let held = try HeldServer(limits)
        try held.start()
        defer { _ = held.server.drain(seconds: 10) }
        try held.server.probeItself("/well", every: .milliseconds(20)) { responses.append($0) }
        #expect(eventually { responses.count > 5 })
        held.isOpen.store(false, ordering: .relaxed)
        usleep(100_000)
        let before = responses.count
        usleep(300_000)
        #expect(responses.count == before)
        held.isOpen.store(true, ordering: .relaxed)
        #expect(eventually { responses.count > before + 5 })
        #expect(Set(responses.all.withLock { $0 }) == ["Status: 200 OK\r\n\r\n/well"])
    }
}
