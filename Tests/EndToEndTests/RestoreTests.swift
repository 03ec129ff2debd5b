import Foundation
import TestSupport
import Testing

/// What a dump keeps, and what a database that was restored to an earlier state needs.
@Suite(.timeLimit(.minutes(2))) struct `A restored database` {
    private func insert(_ database: Database) throws {
        try database.run(
            "INSERT INTO usage_record (\"timestamp\", message_text) VALUES (now(), 'x')")
    }

    private func run(_ program: String, _ arguments: [String], url: String = "") throws -> String {
        let outcome = try Program.run(program, arguments, environment: ["DATABASE_URL": url])
        #expect(outcome.status == 0, "\(outcome.errors)")
        return outcome.output
    }

    private func dump(_ database: Database) throws -> String {
        let file = TemporaryFolder.shared.file("dump").path
        _ = try run("/usr/bin/pg_dump", ["-Fc", "-f", file, database.url])
        return file
    }

    private func restored(_ dump: String, _ options: [String] = []) throws -> Database {
        let copy = try Database(isMigrated: false)
        _ = try run(
            "/usr/bin/pg_restore", ["--exit-on-error"] + options + ["-d", copy.url, dump])
        return copy
    }

    /// All statements; pg_dump frames them with a number that is another one each time.
    private func schema(_ database: Database) throws -> String {
        try run("/usr/bin/pg_dump", ["--schema-only", database.url])
            .replacing(/\\(un)?restrict .*/, with: "")
    }

    @Test func `has the triggers, sequences and privileges of the original`() throws {
        let database = try Database()
        _ = try run(
            "/usr/bin/psql", ["-Xq", database.url, "-f", Repository.path("deploy/roles.sql")])
        try database.addRecords(100)
        let dump = try dump(database)
        let copy = try restored(dump)
        let schema = try schema(database)
        #expect(schema.contains("CREATE TRIGGER usage_record_revision "))
        #expect(schema.contains("TO orbital_responder;"))
        #expect(try self.schema(copy) == schema)
        // The next id is none that was given out.
        try insert(copy)
        #expect(try copy.value("SELECT max(message_id) FROM usage_record") == "101")
        #expect(
            try run(Repository.program("orbitalctl"), ["verify"], url: copy.url)
                .hasSuffix(": 0 differences\n"))
        // And without what the runbook warns of.
        let bare = try restored(dump, ["--no-owner", "--no-privileges"])
        #expect(try self.schema(bare).contains("orbital_responder") == false)
        _ = try run("/usr/bin/psql", ["-Xq", bare.url, "-f", Repository.path("deploy/roles.sql")])
        #expect(try self.schema(bare) == schema)
    }

    /// Clients read states that are lost; the copy gets as many new ones, and some more.
    private func oldAnswers(advancing: Bool) throws -> Int {
        let site = try Site()
        defer { site.stop() }
        for _ in 1...3 { try insert(site.database) }
        let dump = try dump(site.database)
        var tags: [String] = []
        for _ in 1...20 {
            try insert(site.database)
            tags.append(try #require(site.curl("/usage?limit=1").fields["etag"]))
        }
        let copy = try restored(dump)
        if advancing {
            let said = try run(
                Repository.program("orbitalctl"), ["revision", "advance"], url: copy.url)
            let words = try #require(said.wholeMatch(of: /revision advanced from (\d+) to (\d+)\n/))
            #expect(try copy.value("SELECT usage_revision()") == String(words.2))
            #expect(try #require(Int(words.1)) < #require(Int(words.2)))
        }
        let after = try Site(database: copy)
        defer { after.stop() }
        var count = 0
        for _ in 1...25 {
            try insert(copy)
            let condition = "If-None-Match: " + tags.joined(separator: ", ")
            if try after.curl("/usage?limit=1", ["-H", condition]).status == 304 { count += 1 }
        }
        return count
    }

    @Test func `never sends a 304 for a response of the lost period`() throws {
        #expect(try oldAnswers(advancing: true) == 0)
        // Without the step it does so for each.
        #expect(try oldAnswers(advancing: false) == 20)
    }

    @Test func `of version 0.1.0 can be advanced before it is migrated`() throws {
        let database = try Database()
        let orbitalctl = Repository.program("orbitalctl")
        _ = try run(orbitalctl, ["migrate", "down"], url: database.url)
        let said = try run(orbitalctl, ["revision", "advance"], url: database.url)
        #expect(said.hasPrefix("revision advanced from "))
    }

    @Test func `can be restored again and again, and tells of a clock that is behind`() throws {
        let database = try Database()
        var last = 0
        for _ in 1...3 {
            _ = try run(
                Repository.program("orbitalctl"), ["revision", "advance"], url: database.url)
            let revision = try #require(Int(database.value("SELECT usage_revision()") ?? ""))
            #expect(revision > last)
            let ofKeys = try database.value("SELECT changes FROM api_key_revision")
            #expect(try #require(Int(ofKeys ?? "")) >= revision)
            last = revision
            // As if it were restored to before that.
            try database.run(
                "UPDATE usage_revision SET changes = shard; UPDATE api_key_revision SET changes = 1"
            )
        }
        // JavaScript's numbers are exact up to this.
        #expect(last < 1 << 53)
        try database.run("UPDATE usage_revision SET changes = changes + (1::bigint << 52)")
        let outcome = try Program.run(
            Repository.program("orbitalctl"), ["revision", "advance"],
            environment: ["DATABASE_URL": database.url])
        #expect(outcome.status == 65)
        #expect(outcome.errors.contains("is ahead of PostgreSQL's clock"))
    }
}
