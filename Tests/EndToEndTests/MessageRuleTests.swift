import Foundation
import Postgres
import TestSupport
import Testing

/// Every entry point accepts the same messages.
@Suite(.timeLimit(.minutes(2))) struct `A message through HTTP, import and SQL` {
    private let site: Site
    private let database: Database
    private let key: String
    private let rejects = TemporaryFolder.shared.file("rejected").path

    init() throws {
        site = try Site()
        database = site.database
        key = try database.key()
    }

    private func post(_ body: String, _ path: String = "/usage") throws -> Site.Answer {
        let file = TemporaryFolder.shared.file("body")
        try Data(body.utf8).write(to: file)
        return try site.curl(
            path,
            [
                "-H", "Authorization: Bearer \(key)", "-H", "Content-Type: application/x-ndjson",
                "-H", "Expect:", "--data-binary", "@\(file.path)",
            ])
    }

    private func orbitalctl(_ arguments: [String], input: String = "") throws -> Program.Outcome {
        try Program.run(
            Repository.program("orbitalctl"), arguments,
            environment: ["DATABASE_URL": database.url], input: input)
    }

    /// The recorded ids; deletes the records afterwards.
    private func recorded() throws -> String {
        let ids = try database.value(
            "SELECT string_agg(message_id::text, ' ' ORDER BY message_id) FROM usage_record")
        try database.run("TRUNCATE usage_record")
        return ids ?? ""
    }

    /// Sends each message to every entry point; returns the ids that each has recorded.
    private func recordEverywhere(_ messages: [[String: Any]]) throws -> [String] {
        let lines = try messages.map {
            String(decoding: try JSONSerialization.data(withJSONObject: $0), as: UTF8.self)
        }.joined(separator: "\n")
        let answer = try post(lines)
        #expect(answer.status == 200, "\(answer.body)")
        var found = [try recorded()]
        _ = try orbitalctl(["import", "-", "--rejects", rejects], input: lines)
        found.append(try recorded())
        // SQL text cannot contain NUL: libpq's strings end there.
        for message in messages where !message.values.contains(where: { "\($0)".contains("\0") }) {
            _ = try? database.connection.query(
                """
                INSERT INTO usage_record (message_id, "timestamp", report_name, message_text)
                VALUES ($1, $2, nullif($3, '\u{1}'), $4)
                """,
                ["message_id", "timestamp", "report_name", "message_text"].map {
                    message[$0].map { "\($0)" } ?? "\u{1}"
                })
        }
        return found + [try recorded()]
    }

    @Test func `may be dated from 2000 to five minutes ahead, and the others are recorded`() throws
    {
        defer { site.stop() }
        func ahead(_ seconds: Double) -> String {
            Date(timeIntervalSinceNow: seconds).formatted(.iso8601)
        }
        let times = [
            "2024-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z",
            "1999-12-31T23:59:59.999999Z", "2000-01-01T00:00:00Z", "2000-01-01T00:59:59+01:00",
            ahead(240), ahead(360), "9998-12-31T00:00:00Z", "9999-12-31T23:59:59.999999Z",
        ]
        let messages = times.enumerated().map {
            ["message_id": $0.offset, "timestamp": $0.element, "message_text": "x"] as [String: Any]
        }
        #expect(try recordEverywhere(messages) == ["0 4 6", "0 4 6", "0 4 6"])
        let rejected = try String(contentsOfFile: rejects, encoding: .utf8)
        #expect(rejected.split(separator: "\n").count == 7)
        #expect(
            rejected.hasPrefix(
                #"{"line":2,"reason":"timestamp must be from 2000-01-01T00:00:00Z to five minutes ahead of now","message":{"message_id":1,"#
            ))
    }

    @Test func `is invalid with the fault of its time, recorded or estimated`() throws {
        defer { site.stop() }
        let lines = ["1970-01-01", "2024-01-01", "9998-01-01"].enumerated().map {
            #"{"message_id":\#($0.offset),"timestamp":"\#($0.element)T00:00:00Z","message_text":"x"}"#
        }
        func fault(_ code: String) -> String {
            #""status":"invalid","errors":[{"in":"body","name":"timestamp","code":"\#(code)","message":"timestamp must be from 2000-01-01T00:00:00Z to five minutes ahead of now."}]}"#
        }
        let recorded = try post(lines.joined(separator: "\n")).body
        #expect(
            recorded == #"{"created":1,"duplicates":0,"conflicts":0,"invalid":2,"results":["#
                + #"{"index":0,"message_id":0,"# + fault("out_of_range")
                + #",{"index":1,"message_id":1,"status":"created","credits_used":1.00},"#
                + #"{"index":2,"message_id":2,"# + fault("in_the_future") + "]}")
        let estimated = try post(lines.joined(separator: "\n"), "/usage/estimate").body
        #expect(estimated.hasPrefix(#"{"results":[{"index":0,"# + fault("out_of_range")))
        #expect(estimated.hasSuffix(#",{"index":2,"# + fault("in_the_future") + "]}"))
        let imported = try orbitalctl(
            ["import", "-", "--rejects", rejects], input: lines.joined(separator: "\n"))
        #expect(imported.output == "created 0, duplicates 1, conflicts 0, invalid 2\n")
    }

    @Test func `has the same ids, names and texts`() throws {
        defer { site.stop() }
        let base: [String: Any] = [
            "timestamp": "2024-01-01T00:00:00Z", "report_name": "r", "message_text": "x",
        ]
        let emoji = "\u{1F600}"
        let changes: [[String: Any]] = [
            ["message_id": Int.min], ["message_id": -1], ["message_id": 0],
            ["message_id": Int.max], ["report_name": ""], ["report_name": " "],
            ["report_name": String(repeating: emoji, count: 500)],
            ["report_name": String(repeating: "x", count: 501)],
            ["report_name": String(repeating: "e\u{301}", count: 251)],
            ["report_name": "a\nb\u{7f}"], ["report_name": "a\0b"], ["message_text": ""],
            ["message_text": "a\0"], ["message_text": emoji],
            ["message_text": String(repeating: emoji, count: 1_000_000)],
        ]
        let messages = changes.enumerated().map { index, change in
            base.merging(["message_id": index + 1]) { $1 }.merging(change) { $1 }
        }
        let ids = "\(Int.min) -1 0 6 7 10 12 14 15 \(Int.max)"
        #expect(try recordEverywhere(messages) == [ids, ids, ids])
    }

    @Test func `that is dated outside the range stays readable, and can be changed and deleted`()
        throws
    {
        defer { site.stop() }
        try database.replicate(
            "(1, '1970-01-01Z', 'x', 100, 1), (2, '9998-01-01Z', 'x', 100, 1), (3, now(), 'x', 100, 1)"
        )
        let check = try orbitalctl(["check"])
        #expect(
            check.output.contains(
                "FAULT  records: 2 are dated before 2000 or more than five minutes ahead, such as message_id 1, 2\n"
            ), "\(check.output)")
        // A retry of such a message is free, too.
        let retry = #"{"message_id":1,"timestamp":"1970-01-01T00:00:00Z","message_text":"x"}"#
        #expect(try post(retry).body.contains(#""status":"duplicate""#))
        #expect(try site.curl("/usage").body.contains(#""timestamp":"1970-01-01T00:00:00Z""#))
        // As an ORM does, with all columns.
        try database.run(
            "UPDATE usage_record SET report_name = 'r', \"timestamp\" = \"timestamp\" WHERE message_id < 3"
        )
        let error = #expect(throws: PostgresError.self) {
            try database.run("UPDATE usage_record SET \"timestamp\" = '1971-01-01Z'")
        }
        #expect(error?.state == "23514")
        #expect(error?.constraint == "usage_record_timestamp_check")
        try database.run(
            "UPDATE usage_record SET \"timestamp\" = '2024-01-01Z' WHERE message_id = 1")
        try database.run("DELETE FROM usage_record WHERE message_id = 2")
        #expect(try !orbitalctl(["check"]).output.contains("dated before 2000"))
    }
}
