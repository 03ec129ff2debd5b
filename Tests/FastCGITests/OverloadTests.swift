import FastCGI
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `More connections than the limit` {
    private static let refusal = "Status: 503\r\n\r\nfull"

    @Test func `each get a response or a refusal, and none is reset`() throws {
        var limits = ServerLimits()
        limits.workers = 2
        limits.queued = 20
        limits.connections = 50
        let path = TemporaryFolder.shared.file("overload").path
        let server = try Server(
            listener: try Listener(path: path), limits: limits, refusal: Array(Self.refusal.utf8),
            paths: UrgentPaths(urgent: "/live", live: "/live/now"))
        try server.start {
            { exchange in
                usleep(2000)
                try? exchange.write(Array("Status: 200\r\n\r\n".utf8).span)
            }
        }
        defer { _ = server.drain(seconds: 10) }
        for _ in 1...3 {
            let clients = (1...400).map { _ in FastCGIClient(path) }
            for client in clients { client.get("/") }
            let answers = clients.map { $0.answer() }
            #expect(answers.count { $0 == nil } == 0)
            #expect(Set(answers) == ["Status: 200\r\n\r\n", Self.refusal])
        }
    }

    @Test func `are no reason to refuse a request while the queue has room`() throws {
        var limits = ServerLimits()
        limits.connections = 5
        let path = TemporaryFolder.shared.file("room").path
        let server = try Server(
            listener: try Listener(path: path), limits: limits, refusal: Array(Self.refusal.utf8),
            paths: UrgentPaths(urgent: "/live", live: "/live/now"))
        // Before the server accepts: as many idle connections as it may have, then requests.
        let idle = (1...5).map { _ in FastCGIClient(path) }
        let clients = (1...20).map { _ in FastCGIClient(path) }
        for client in clients { client.get("/live") }
        try server.start {
            { exchange in try? exchange.write(Array("Status: 200\r\n\r\n".utf8).span) }
        }
        defer { _ = server.drain(seconds: 10) }
        // Each connection is used again, so that it is watched afterwards.
        for _ in 1...2 {
            #expect(clients.map { $0.answer() } == clients.map { _ in "Status: 200\r\n\r\n" })
            for client in clients { client.get("/") }
        }
        #expect(idle.count == 5)
    }
}

@Suite(.timeLimit(.minutes(2))) struct `An urgent request` {
    /// A server with one worker, which notes the paths that it handles once the test lets it.
    private final class OneWorker: Sendable {
        let path = TemporaryFolder.shared.file("live").path
        let server: Server
        let handled = Mutex<[String]>([])
        let isOpen = Atomic(false)

        init() throws {
            var limits = ServerLimits()
            limits.workers = 1
            limits.queued = 30
            server = try Server(
                listener: try Listener(path: path), limits: limits, refusal: Array("full".utf8),
                paths: UrgentPaths(urgent: "/live", live: "/live/now"))
            try server.start { [self] in
                { [self] exchange in
                    let path = exchange.parameter("SCRIPT_NAME") ?? ""
                    handled.withLock { $0.append(path) }
                    while path != "/live/now" && !isOpen.load(ordering: .relaxed) { usleep(1000) }
                    try? exchange.write(Array("Status: 200\r\n\r\n\(path)".utf8).span)
                }
            }
        }

        /// The client whose request keeps the worker busy.
        func occupied() -> FastCGIClient {
            let client = FastCGIClient(path)
            client.get("/first")
            #expect(eventually { handled.withLock { $0.count } == 1 })
            return client
        }
    }

    @Test func `overtakes a full queue, however often it is sent, and is refused beyond twice it`()
        throws
    {
        let one = try OneWorker()
        defer { _ = one.server.drain(seconds: 10) }
        let first = one.occupied()
        defer { first.hangUp() }
        let others = (1...30).map { _ in FastCGIClient(one.path) }
        for client in others { client.get("/other") }
        #expect(eventually { one.server.load.queued == 30 })
        let probes = (1...31).map { _ in FastCGIClient(one.path) }
        for probe in probes { probe.get("/live") }
        #expect(eventually { one.server.load.queueRefusals == 1 })
        // Only the path counts, not other variables.
        let similar = FastCGIClient(one.path)
        similar.send(
            FastCGIClient.request(
                ["SCRIPT_NAME": "/usage", "QUERY_STRING": "\u{b}\u{5}SCRIPT_NAME/live"], true))
        #expect(similar.answer() == "full")
        one.isOpen.store(true, ordering: .relaxed)
        let responses = probes.map { $0.answer() }
        #expect(responses.count { $0 == "Status: 200\r\n\r\n/live" } == 30)
        #expect(others.allSatisfy { $0.answer() == "Status: 200\r\n\r\n/other" })
        let handled = one.handled.withLock { $0 }
        #expect(handled[1...30].allSatisfy { $0 == "/live" }, "\(handled)")
    }

    /// A health check of the process took a second while PostgreSQL was frozen.
    @Test func `that never waits is answered while all workers hang, and no other one`() throws {
        let one = try OneWorker()
        defer { _ = one.server.drain(seconds: 10) }
        let first = one.occupied()
        defer { first.hangUp() }
        let others = (1...30).map { _ in FastCGIClient(one.path) }
        let unfinished = FastCGIClient.request(["SCRIPT_NAME": "/live/now"], true)
        others[1].send(unfinished.dropLast(8))
        others[2].send(
            FastCGIClient.request(["SCRIPT_NAME": "/live/now", "PATH_INFO": "/other"], true))
        others[3].send(
            FastCGIClient.request(
                ["PATH_INFO": "/other"], true, Array("\u{b}\u{9}SCRIPT_NAME/live/now".utf8)))
        for (number, client) in others.enumerated() where !(1...3).contains(number) {
            // What a client writes into other variables does not count, nor does a longer path.
            let mark = "\u{b}\u{9}SCRIPT_NAME/live/now"
            client.send(
                FastCGIClient.request(
                    [
                        "A\(mark)": mark, "SCRIPT_NAME": number == 0 ? "/live/nowhere" : "/other",
                        "HTTP_X": String(repeating: "x", count: number * 90) + mark,
                    ], true))
        }
        #expect(eventually { one.server.load.queued == 30 })
        let probe = FastCGIClient(one.path)
        for _ in 1...3 {
            probe.get("/live/now")
            #expect(probe.answer() == "Status: 200\r\n\r\n/live/now")
        }
        #expect(one.handled.withLock { $0 } == ["/first"] + Array(repeating: "/live/now", count: 3))
        one.isOpen.store(true, ordering: .relaxed)
        others[1].send(Array(unfinished.suffix(8)))
        #expect(others.allSatisfy { $0.answer() != nil })
    }
}
