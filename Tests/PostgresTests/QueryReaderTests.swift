import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct `A query reader` {
    private func connection() throws -> Connection { try Database(isMigrated: false).connection }

    @Test(arguments: [true, false])
    func `reads rows with parameters, whole or one by one`(isStreamed: Bool) throws {
        let reader = try QueryReader(
            try connection(),
            """
            SELECT n, CASE WHEN n % 2 = 0 THEN $2::text END FROM generate_series(1, $1::bigint) AS n
            """, ["4", "é\"'; --"], isStreamed: isStreamed)
        var rows: [String] = []
        while try reader.next() {
            #expect(reader.isNull(1) == (reader.string(1) == nil))
            rows.append("\(reader.integer(0)) \(reader.string(1) ?? "-")")
        }
        #expect(rows == ["1 -", "2 é\"'; --", "3 -", "4 é\"'; --"])
        #expect(try reader.next() == false)
    }

    @Test(arguments: [true, false])
    func `throws what the server has against it, in the middle too`(isStreamed: Bool) throws {
        let connection = try connection()
        let error = #expect(throws: PostgresError.self) {
            let reader = try QueryReader(
                connection, "SELECT 1000 / (500 - n) FROM generate_series(1, $1::bigint) AS n",
                ["1000"], isStreamed: isStreamed)
            while try reader.next() {}
        }
        #expect(error?.state == "22012")
        // The connection serves the next query.
        #expect(connection.isIdle)
        let next = try QueryReader(
            connection, "SELECT 1::bigint", [String](), isStreamed: isStreamed)
        #expect(try next.next())
        #expect(next.integer(0) == 1)
    }

    @Test func `prepares a statement once, and forgets old ones before they are too many`() throws {
        let connection = try connection()
        for number in 1...200 {
            for _ in 1...2 {
                let reader = try QueryReader(
                    connection, "SELECT \(number)::bigint", [String](), isStreamed: false)
                #expect(try reader.next())
                #expect(reader.integer(0) == Int64(number))
            }
        }
        let kept = try connection.query("SELECT count(*) FROM pg_prepared_statements")[0, 0]
        #expect(Int(kept ?? "") ?? 0 <= 64)
    }

    @Test func `gives its connection up when the schema has changed under a statement`() throws {
        let database = try Database(isMigrated: false)
        let connection = try Connection(url: database.url, applicationName: "t", waitSeconds: 5)
        try database.run("CREATE TABLE changing (value text); INSERT INTO changing VALUES ('7')")
        let read = {
            try QueryReader(connection, "SELECT value FROM changing", [String](), isStreamed: false)
        }
        #expect(try read().count == 1)
        try database.run("ALTER TABLE changing ALTER COLUMN value TYPE bigint USING value::bigint")
        let error = #expect(throws: PostgresError.self) { _ = try read() }
        #expect(error?.isStaleStatement == true)
        #expect(!connection.isOpen)
    }
}

@Suite(.timeLimit(.minutes(1))) struct `A shared answer` {
    /// Counts questions, and lets a test hold one up.
    private final class Source: @unchecked Sendable {
        private let lock = NSLock()
        private var asked = 0
        private var value = 0
        let gate = DispatchSemaphore(value: 0)

        var count: Int { lock.withLock { asked } }

        func set(_ new: Int) { lock.withLock { value = new } }

        func read() -> Int {
            let seen = lock.withLock {
                asked += 1
                return value
            }
            gate.wait()
            return seen
        }
    }

    @Test func `is asked for once by all who came while another question was under way`() throws {
        let shared = SharedAnswer<Int>()
        let source = Source()
        let group = DispatchGroup()
        let answers = Answers()
        let arrived = Mutex(0)
        let ask = {
            let thread = Thread {
                arrived.withLock { $0 += 1 }
                answers.add(Result { try shared.answer { source.read() } }); group.leave()
            }
            group.enter()
            thread.start()
        }
        ask()
        #expect(eventually { source.count == 1 })
        // What is written now was not there when the first question was put.
        source.set(1)
        for _ in 1...7 { ask() }
        #expect(eventually { arrived.withLock { $0 } == 8 })
        usleep(200_000)
        source.gate.signal()
        #expect(eventually { source.count == 2 })
        source.gate.signal()
        let ended = group.wait(timeout: .now() + 20)
        #expect(ended == .success, "more than two questions were put")
        for _ in 1...7 { source.gate.signal() }
        #expect(source.count == 2)
        #expect(answers.values.sorted() == [0] + Array(repeating: 1, count: 7))
    }

    @Test func `is not asked again for those who came before it was put the last time`() throws {
        let shared = SharedAnswer<Int>()
        let before = ContinuousClock.now
        #expect(try shared.answer { 1 } == 1)
        #expect(try shared.answer(since: before) { 2 } == 1)
        #expect(try shared.answer(since: .now) { 3 } == 3)
        #expect(try shared.answer { 4 } == 4)
    }

    @Test func `shares a failure, but not that a client has gone`() throws {
        let shared = SharedAnswer<Int>()
        #expect(throws: QueryAbandoned.self) { try shared.answer { throw QueryAbandoned() } }
        #expect(try shared.answer { 5 } == 5)
        struct Failure: Error {}
        #expect(throws: Failure.self) { try shared.answer { throw Failure() } }
        #expect(try shared.answer { 6 } == 6)
    }

    private final class Answers: @unchecked Sendable {
        private let lock = NSLock()
        private var all: [Int] = []

        var values: [Int] { lock.withLock { all } }

        func add(_ answer: Result<Int, any Error>) {
            guard case .success(let value) = answer else { return }
            lock.withLock { all.append(value) }
        }
    }
}
