import Foundation
import TestSupport
import Testing
import UsageStore

/// `--json`, which programs read instead of lines.
@Suite(.timeLimit(.minutes(1))) struct `orbitalctl --json` {
    private func run(_ database: Database, _ arguments: String...) throws -> Program.Outcome {
        try Program.run(
            Repository.program("orbitalctl"), arguments + ["--json"],
            environment: [
                "DATABASE_URL": database.url,
                "SOCKET_PATH": TemporaryFolder.shared.file("none").path,
            ])
    }

    private func objects(_ outcome: Program.Outcome) throws -> [[String: Any]] {
        let list = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
        return try #require(list as? [[String: Any]])
    }

    @Test func `lists the rates, and says which applies`() throws {
        let database = try Database()
        let first =
            #""tokenizer":"characters","input_credits_per_million_tokens":400000.00,"#
            + #""output_credits_per_million_tokens":400000.00,"#
            + #""cache_read_credits_per_million_tokens":400000.00,"#
            + #""cache_creation_credits_per_million_tokens":400000.00,"minimum":1.00"#
        try database.addRecords(3)
        #expect(try run(database, "rates", "list").output == "[{\(first),\"records\":3}]\n")
        let model =
            #""effective_from":"2025-01-01T00:00:00Z","model":"gpt-5*","tokenizer":"characters","#
            + #""input_credits_per_million_tokens":1500.00,"#
            + #""output_credits_per_million_tokens":6000.00,"#
            + #""cache_read_credits_per_million_tokens":150.00,"#
            + #""cache_creation_credits_per_million_tokens":1500.00,"minimum":0.00"#
        let added = try Program.run(
            Repository.program("orbitalctl"),
            [
                "rates", "add", "--effective-from", "2025-01-01", "--model", "gpt-5*", "--input",
                "1500", "--output", "6000", "--cache-read", "150", "--minimum", "0",
            ], environment: ["DATABASE_URL": database.url])
        #expect(added.status == 0, "\(added.errors)")
        #expect(
            try run(database, "rates", "show", "--model", "gpt-5-mini").output
                == "[{\"applies\":true,\(model)},{\"applies\":false,"
                + "\"reason\":\"a rate with a model comes first\",\(first)}]\n")
    }

    @Test func `lists the keys with their bounds, and no secret`() throws {
        let database = try Database()
        #expect(try run(database, "keys", "list").output == "[]\n")
        for arguments in [["one", "--user", "u \"1\""], ["two", "--expires", "2099-01-01"]] {
            let made = try Program.run(
                Repository.program("orbitalctl"),
                ["keys", "create", "--scope", "usage:read"] + arguments,
                environment: ["DATABASE_URL": database.url])
            #expect(made.status == 0, "\(made.errors)")
        }
        let output = try run(database, "keys", "list").output
        let masked = output.replacing(/"(key_id|created_at)":"[^"]+"/) { "\"\($0.1)\":0" }
        #expect(
            masked
                == #"[{"key_id":0,"name":"one","scopes":["usage:read"],"#
                + #""bounds":{"user_id":"u \"1\""},"created_at":0,"valid":true},"#
                + #"{"key_id":0,"name":"two","scopes":["usage:read"],"created_at":0,"#
                + #""expires_at":"2099-01-01T00:00:00Z","valid":true}]"# + "\n")
    }

    @Test func `lists the migrations and the checks, with the same exit status`() throws {
        let database = try Database()
        let migrations = try objects(run(database, "migrate", "status"))
        #expect(migrations.first?["file"] as? String == "0001_credit_rate.sql")
        #expect(migrations.allSatisfy { $0["state"] as? String == "applied" })
        #expect(migrations.last?["version"] as? String == Schema.version)
        let outcome = try run(database, "check")
        #expect(outcome.status == 1)
        let checks = try objects(outcome)
        let socket = try #require(checks.first { $0["check"] as? String == "socket" })
        #expect(socket["status"] as? String == "fault")
        #expect((socket["remedy"] as? String)?.hasPrefix("start the responder") == true)
        let schema = try #require(checks.first { $0["check"] as? String == "schema" })
        #expect(schema["text"] as? String == "migration \(Schema.version) is applied")
        #expect(schema["status"] as? String == "ok" && schema["remedy"] == nil)
    }
}
