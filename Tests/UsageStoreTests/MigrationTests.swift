import Foundation
import Postgres
import TestSupport
import Testing
import UsageStore

@Suite(.timeLimit(.minutes(2))) struct `The migration files` {
    private func migration(_ text: String, _ name: String = "0001_x.sql") throws -> Migration {
        try Migration(fileName: name, text: text)
    }

    @Test(arguments: ["\n", "\r\n"])
    func `are read in dbmate's format, whatever the line breaks`(lineBreak: String) throws {
        let lines = [
            "-- a comment", "-- migrate:up transaction:false", "CREATE TABLE a ();",
            "CREATE TABLE b ();", "--\tmigrate:down", "DROP TABLE a;",
        ]
        let migration = try migration(lines.joined(separator: lineBreak))
        #expect(migration.version == "0001")
        #expect(migration.up.statements == "CREATE TABLE a ();\nCREATE TABLE b ();")
        #expect(migration.up.usesTransaction == false)
        #expect(migration.down?.statements == "DROP TABLE a;")
        #expect(migration.down?.usesTransaction == true)
    }

    @Test func `need a number, a name and an up part`() {
        #expect(throws: AdministrationFault.self) { try migration("-- migrate:up", "x.sql") }
        #expect(throws: AdministrationFault.self) { try migration("-- migrate:updates") }
        #expect(throws: AdministrationFault.self) { try migration("-- migrate:up\n-- migrate:up") }
    }

    @Test func `that fail leave nothing behind, and name the file`() throws {
        let database = try Database(isMigrated: false)
        let runner = try MigrationRunner(databaseURL: database.url)
        let broken = try migration("-- migrate:up\nCREATE TABLE a (x int); SELECT nonsense;")
        let fault = #expect(throws: AdministrationFault.self) { try runner.up([broken]) { _ in } }
        #expect(fault?.description == "0001_x.sql: column \"nonsense\" does not exist (42703)")
        #expect(try database.value("SELECT to_regclass('a')") == nil)
        #expect(try runner.states(of: [broken]).map(\.isApplied) == [false])
    }

    @Test func `that were changed afterwards are refused`() throws {
        let database = try Database(isMigrated: false)
        let runner = try MigrationRunner(databaseURL: database.url)
        #expect(try runner.up([migration("-- migrate:up\nSELECT 1")]) { _ in } == 1)
        let changed = try migration("-- migrate:up\nSELECT 2")
        #expect(throws: AdministrationFault.self) { try runner.up([changed]) { _ in } }
        #expect(try runner.states(of: [changed]).map(\.isChanged) == [true])
    }

    @Test func `may be empty in either direction`() throws {
        let runner = try MigrationRunner(databaseURL: try Database(isMigrated: false).url)
        let empty = try migration("-- migrate:up\n\n-- migrate:down\n-- cannot be undone\n")
        #expect(try runner.up([empty]) { _ in } == 1)
        #expect(try runner.down([empty])?.version == "0001")
    }

    @Test func `run by several at once are applied once`() throws {
        let database = try Database(isMigrated: false)
        let programs = try (1...4).map { _ in
            try Program(
                Repository.program("orbitalctl"), ["migrate", "up"],
                environment: ["DATABASE_URL": database.url])
        }
        #expect(programs.map { $0.wait() } == [0, 0, 0, 0])
        #expect(programs.filter { $0.output.contains("applying 0001") }.count == 1)
    }

    @Test func `are shared with dbmate, in both directions`() throws {
        let database = try Database(isMigrated: false)
        let runner = try MigrationRunner(databaseURL: database.url)
        let migrations = try Migrations.all()
        #expect(try runner.up(Array(migrations.prefix(2))) { _ in } == 2)
        try dbmate(database, "migrate")
        #expect(try runner.states(of: migrations).allSatisfy { $0.isApplied && !$0.isChanged })
        #expect(try runner.up(migrations) { _ in } == 0)
        try dbmate(database, "rollback")
        #expect(try runner.states(of: migrations).last?.isApplied == false)
        // A file may change between dbmate's rollback and our next run.
        let last = try #require(migrations.last)
        let edited = try Migration(fileName: last.fileName, text: last.text + "\n-- edited\n")
        #expect(try runner.up(migrations.dropLast() + [edited]) { _ in } == 1)
        #expect(try runner.states(of: [edited]).map(\.isChanged) == [false])
    }

    private func dbmate(_ database: Database, _ command: String) throws {
        let outcome = try Program.run(
            Repository.path(".build/test-tools/bin/dbmate"),
            ["--no-dump-schema", "--migrations-dir", Repository.path("Migrations"), command],
            environment: ["DATABASE_URL": dbmateURL(database.url)])
        #expect(outcome.status == 0, "\(outcome.output) \(outcome.errors)")
    }

    /// dbmate wants the socket's folder under another name, and no encryption.
    private func dbmateURL(_ url: String) -> String {
        url.replacingOccurrences(of: "?host=", with: "?sslmode=disable&socket=")
    }
}
