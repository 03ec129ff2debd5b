import Foundation
import Postgres
import TestSupport
import Testing
import UsageStore

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
            "\(insertRates("('2030-01-01Z', 'characters', 1, 1)"))",
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

@Suite(.timeLimit(.minutes(1))) struct `The revision of the keys` {
    private let insert = """
        INSERT INTO api_key (key_id, name, secret_sha256, scopes)
        VALUES ('0123456789ab', 'x', sha256('x'), '{usage:read}')
        """

    private func revision(_ database: Database) throws -> Int {
        try Int(database.value("SELECT changes FROM api_key_revision") ?? "") ?? 0
    }

    @Test func `changes with every change of a key, and not with records`() throws {
        let database = try Database()
        for script in [
            insert, "UPDATE api_key SET revoked_at = now()", "DELETE FROM api_key",
            "SET session_replication_role = replica; \(insert); RESET session_replication_role",
            "TRUNCATE api_key",
        ] {
            let before = try revision(database)
            try database.run(script)
            #expect(try revision(database) == before + 1, "\(script)")
        }
        let before = try revision(database)
        try database.addContractRecords()
        try database.run("BEGIN; \(insert); ROLLBACK")
        #expect(try revision(database) == before)
        #expect(try Int(database.store().revisions().keys) == before)
    }

    @Test func `is not one of the past in a schema that is made anew`() throws {
        let database = try Database()
        try database.run(insert)
        let before = try revision(database)
        let runner = try MigrationRunner(databaseURL: database.url)
        while try runner.down(Migrations.all())?.version != "0016" {}
        #expect(try database.value("SELECT to_regclass('api_key_revision')") == nil)
        // A clock of milliseconds goes on by more than one for each change.
        usleep(10_000)
        #expect(try runner.up(Migrations.all()) { _ in } >= 1)
        #expect(try revision(database) > before)
        #expect(try database.value("SELECT count(*) FROM api_key") == "1")
    }

    @Test func `cannot be lost without an error`() throws {
        let database = try Database()
        try database.run("DELETE FROM api_key_revision")
        #expect(throws: PostgresError.self) { try database.run(insert) }
        #expect(throws: DatabaseUnavailable.self) { try database.store().revisions() }
    }
}
