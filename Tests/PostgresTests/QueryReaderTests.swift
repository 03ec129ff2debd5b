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
            try connection(), "test",
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
                connection, "test",
                "SELECT 1000 / (500 - n) FROM generate_series(1, $1::bigint) AS n",
                ["1000"], isStreamed: isStreamed)
            while try reader.next() {}
        }
        #expect(error?.state == "22012")
        // The connection serves the next query.
        #expect(connection.isIdle)
        let next = try QueryReader(connection, "test", "SELECT 1::bigint", isStreamed: isStreamed)
        #expect(try next.next())
        #expect(next.integer(0) == 1)
    }

    @Test func `prepares a statement once, and forgets old ones before they are too many`() throws {
        let connection = try connection()
        for number in 1...200 {
            for _ in 1...2 {
                let reader = try QueryReader(connection, "test", "SELECT \(number)::bigint")
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
            try QueryReader(connection, "test", "SELECT value FROM changing")
        }
        #expect(try read().count == 1)
        try database.run("ALTER TABLE changing ALTER COLUMN value TYPE bigint USING value::bigint")
        let error = #expect(throws: PostgresError.self) { _ = try read() }
        #expect(error?.isStaleStatement == true)
        #expect(!connection.isOpen)
    }
}
