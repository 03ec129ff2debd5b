import Foundation
import Postgres
import TestSupport
import Testing
import UsageStore

/// Keys, rates, and verification.
@Suite(.timeLimit(.minutes(3))) struct `orbitalctl for accountants` {
    private func run(_ database: Database, _ arguments: String...) throws -> Program.Outcome {
        try Program.run(
            Repository.program("orbitalctl"), arguments,
            environment: ["DATABASE_URL": database.url])
    }

    private func date(inDays days: Int) -> String {
        let date = Date(timeIntervalSinceNow: Double(days) * 86_400)
        return date.formatted(.iso8601.year().month().day())
    }

    @Test func `creates, lists and revokes keys, and stores no secret`() throws {
        let database = try Database()
        let expiry = date(inDays: 9)
        let made = try run(
            database, "keys", "create", "a robot", "--scope", "usage:write", "--expires", expiry)
        #expect(made.status == 0)
        let key = made.output.trimmingCharacters(in: .newlines)
        #expect(key.wholeMatch(of: /orb_[0-9a-f]{12}_[A-Za-z0-9_-]{43}/) != nil)
        let list = try run(database, "keys", "list").output
        #expect(list.hasSuffix("  usage:write  expires \(expiry)T00:00:00Z  a robot\n"))
        let secret = key.split(separator: "_", maxSplits: 2)[2]
        #expect(
            try database.value(
                "SELECT count(*) FROM api_key WHERE api_key::text LIKE '%\(secret)%'") == "0")
        let id = String(key.split(separator: "_")[1])
        #expect(try run(database, "keys", "revoke", id).status == 0)
        #expect(try run(database, "keys", "list").output.contains("  revoked 20"))
        #expect(try run(database, "keys", "revoke", "000000000000").status == 65)
        #expect(try Set((1...20).map { _ in try database.key() }).count == 20)
    }

    @Test func `binds keys to a user, a team and tags, and warns where nobody needs a key`() throws
    {
        let database = try Database()
        for (access, isOpen) in [("open", true), ("keyed", false)] {
            func run(_ arguments: String...) throws -> Program.Outcome {
                try Program.run(
                    Repository.program("orbitalctl"), arguments,
                    environment: ["DATABASE_URL": database.url, "ACCESS": access])
            }
            let warning =
                "orbitalctl: bounds hold wherever the key is sent; with ACCESS=open, an anonymous "
                + "reader still sees everything\n"
            try database.run("DELETE FROM api_key")
            let scope = ["--scope", "usage:read"]
            #expect(try run("keys", "create", "all", scope[0], scope[1]).errors == "")
            #expect(try run("keys", "list").errors == "")
            let bound = try run(
                "keys", "create", "bound", scope[0], scope[1], "--user", "Zoë Ω", "--team",
                "le:gal",
                "--tag", "env:prod", "--tag", "a.b:c:d, \"e\"")
            #expect(bound.status == 0 && bound.output.hasPrefix("orb_"))
            #expect(bound.errors == (isOpen ? warning : ""))
            let list = try run("keys", "list")
            #expect(list.errors == (isOpen ? warning : ""))
            let json =
                #"{"user_id":"Zoë Ω","team_id":"le:gal","tags":{"a.b":"c:d, \"e\"","env":"prod"}}"#
            #expect(list.output.hasSuffix("  usage:read  valid  \(json)  bound\n"))
            #expect(list.output.contains("  usage:read  valid  all\n"))
        }
    }

    @Test func `ends bound keys when their migration is reverted`() throws {
        let database = try Database()
        _ = try database.key()
        #expect(
            try run(database, "keys", "create", "b", "--scope", "usage:read", "--team", "t").status
                == 0)
        let migrations = try Migrations.all()
        let runner = try MigrationRunner(databaseURL: database.url)
        for migration in migrations.reversed() where migration.version >= "0024" {
            #expect(try runner.down(migrations)?.version == migration.version)
        }
        #expect(
            try database.value(
                "SELECT string_agg(name, ',') FROM api_key WHERE revoked_at > '2000-01-01'")
                == "b")
    }

    @Test(arguments: [
        ["x"], ["x", "--scope", "usage:admin"], ["", "--scope", "usage:read"],
        ["x", "--scope", "usage:read", "--expires", "2020-01-01"],
        ["x", "--scope", "usage:read", "--expires", "tomorrow"],
        ["x", "--scope", "usage:read", "--user", ""],
        ["x", "--scope", "usage:read", "--team", "a\tb"],
        ["x", "--scope", "usage:read", "--user", String(repeating: "u", count: 201)],
        ["x", "--scope", "usage:read", "--tag", "env"],
        ["x", "--scope", "usage:read", "--tag", "env:"],
        ["x", "--scope", "usage:read", "--tag", "e v:prod"],
        ["x", "--scope", "usage:read", "--tag", "env:prod", "--tag", "env:test"],
        ["x", "--scope", "usage:read"] + (1...9).flatMap { ["--tag", "k\($0):v"] },
    ])
    func `refuses invalid arguments of a key`(words: [String]) throws {
        let database = try Database()
        let outcome = try Program.run(
            Repository.program("orbitalctl"), ["keys", "create"] + words,
            environment: ["DATABASE_URL": database.url])
        #expect(outcome.status == 64)
        #expect(try database.value("SELECT count(*) FROM api_key") == "0")
    }

    @Test func `refuses rates before a record, out of order or invalid, with the reason`() throws {
        let database = try Database()
        try database.run("INSERT INTO usage_record VALUES (1, '2020-01-02Z', NULL, '')")
        func add(_ from: String, _ more: String...) throws -> Program.Outcome {
            try Program.run(
                Repository.program("orbitalctl"),
                ["rates", "add", "--effective-from", from, "--credits-per-100-tokens", "50"] + more,
                environment: ["DATABASE_URL": database.url])
        }
        #expect(try add("2020-01-01").errors.contains("already priced at that time"))
        #expect(try add("soon").status == 64)
        #expect(try add(date(inDays: 5), "--minimum", "-1").status == 64)
        #expect(try add(date(inDays: 5), "--minimum", "1.001").status == 64)
        #expect(try add(date(inDays: 5), "--tokenizer", "abacus").status == 64)
        #expect(try add(date(inDays: 5)).status == 0)
        let overlapping = try add(date(inDays: 4))
        #expect(overlapping.status == 65)
        #expect(
            overlapping.errors.contains("must begin after the last one for the same models: from "))
        #expect(try add(date(inDays: 30), "--minimum", "2.50").status == 0)
        let list = try run(database, "rates", "list").output.split(separator: "\n")
        #expect(list.count == 3)
        #expect(
            list[0]
                == "from the beginning: 40.00 credits per 100 tokens, minimum 1.00, tokenizer characters; 1 record"
        )
        #expect(
            list[2].hasSuffix(
                "T00:00:00Z: 50.00 credits per 100 tokens, minimum 2.50, tokenizer characters; 0 records"
            ))
        #expect(throws: PostgresError.self) {
            try database.run("UPDATE credit_rate SET minimum_hundredths = 0")
        }
    }

    @Test func `verifies that records keep their price, and finds a changed record`()
        throws
    {
        let site = try Site()
        defer { site.stop() }
        let database = site.database
        // Text of 100 characters: 10.00 before, 12.50 after.
        let day = "2025-01-01"
        try database.addRecords(2000)
        try database.run(
            """
            \(insertRates("('\(day)Z', 'characters', 5000, 100)"));
            INSERT INTO usage_record (message_id, "timestamp", report_name, message_text)
            VALUES (10002, '2024-12-31T23:59:59Z', 'r', repeat('x', 100)),
                (10003, '\(day)Z', 'r', repeat('x', 100))
            """)
        let before = try site.curl("/usage/10002").body
        #expect(
            before.contains(
                #""credits_used":10.00,"receipt":{"characters":100,"tokens":25.00,"tokenizer":"characters","credits_per_100_tokens":40.00,"calculated":10.00,"minimum":1.00,"minimum_applied":false,"rate_effective_from":null}}"#
            ))
        let after = try site.curl("/usage/10003").body
        #expect(
            after.contains(
                #""credits_used":12.50,"receipt":{"characters":100,"tokens":25.00,"tokenizer":"characters","credits_per_100_tokens":50.00,"calculated":12.50,"minimum":1.00,"minimum_applied":false,"rate_effective_from":"\#(day)T00:00:00Z"}}"#
            ))
        let well = try run(database, "verify")
        #expect(well.status == 0)
        #expect(well.output.hasSuffix(" credits: 0 differences\n"))
        try database.run("UPDATE usage_record SET credit_hundredths = 999 WHERE message_id = 10002")
        let tampered = try run(database, "verify")
        #expect(tampered.status == 1)
        #expect(
            tampered.output.hasPrefix("message 10002: 9.99 credits recorded, expected 10.00\n"))
        try database.run(
            "UPDATE usage_record SET credit_hundredths = 1000, credit_rate_id = (SELECT max(credit_rate_id) FROM credit_rate) WHERE message_id = 10002"
        )
        let misattributed = try run(database, "verify").output
        #expect(
            misattributed.contains(/^message 10002: priced by rate \d+, but rate 1 was in force\n/),
            "\(misattributed)")
        try database.run("UPDATE usage_record SET credit_rate_id = NULL WHERE message_id = 10002")
        let brought = try run(database, "verify")
        #expect(brought.status == 0)
        #expect(brought.output.hasSuffix("0 differences; 1 record not priced by a rate\n"))
        #expect(
            try site.curl("/usage/10002").body.contains(
                #""receipt":{"characters":100,"tokens":25.00,"priced_by":"writer"}"#))
    }

    @Test func `finds a record that is missing in an index`() throws {
        let database = try Database()
        try database.addRecords(2000)
        func index(isReady: Bool) throws {
            try database.run(
                """
                UPDATE pg_index SET indisready = \(isReady)
                WHERE indexrelid = 'usage_record_timestamp_idx'::regclass
                """)
        }
        try index(isReady: false)
        try Connection(url: database.url, applicationName: "t", waitSeconds: 60).run(
            """
            INSERT INTO usage_record (message_id, "timestamp", message_text)
            VALUES (5000, '2024-01-01Z', 'x')
            """)
        try index(isReady: true)
        try database.run("VACUUM (ANALYZE, INDEX_CLEANUP off) usage_record")
        let ill = try run(database, "verify")
        #expect(ill.status == 1)
        #expect(ill.output.contains("the records of GET /usage"), "\(ill.output)")
        #expect(!ill.output.contains("the export"), "\(ill.output)")
    }
}
