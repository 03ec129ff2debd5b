import FastCGI
import Foundation
import Synchronization
import TestSupport
import Testing

/// A server in this process whose answers wait until the test lets them go.
private final class HeldServer: Sendable {
    let path = TemporaryFolder.shared.file("held").path
    let server: Server
    let isOpen = Atomic(true)
    let running = Atomic(0)

    init(_ limits: ServerLimits = ServerLimits(), selfTest: SelfTest? = nil) throws {
        server = try Server(
            listener: try Listener(path: path), limits: limits, refusal: Array("full".utf8),
            selfTest: selfTest)
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

    @Test func `ends the last answer so that nginx does not send on its connection again`() throws {
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

    @Test func `answers what nginx sends on a connection that it used just before`() throws {
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

@Suite(.timeLimit(.minutes(2))) struct `A self-test` {
    private final class Answers: Sendable {
        let all = Mutex<[String]>([])
        var count: Int { all.withLock { $0.count } }
    }

    @Test func `is put again as soon as it is time`() throws {
        let answers = Answers()
        let held = try HeldServer(
            selfTest: SelfTest(every: .milliseconds(200), ["SCRIPT_NAME": "/well"]) { answer in
                // An answer takes its time.
                usleep(5000)
                answers.all.withLock { $0.append(answer) }
            })
        try held.start()
        defer { _ = held.server.drain(seconds: 10) }
        #expect(eventually { answers.count == 1 })
        let begin = ContinuousClock.now
        #expect(eventually { answers.count == 11 })
        // Ten times 200 ms; every second time would be four seconds.
        #expect((.seconds(1.9)...(.seconds(3))).contains(ContinuousClock.now - begin))
    }

    @Test func `is answered by a worker, again and again, before the requests that wait`() throws {
        let answers = Answers()
        var limits = ServerLimits()
        limits.workers = 1
        limits.queued = 2
        let held = try HeldServer(
            limits,
            selfTest: SelfTest(every: .milliseconds(20), ["SCRIPT_NAME": "/well"]) { answer in
                answers.all.withLock { $0.append(answer) }
            })
        try held.start()
        defer { _ = held.server.drain(seconds: 10) }
        #expect(eventually { answers.count > 5 })
        held.isOpen.store(false, ordering: .relaxed)
        usleep(100_000)
        let clients = (1...3).map { _ in FastCGIClient(held.path) }
        for client in clients { client.get("/x") }
        // The only worker hangs, and the queue fills up.
        let before = answers.count
        usleep(300_000)
        #expect(answers.count == before)
        held.isOpen.store(true, ordering: .relaxed)
        #expect(eventually { answers.count > before + 5 })
        #expect(Set(answers.all.withLock { $0 }) == ["Status: 200 OK\r\n\r\n/well"])
    }
}
