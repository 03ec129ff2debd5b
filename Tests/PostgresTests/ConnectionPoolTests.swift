import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct `A pool of connections` {
    /// A database to which a role may have only one connection.
    private func single() throws -> (database: Database, url: String) {
        let database = try Database(isMigrated: false)
        let role = "single_\(UInt64.random(in: 0 ... .max))"
        try database.run("CREATE ROLE \(role) LOGIN CONNECTION LIMIT 1")
        return (database, database.url.replacing("orbital@", with: "\(role)@"))
    }

    private func borrow(
        _ pool: ConnectionPool, _ url: String, seconds: Int = 5, watching descriptor: Int32? = nil,
        refused: (Int) -> Void = { _ in }
    ) throws -> Connection {
        try pool.borrow(
            until: .now + .seconds(seconds), watching: descriptor, WaitMeter(), refused: refused
        ) {
            try Connection(url: url, applicationName: "tests", waitSeconds: 5)
        }
    }

    @Test func `lends an idle connection again, unless the server has ended it`() throws {
        let database = try Database(isMigrated: false)
        let pool = ConnectionPool()
        let first = try borrow(pool, database.url)
        pool.giveBack(first)
        #expect(try borrow(pool, database.url) === first)
        pool.giveBack(first)
        let number = try first.query("SELECT pg_backend_pid()")[0, 0] ?? ""
        try database.run("SELECT pg_terminate_backend(\(number))")
        #expect(eventually { !first.isOpen })
        #expect(try borrow(pool, database.url) !== first)
        #expect(pool.granted == nil)
    }

    @Test
    func `passes the only connection on in the order of the threads, and tells its number once`()
        throws
    {
        let (database, url) = try single()
        let pool = ConnectionPool()
        let first = try borrow(pool, url)
        let only = ObjectIdentifier(first)
        let order = Mutex<[Int]>([])
        let told = Mutex<[Int]>([])
        let group = DispatchGroup()
        for number in 1...3 {
            group.enter()
            Thread {
                defer { group.leave() }
                let lent = try? borrow(
                    pool, url, refused: { count in told.withLock { $0.append(count) } })
                order.withLock {
                    $0.append(lent.map(ObjectIdentifier.init) == only ? number : -number)
                }
                if let lent { pool.giveBack(lent) }
            }.start()
            // The thread waits after it was refused, or if the pool knows of a refusal.
            #expect(eventually { pool.waitingCount == number })
        }
        pool.giveBack(first)
        #expect(group.wait(timeout: .now() + 20) == .success)
        #expect(order.withLock { $0 } == [1, 2, 3])
        #expect(told.withLock { $0 } == [1])
        #expect(pool.granted == 1)
        _ = database
    }

    @Test func `lets a thread wait no longer than it may, nor than its client does`() throws {
        let (_, url) = try single()
        let pool = ConnectionPool()
        let only = try borrow(pool, url)
        let refusal = #expect(throws: PostgresError.self) { try borrow(pool, url, seconds: 1) }
        #expect(refusal?.description == "53300: no connection became free in time")
        var pair: [Int32] = [0, 0]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        close(pair[1])
        #expect(throws: QueryAbandoned.self) { try borrow(pool, url, watching: pair[0]) }
        close(pair[0])
        pool.giveBack(only)
        #expect(try borrow(pool, url) === only)
    }

    @Test func `opens another connection for a thread that waits for one that broke`() throws {
        let (database, url) = try single()
        let pool = ConnectionPool()
        var only: Connection? = try borrow(pool, url)
        let isLent = Mutex(false)
        Thread {
            let lent = try? borrow(pool, url)
            isLent.withLock { $0 = lent != nil }
        }.start()
        #expect(eventually { pool.waitingCount == 1 })
        only = nil
        #expect(
            try eventually {
                try database.value(
                    "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'single%' AND datname = current_database()"
                )
                    == "0"
            })
        pool.giveUp()
        #expect(eventually { isLent.withLock { $0 } })
        _ = only
    }

    @Test func `opens a connection when the last one broke just before it would wait`() throws {
        let (database, url) = try single()
        let pool = ConnectionPool()
        var only: Connection? = try borrow(pool, url)
        let start = ContinuousClock.now
        let lent = try borrow(
            pool, url,
            refused: { _ in
                only = nil
                let sessions = """
                    SELECT count(*) FROM pg_stat_activity
                    WHERE usename LIKE 'single%' AND datname = current_database()
                    """
                #expect((try? eventually { try database.value(sessions) == "0" }) == true)
                pool.giveUp()
            })
        #expect(lent.isOpen)
        #expect(ContinuousClock.now - start < .seconds(4))
        _ = only
    }

    @Test func `throws at once when the server grants none`() throws {
        let (_, url) = try single()
        let other = try Connection(url: url, applicationName: "tests", waitSeconds: 5)
        let refusal = #expect(throws: PostgresError.self) { try borrow(ConnectionPool(), url) }
        #expect(refusal?.state == PostgresError.tooManyConnections)
        #expect(other.isOpen)
    }
}
