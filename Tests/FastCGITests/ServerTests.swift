import FastCGI
import Foundation
import Synchronization
import TestSupport
import Testing

/// A server in this process that responds with the request's path.
private final class EchoServer: Sendable {
    let path = TemporaryFolder.shared.file("echo").path
    let server: Server

    init(
        _ limits: ServerLimits = ServerLimits(),
        answer: @escaping @Sendable (any Exchange) -> Void = EchoServer.echo
    ) throws {
        server = try Server(
            listener: try Listener(path: path), limits: limits,
            refusal: Array("Status: 503\r\n\r\nfull".utf8),
            paths: UrgentPaths(urgent: "/live", live: "/live/now"))
        try server.start { { answer($0) } }
    }

    func stop() { _ = server.drain(seconds: 10) }

    static let echo: @Sendable (any Exchange) -> Void = { exchange in
        let text = "Status: 200 OK\r\n\r\n" + (exchange.parameter("SCRIPT_NAME") ?? "")
        try? exchange.write(Array(text.utf8).span)
    }
}

/// Makes requests wait until the test lets them go.
private final class Gate: Sendable {
    private let isOpen = Atomic(false)
    let waiting = Atomic(0)

    func open() { isOpen.store(true, ordering: .sequentiallyConsistent) }

    func pass() {
        waiting.add(1, ordering: .sequentiallyConsistent)
        while !isOpen.load(ordering: .sequentiallyConsistent) { usleep(1000) }
    }
}

