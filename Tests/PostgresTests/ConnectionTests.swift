import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `A connection` {
    private func error(_ body: () throws -> Void) -> PostgresError? {
        do {
            try body()
            return nil
        } catch {
            return error as? PostgresError
        }
    }

    @Test func `returns text, and nil for NULL`() throws {
        let result = try Database().connection.query(
            "SELECT $1::text, $2::int + 1, NULL", ["a'b\\漢", "41"])
        #expect(result.count == 1)
        #expect([result[0, 0], result[0, 1], result[0, 2]] == ["a'b\\漢", "42", nil])
    }

    @Test func `reports the state, the constraint and the statement, but no parameters`() throws {
        let database = try Database()
        try database.run("CREATE TABLE t (x int CONSTRAINT t_x_check CHECK (x > 0))")
        let error = error { try database.connection.query("INSERT INTO t VALUES ($1)", ["-7"]) }
        #expect(error?.state == "23514")
        #expect(error?.constraint == "t_x_check")
        #expect(error?.description.contains("INSERT INTO t VALUES ($1)") == true)
        #expect(error?.description.contains("-7") == false)
        #expect(try database.value("SELECT count(*) FROM t") == "0")
    }

    @Test func `continues after an error`() throws {
        let connection = try Database().connection
        #expect(error { try connection.run("SELECT 1; SELECT nonsense") }?.state == "42703")
        #expect(connection.isOpen)
        #expect(try connection.query("SELECT 1")[0, 0] == "1")
    }

    @Test func `rolls a transaction back when its body throws`() throws {
        let database = try Database()
        try database.run("CREATE TABLE t (x int)")
        #expect(throws: CancellationError.self) {
            try database.connection.transaction {
                try database.run("INSERT INTO t VALUES (1)")
                throw CancellationError()
            }
        }
        #expect(try database.value("SELECT count(*) FROM t") == "0")
    }

    @Test func `cannot be made to a server that is not there`() {
        let error = error {
            _ = try Connection(
                url: "postgresql:///x?host=/nowhere", applicationName: "tests", waitSeconds: 1)
        }
        #expect(error?.state == PostgresError.connectionFailure)
        #expect(error?.isUnavailability == true)
    }

    @Test func `notices that the server ended it`() throws {
        let database = try Database()
        let victim = try Connection(url: database.url, applicationName: "victim", waitSeconds: 5)
        #expect(victim.isOpen)
        try database.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'"
        )
        #expect(eventually { !victim.isOpen })
    }

    @Test func `stops waiting at its limit, and the query ends with it`() throws {
        let database = try Database()
        let error = error {
            let slow = try Connection(url: database.url, applicationName: "slow", waitSeconds: 1)
            try slow.run("SELECT pg_sleep(60)")
        }
        #expect(error?.message == "no response within 1 s")
        #expect(
            try eventually(seconds: 2) {
                try database.value(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'slow' AND state = 'active'"
                )
                    == "0"
            })
    }

    @Test func `stops waiting when the watched descriptor hangs up`() throws {
        let slow = try Connection(
            url: try Database().url, applicationName: "slow", waitSeconds: 60)
        var pair: [Int32] = [0, 0]
        socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair)
        defer { close(pair[0]) }
        slow.watchedDescriptor = pair[0]
        let peer = pair[1]
        Thread.detachNewThread {
            usleep(100_000)
            close(peer)
        }
        let start = ContinuousClock.now
        #expect(throws: QueryAbandoned.self) { try slow.run("SELECT pg_sleep(60)") }
        #expect(ContinuousClock.now - start < .seconds(5))
    }
}
