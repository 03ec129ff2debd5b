import FastCGI
import Foundation
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
            listener: try Listener(path: path), limits: limits, refusal: Array(Self.refusal.utf8))
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
}
