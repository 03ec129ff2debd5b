import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `The revision` {
    private let insert =
        "INSERT INTO usage_record (\"timestamp\", message_text) VALUES (now(), 'x')"

    private func revision(_ database: Database) throws -> Int {
        try Int(database.value("SELECT usage_revision()") ?? "") ?? 0
    }

    @Test func `changes with every statement that changes records or prices`() throws {
        let database = try Database()
        for script in [
            insert, "UPDATE usage_record SET report_name = 'r'", "DELETE FROM usage_record",
            "TRUNCATE usage_record",
            "UPDATE credit_rate SET minimum_hundredths = 99",
            "INSERT INTO credit_rate (effective_from, tokenizer, hundredths_per_100_tokens, minimum_hundredths) VALUES ('2030-01-01Z', 'characters', 1, 1)",
            "COPY usage_record (\"timestamp\", message_text) FROM PROGRAM 'printf ''2024-01-01Z\\tx\\n'''",
        ] {
            let before = try revision(database)
            try database.run(script)
            #expect(try revision(database) == before + 1, "\(script)")
        }
    }

    @Test func `changes once for a batch, and not for one that is rolled back`() throws {
        let database = try Database()
        let before = try revision(database)
        try database.run("BEGIN; \(insert); \(insert); ROLLBACK")
        #expect(try revision(database) == before)
        try database.addRecords(10_000)
        #expect(try revision(database) == before + 1)
    }

    @Test func `becomes visible with the commit, and holds no other writer up before`() throws {
        let database = try Database()
        let before = try revision(database)
        // More open transactions than one shard could serve; fewer than there are.
        let writers = try (0..<12).map { _ in
            try Connection(url: database.url, applicationName: "writer", waitSeconds: 5)
        }
        for writer in writers { try writer.run("BEGIN; \(insert)") }
        #expect(try revision(database) == before)
        for writer in writers { try writer.run("COMMIT") }
        #expect(try revision(database) == before + 12)
    }

    @Test func `changes where session_replication_role is replica, too`() throws {
        let database = try Database()
        let before = try revision(database)
        try database.replicate("(1, '2024-01-01Z', 'x', 100, 1)")
        #expect(try revision(database) == before + 1)
    }

    @Test func `cannot be lost without an error`() throws {
        let database = try Database()
        try database.run("DELETE FROM usage_revision")
        #expect(throws: PostgresError.self) { try database.run(insert) }
    }
}
