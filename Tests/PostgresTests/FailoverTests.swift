import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `The hosts of a connection string` {
    /// A port that accepts connections and never responds.
    private final class FrozenServer {
        private(set) var port: UInt16 = 0
        private let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)

        init() {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            withUnsafeMutableBytes(of: &address) { bytes in
                guard let pointer = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self)
                else { return }
                bind(descriptor, pointer, size)
                listen(descriptor, 16)
                getsockname(descriptor, pointer, &size)
            }
            port = address.sin_port.bigEndian
        }

        deinit { close(descriptor) }
    }

    /// The directory of the test server's socket, and its database.
    private func server() throws -> (sockets: String, database: String) {
        let database = try Database().connection
        return (
            try database.query("SHOW unix_socket_directories")[0, 0] ?? "",
            try database.query("SELECT current_database()")[0, 0] ?? ""
        )
    }

    private func connect(_ string: String, within limit: Duration = .seconds(60)) throws {
        let meter = WaitMeter()
        try meter.within(limit) {
            _ = try Connection(url: string, applicationName: "tests", waitSeconds: 60, meter: meter)
        }
    }

    private func error(_ string: String, within limit: Duration = .seconds(60)) -> PostgresError? {
        do {
            try connect(string, within: limit)
            return nil
        } catch {
            return error as? PostgresError
        }
    }

    @Test(arguments: ["any", "read-write", "prefer-standby"])
    func `are tried in turn, and one that does not respond for exactly its timeout`(
        target: String
    ) throws {
        let frozen = FrozenServer()
        let live = try server()
        let start = ContinuousClock.now
        try connect(
            """
            host=127.0.0.1,/nowhere,\(live.sockets) port=\(frozen.port),5432,5432 connect_timeout=1
            user=orbital dbname=\(live.database) target_session_attrs=\(target)
            """)
        let duration = ContinuousClock.now - start
        #expect(duration > .seconds(1) && duration < .seconds(1.9), "\(duration)")
    }

    @Test func `together take no longer than the request may still wait`() throws {
        let frozen = FrozenServer()
        let start = ContinuousClock.now
        let error = error(
            "host=127.0.0.1,127.0.0.1,127.0.0.1 port=\(frozen.port) connect_timeout=1 user=x",
            within: .seconds(1.4))
        let duration = ContinuousClock.now - start
        #expect(duration > .seconds(1.4) && duration < .seconds(1.9), "\(duration)")
        #expect(error?.state == PostgresError.connectionFailure)
        let line = "connection to server at \"127.0.0.1\", port \(frozen.port) failed: "
        #expect(error?.message == "\(line)timeout expired \(line)timeout expired")
    }

    @Test func `are all named when none can be reached`() throws {
        let frozen = FrozenServer()
        let port = try freePort()
        let error = error(
            """
            host=a,127.0.0.1,/nowhere hostaddr=127.0.0.1,, port=\(frozen.port),\(port),
            connect_timeout=2 user=x password=secret
            """)
        #expect(error?.state == PostgresError.connectionFailure)
        let message = """
            connection to server at "127.0.0.1", port \(frozen.port) failed: timeout expired \
            connection to server at "127.0.0.1", port \(port) failed: Connection refused Is the \
            server running on that host and accepting TCP/IP connections? connection to server \
            on socket "/nowhere/.s.PGSQL.5432" failed: No such file or directory Is the server \
            running locally and accepting connections on that socket?
            """
        #expect(error?.message == message)
    }

    @Test func `are not tried after a refusal, whose state comes with the only attempt`() throws {
        let live = try server()
        let role = "guest_\(live.database)"
        try Cluster.shared.connection(live.database).run("CREATE ROLE \(role)")
        let string = "host=\(live.sockets),\(live.sockets) user=\(role) dbname=\(live.database)"
        let refusal = error(string)
        #expect(refusal?.state == "28000")
        let failed = "connection to server on socket \"\(live.sockets)/.s.PGSQL.5432\" failed: "
        #expect(
            refusal?.message
                == "\(failed)FATAL: role \"…\" is not permitted to log in")
        let log = try String(
            contentsOf: TemporaryFolder.shared.url.appendingPathComponent(
                "postgres/data/server.log"), encoding: .utf8)
        #expect(log.components(separatedBy: "\"\(role)\" is not permitted").count == 2)
        let missing = error("host=\(live.sockets) user=orbital dbname=missing")
        #expect(missing?.state == "3D000")
        // The name of the user is hidden, wherever it stands.
        let text = "\(failed)FATAL: database \"missing\" does not exist"
        #expect(missing?.message == text.replacing("orbital", with: "…"))
    }
}