@Suite(.timeLimit(.minutes(2))) struct `A server` {
    private func answer(_ path: String) -> String { "Status: 200 OK\r\n\r\n" + path }

    @Test func `handles one request after another on a keep-alive connection`() throws {
        let echo = try EchoServer()
        defer { echo.stop() }
        let client = FastCGIClient(echo.path)
        for number in 1...50 {
            client.get("/\(number)")
            #expect(client.answer() == answer("/\(number)"))
        }
    }

    @Test func `prefers warm workers for single requests`() throws {
        var limits = ServerLimits()
        limits.workers = 16
        let threads = Mutex<[UInt: Int]>([:])
        let echo = try EchoServer(limits) { exchange in
            threads.withLock { $0[pthread_self(), default: 0] += 1 }
            EchoServer.echo(exchange)
        }
        defer { echo.stop() }
        let client = FastCGIClient(echo.path)
        for _ in 1...400 {
            client.get("/")
            #expect(client.answer() == answer("/"))
        }
        // With round robin, each of the sixteen would have handled 25.
        let counts = threads.withLock { $0.values.sorted(by: >) }
        #expect(counts.prefix(3).reduce(0, +) > 300, "\(counts)")
    }

    @Test func `closes a connection without keep-alive at once`() throws {
        let echo = try EchoServer()
        defer { echo.stop() }
        let client = FastCGIClient(echo.path)
        let start = ContinuousClock.now
        client.get("/", keepConnection: false)
        #expect(client.answer() == answer("/"))
        #expect(client.readSome() == 0)
        #expect(ContinuousClock.now - start < .seconds(1))
    }

    @Test func `keeps a connection whose request body nobody read`() throws {
        let echo = try EchoServer()
        defer { echo.stop() }
        let client = FastCGIClient(echo.path)
        client.get("/a", body: [UInt8](repeating: 7, count: 60_000))
        #expect(client.answer() == answer("/a"))
        client.get("/b")
        #expect(client.answer() == answer("/b"))
    }

    @Test func `is not held up by idle connections, however many`() throws {
        var limits = ServerLimits()
        limits.workers = 2
        let echo = try EchoServer(limits)
        defer { echo.stop() }
        let idle = (1...200).map { _ in FastCGIClient(echo.path) }
        for client in idle {
            client.get("/idle")
            #expect(client.answer() != nil)
        }
        let start = ContinuousClock.now
        let client = FastCGIClient(echo.path)
        client.get("/next")
        #expect(client.answer() == answer("/next"))
        #expect(ContinuousClock.now - start < .milliseconds(500))
    }

    @Test func `refuses what does not fit into the queue, in words`() throws {
        var limits = ServerLimits()
        limits.workers = 1
        limits.queued = 2
        let gate = Gate()
        let echo = try EchoServer(limits) { exchange in
            gate.pass()
            EchoServer.echo(exchange)
        }
        defer { echo.stop() }
        let clients = (1...10).map { _ in FastCGIClient(echo.path) }
        clients[0].get("/0")
        #expect(eventually { gate.waiting.load(ordering: .sequentiallyConsistent) == 1 })
        for client in clients.dropFirst() { client.get("/more") }
        // The refused requests get their response while the worker still waits.
        let refused = clients.suffix(7).map { $0.answer() }
        #expect(refused == Array(repeating: "Status: 503\r\n\r\nfull", count: 7))
        gate.open()
        #expect(clients.prefix(3).map { $0.answer() } == ["/0", "/more", "/more"].map(answer))
    }

    @Test func `completes everything that was accepted before a drain`() throws {
        var limits = ServerLimits()
        limits.workers = 2
        let gate = Gate()
        let echo = try EchoServer(limits) { exchange in
            gate.pass()
            EchoServer.echo(exchange)
        }
        defer { echo.stop() }
        let clients = (1...20).map { _ in FastCGIClient(echo.path) }
        for client in clients { client.get("/x") }
        #expect(eventually { gate.waiting.load(ordering: .sequentiallyConsistent) == 2 })
        Thread.detachNewThread { _ = echo.server.drain(seconds: 20) }
        #expect(eventually { !FileManager.default.fileExists(atPath: echo.path) })
        gate.open()
        for client in clients { #expect(client.answer() == answer("/x")) }
    }

    @Test func `says that a drain was too short`() throws {
        let gate = Gate()
        let echo = try EchoServer { _ in gate.pass() }
        defer { echo.stop() }
        let client = FastCGIClient(echo.path)
        client.get("/")
        #expect(eventually { gate.waiting.load(ordering: .sequentiallyConsistent) == 1 })
        #expect(echo.server.drain(seconds: 1) == false)
        gate.open()
    }

    @Test func `sends long responses complete, in records of their own`() throws {
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: 1_000_003)
        let echo = try EchoServer { exchange in
            try? exchange.write(Array("head\r\n\r\n".utf8).span)
            try? exchange.write(long.span)
            try? exchange.write(Array("tail".utf8).span)
        }
        defer { echo.stop() }
        let client = FastCGIClient(echo.path)
        client.get("/")
        #expect(client.answer() == "head\r\n\r\n" + String(decoding: long, as: UTF8.self) + "tail")
    }

    @Test func `aborts a response so that it never looks complete`() throws {
        let echo = try EchoServer { exchange in
            try? exchange.write([UInt8](repeating: 65, count: 100_000).span)
            exchange.abort()
        }
        defer { echo.stop() }
        for keeps in [true, false] {
            let client = FastCGIClient(echo.path)
            client.get("/", keepConnection: keeps)
            #expect(client.answer() == nil)
        }
    }

    @Test func `tells a handler that its client is gone`() throws {
        let flag = Flag()
        let echo = try EchoServer { exchange in
            let piece = [UInt8](repeating: 65, count: 60_000)
            for _ in 0..<1000 {
                do { try exchange.write(piece.span) } catch { return flag.raise() }
            }
        }
        defer { echo.stop() }
        let client = FastCGIClient(echo.path)
        client.get("/")
        #expect(client.readSome() > 0)
        client.hangUp()
        #expect(eventually { flag.isRaised })
    }

    @Test func `survives whatever a peer sends`() throws {
        let echo = try EchoServer()
        defer { echo.stop() }
        let whole = FastCGIClient.request(["SCRIPT_NAME": "/"], true)
        var generator = SystemRandomNumberGenerator()
        for round in 0..<200 {
            let client = FastCGIClient(echo.path)
            var bytes = Array(whole.prefix(Int.random(in: 0...whole.count, using: &generator)))
            if round % 2 == 0, !bytes.isEmpty {
                bytes[Int.random(in: bytes.indices)] = UInt8.random(in: 0...255)
            }
            client.send(bytes)
            client.hangUp()
        }
        let client = FastCGIClient(echo.path)
        client.get("/alive")
        #expect(client.answer() == answer("/alive"))
    }
}

private final class Flag: Sendable {
    private let value = Atomic(false)
    var isRaised: Bool { value.load(ordering: .sequentiallyConsistent) }
    func raise() { value.store(true, ordering: .sequentiallyConsistent) }
}
