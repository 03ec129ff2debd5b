import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `orbitalctl import` {
    private let rejects = TemporaryFolder.shared.file("rejected").path

    private func run(_ database: Database, _ input: String, _ options: [String] = []) throws
        -> Program.Outcome
    {
        try Program.run(
            Repository.program("orbitalctl"), ["import", "-", "--rejects", rejects] + options,
            environment: ["DATABASE_URL": database.url], input: input)
    }

    private func line(_ id: Int, _ text: String = "Hello", _ more: String = "") -> String {
        #"{"message_id":\#(id),"timestamp":"2024-01-01T00:00:00Z","message_text":"\#(text)"\#(more)}"#
            + "\n"
    }

    private var rejected: String { (try? String(contentsOfFile: rejects, encoding: .utf8)) ?? "" }

    @Test func `advances the id sequence past imported ids, but never beyond JSON's limit`()
        throws
    {
        let database = try Database()
        #expect(try run(database, line(50) + line(1 << 60)).status == 0)
        try database.run(
            "INSERT INTO usage_record (\"timestamp\", message_text) VALUES (now(), 'x')")
        #expect(
            try database.value(
                "SELECT string_agg(message_id::text, ' ' ORDER BY message_id) FROM usage_record")
                == "50 51 1152921504606846976")
    }

    @Test func `records nothing twice, and distinguishes duplicates from conflicts`() throws {
        let database = try Database()
        let input = line(1) + line(2) + line(2) + line(2, "other")
        let first = try run(database, input)
        #expect(first.output == "created 2, duplicates 1, conflicts 1, invalid 0\n")
        #expect(first.status == 1)
        #expect(
            rejected == #"""
                {"line":4,"reason":"message_id 2 already belongs to another message. message_text differs from that of the recorded message.","message":{"message_id":2,"timestamp":"2024-01-01T00:00:00Z","message_text":"other"}}

                """#)
        let second = try run(database, line(1) + line(2))
        #expect(second.output == "created 0, duplicates 2, conflicts 0, invalid 0\n")
        #expect(second.status == 0)
        #expect(!FileManager.default.fileExists(atPath: rejects))
    }

    @Test(arguments: [
        ("nonsense", "Invalid JSON: Invalid value."),
        ("[1]", "A message must be a JSON object."),
        (
            #"{"message_id":1,"timestamp":"2024-01-01T00:00:00Z"}"#,
            "message_text, input_tokens or output_tokens is required."
        ),
        (
            #"{"message_id":"1","timestamp":"2024-01-01T00:00:00","message_text":""}"#,
            "message_id must be an integer. timestamp must be RFC 3339 with an offset, such as 2024-01-15T14:30:00Z."
        ),
        (
            #"{"message_id":1,"timestamp":"2024-01-01T00:00:00Z","message_text":"","x":1}"#,
            #"Unknown field \"x\"; allowed: message_id, external_id, timestamp, recorded_at, report_name, user_id, team_id, model, tags, input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens, corrects, reason, message_text, character_count, text_digest, credits_used, token_count, tokenizer, estimated, rate."#
        ),
        (
            #"{"message_id":1,"timestamp":"2024-01-01T00:00:00Z","message_text":"","report_name":""}"#,
            "report_name must have 1 to 500 characters."
        ),
        (
            #"{"message_id":1,"timestamp":"2024-01-01T00:00:00Z","message_text":"","credits_used":90071992547409.93}"#,
            "credits_used must be at most 90071992547409.92."
        ),
        (
            #"{"message_id":1,"timestamp":"2024-01-01T00:00:00Z","message_text":"a\ud83d"}"#,
            #"message_text has an unpaired surrogate, such as \\ud83d; send both halves of the pair."#
        ),
    ])
    func `reports why a line is invalid, and records the others`(input: String, reason: String)
        throws
    {
        let database = try Database()
        // The first byte determines the format; an array would be another one.
        let outcome = try run(database, line(7) + input + "\n" + line(8), ["--format", "ndjson"])
        #expect(outcome.output == "created 2, duplicates 0, conflicts 0, invalid 1\n")
        #expect(outcome.status == 1)
        #expect(rejected.hasPrefix(#"{"line":2,"reason":"\#(reason)","input":"#))
        #expect(try database.value("SELECT count(*) FROM usage_record") == "2")
    }

    @Test func `reads CSV and JSON arrays to the same records`() throws {
        let csv =
            "message_text,message_id,report_name,timestamp\r\n\"a,\"\"b\"\"\r\n\",1,,2024-01-01T01:00:00+01:00\r\nx,2,r,2024-01-01T00:00:00Z\r\n"
        let json =
            #"[{"message_id":1,"timestamp":"2024-01-01T00:00:00Z","message_text":"a,\"b\"\r\n"} , {"message_id":2,"timestamp":"2024-01-01T00:00:00Z","message_text":"x","report_name":"r"}]"#
        var exports: [String] = []
        for input in [csv, json] {
            let database = try Database()
            #expect(
                try run(database, input).output
                    == "created 2, duplicates 0, conflicts 0, invalid 0\n")
            exports.append(
                try Program.run(
                    Repository.program("orbitalctl"), ["export"],
                    environment: ["DATABASE_URL": database.url]
                ).output.replacing(/"recorded_at":"[^"]*",/, with: ""))
        }
        #expect(exports[0] == exports[1])
        #expect(
            exports[0].hasPrefix(
                #"{"rate":1,"tokenizer":"characters","input_credits_per_million_tokens":400000.00,"output_credits_per_million_tokens":400000.00,"cache_read_credits_per_million_tokens":400000.00,"cache_creation_credits_per_million_tokens":400000.00,"minimum":1.00}"#
                    + "\n"
                    + #"{"message_id":1,"timestamp":"2024-01-01T00:00:00Z","message_text":"a,\"b\"\r\n","character_count":7,"credits_used":1.00,"rate":1}"#
            ))
    }

    @Test(arguments: [
        "[{\"message_id\":1", "[", "message_id,timestamp,message_text\n1,\"x", "a,b\n1,2\n",
    ])
    func `records nothing of a truncated or unknown file`(input: String) throws {
        let database = try Database()
        let outcome = try run(database, input)
        #expect(outcome.status == 65)
        #expect(outcome.errors.hasPrefix("orbitalctl: "))
        #expect(try database.value("SELECT count(*) FROM usage_record") == "0")
    }

    @Test func `compares credits with the price list, or keeps them with --keep-credits`() throws {
        let database = try Database()
        let input =
            line(1, String(repeating: "x", count: 50), ",\"credits_used\":5.00")
            + line(2, "x", ",\"credits_used\":15.6")
        let outcome = try run(database, input)
        #expect(outcome.output == "created 1, duplicates 0, conflicts 1, invalid 0\n")
        #expect(rejected.contains("credits_used is 15.60, but the price list yields 1.00"))
        #expect(
            try run(database, input, ["--keep-credits"]).output
                == "created 1, duplicates 1, conflicts 0, invalid 0\n")
        #expect(try run(database, input).status == 0)
        #expect(
            try database.psql(
                "SELECT credit_hundredths, credit_rate_id FROM usage_record ORDER BY message_id")
                == "500|1\n1560|")
    }

    @Test func `leaves a sequence without collisions`() throws {
        let database = try Database()
        _ = try run(database, line(5) + line(3_000_000_000) + line(Int.max))
        try database.run(
            "INSERT INTO usage_record (\"timestamp\", message_text) VALUES (now(), 'x')")
        #expect(
            try database.value("SELECT message_id FROM usage_record WHERE message_text = 'x'")
                == "3000000001")
    }

    @Test func `never removes a pipe, device or link of --rejects`() throws {
        let database = try Database()
        #expect(mkfifo(rejects, 0o600) == 0)
        defer { unlink(rejects) }
        #expect(try run(database, line(1)).status == 0)
        #expect(FileManager.default.fileExists(atPath: rejects))
    }

    @Test func `records nothing if it is killed`() throws {
        let database = try Database()
        let pipe = Pipe()
        let program = try Program(
            Repository.program("orbitalctl"), ["import", "-", "--rejects", rejects],
            environment: ["DATABASE_URL": database.url], input: pipe.fileHandleForReading)
        try pipe.fileHandleForWriting.write(
            contentsOf: Data((1...5000).map { line($0) }.joined().utf8))
        #expect(
            try eventually {
                try database.value(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY staged%'"
                ) == "1"
            })
        program.signal(SIGKILL)
        program.wait()
        #expect(
            try eventually {
                try database.value(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'orbitalctl%'"
                ) == "0"
            })
        #expect(try database.value("SELECT count(*) FROM usage_record") == "0")
    }
}
