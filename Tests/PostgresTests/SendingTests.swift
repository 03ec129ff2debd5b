import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

/// What a frozen server does to those who send it more than the socket holds.
@Suite(.timeLimit(.minutes(1))) struct `Sending` {
    private let text = String(repeating: "x", count: 8 << 20)

    /// The error of `send`, which gets a connection, and what freezes its backend.
    ///
    /// Of a call that does not come back within ten seconds, there is none: it is let go.
    private func error(
        waitSeconds: Int,
        _ send: @escaping @Sendable (Connection, _ freeze: () -> Void) throws -> Void
    ) throws -> (any Error)? {
        let url = try Database(isMigrated: false).url
        let backend = Mutex<pid_t>(0)
        let outcome = Mutex<Result<Void, any Error>?>(nil)
        let thread = Thread {
            let result = Result {
                let connection = try Connection(
                    url: url, applicationName: "tests", waitSeconds: waitSeconds)
                try connection.run("CREATE TABLE t (s text)")
                let pid = try connection.query("SELECT pg_backend_pid()")[0, 0].flatMap {
                    pid_t($0)
                }
                backend.withLock { $0 = pid ?? 0 }
                // The connection is given up here as well, which must not take long either.
                try send(connection) { kill(pid ?? 0, SIGSTOP) }
            }
            outcome.withLock { $0 = result }
        }
        thread.start()
        let ended = eventually(seconds: 10) { outcome.withLock { $0 != nil } }
        kill(backend.withLock { $0 }, SIGCONT)
        #expect(ended, "it waits without limit")
        guard case .failure(let error) = outcome.withLock({ $0 }) else { return nil }
        return error
    }

    @Test func `ends at the time limit while the server takes nothing`() throws {
        let text = text
        let error = try error(waitSeconds: 1) { connection, freeze in
            freeze()
            try connection.query("SELECT length($1)", [text])
        }
        #expect((error as? PostgresError)?.message == "no response within 1 s")
    }

    @Test func `of a prepared statement ends at the time limit, too`() throws {
        let bytes = [UInt8](repeating: 1, count: 8 << 20)
        let error = try error(waitSeconds: 1) { connection, freeze in
            for sent in [[], bytes] {
                if !sent.isEmpty { freeze() }
                _ = try QueryReader(
                    connection, "test", "SELECT length($1::bytea)::bigint", [.binary(sent)])
            }
        }
        #expect((error as? PostgresError)?.message == "no response within 1 s")
    }

    @Test func `of a copy ends at the time limit, too`() throws {
        let text = text
        let error = try error(waitSeconds: 1) { connection, freeze in
            let copy = try CopyWriter(connection, "COPY t FROM STDIN (FORMAT binary)")
            freeze()
            for _ in 1...2 {
                try copy.beginRow(columns: 1)
                copy.append(text: text)
            }
            try copy.end()
        }
        #expect((error as? PostgresError)?.message == "no response within 1 s")
    }

    @Test func `ends when the watched descriptor hangs up`() throws {
        let text = text
        let error = try error(waitSeconds: 60) { connection, freeze in
            freeze()
            var pair: [Int32] = [0, 0]
            socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair)
            defer { close(pair[0]) }
            connection.watchedDescriptor = pair[0]
            let peer = pair[1]
            Thread.detachNewThread {
                usleep(100_000)
                close(peer)
            }
            try connection.query("SELECT length($1)", [text])
        }
        #expect(error is QueryAbandoned)
    }

    @Test func `takes whatever is longer than the socket's buffer, both ways at once`() throws {
        let connection = try Database(isMigrated: false).connection
        let answer = try connection.query("SELECT $1, length($1)", [text])
        #expect(answer[0, 0] == text)
        try connection.run("CREATE TABLE t (s text)")
        let copy = try CopyWriter(connection, "COPY t FROM STDIN (FORMAT binary)")
        for _ in 1...5 {
            try copy.beginRow(columns: 1)
            copy.append(text: text)
        }
        try copy.end()
        let sum = try connection.query("SELECT count(*), sum(length(s)) FROM t")
        #expect(sum[0, 0] == "5")
        #expect(sum[0, 1] == String(5 * text.utf8.count))
        #expect(connection.isOpen)
    }
}
