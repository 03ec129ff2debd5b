import Foundation
import TestSupport
import Testing

/// What clients see of closed books.
@Suite(.timeLimit(.minutes(2))) struct `Closed books` {
    /// Message 1 is closed and deleted; message 2 is closed and still there; message 3 is open.
    private func site() throws -> Site {
        let site = try Site()
        try site.database.run(
            """
            INSERT INTO usage_record (message_id, "timestamp", message_text) VALUES
                (2, '2024-12-31T23:59:59Z', 'x'), (3, '2025-01-01Z', 'x');
            INSERT INTO usage_closing (closed_before, directory) VALUES ('2025-01-01Z', '/archive');
            INSERT INTO usage_closed_id (message_id) VALUES (1)
            """)
        return site
    }

    @Test func `are named by a header of lists, and by the 404 of a closed record`() throws {
        let site = try site()
        defer { site.stop() }
        let standard =
            #"{"usage":[{"message_id":3,"timestamp":"2025-01-01T00:00:00Z","credits_used":1.00}]}"#
        for path in ["/usage", "/usage?limit=1", "/usage?totals=true"] {
            for _ in 1...2 {
                let list = try site.curl(path)
                #expect(list.body == standard)
                #expect(list.fields["x-usage-closed-before"] == "2025-01-01T00:00:00Z")
            }
        }
        #expect(try site.curl("/usage?totals=true").fields["x-total-count"] == "1")
        #expect(
            try site.curl("/usage?format=csv", ["--head"]).fields["x-usage-closed-before"]
                == "2025-01-01T00:00:00Z")
        for id in [1, 2] {
            let gone = try site.curl("/usage/\(id)")
            #expect(gone.status == 404)
            #expect(
                gone.body.contains(
                    #""detail":"The record of this message is closed: records before 2025-01-01T00:00:00Z are in an archive.""#
                ), "\(gone.body)")
        }
        #expect(
            try site.curl("/usage/4").body.contains(
                #""detail":"No message has this message_id.""#))
        #expect(try site.curl("/usage/3").status == 200)
        let bound = try site.database.key(bounds: ["--user", "u"])
        let answers = try [1, 3, 4].map { id in
            try site.curl("/usage/\(id)", ["-H", "Authorization: Bearer \(bound)"])
        }
        #expect(answers.allSatisfy { $0.status == 404 })
        let detail =
            #""detail":"No message of this key has this message_id, or its record is closed: records before 2025-01-01T00:00:00Z are in an archive.""#
        #expect(answers.allSatisfy { $0.body.contains(detail) })
    }

    @Test func `refuse sums that only records have`() throws {
        let site = try site()
        defer { site.stop() }
        try site.database.run("UPDATE usage_closing SET summed_before = closed_before")
        for path in [
            "/usage/summary?min_credits=1",
            "/usage/summary?from=2024-12-31&to=2025-01-02&min_credits=1",
            "/usage/summary?from=2024-12-31T00:05:00Z&to=2025-01-02T00:00:00Z",
            "/usage/attributions?of=user_id&min_credits=1",
        ] {
            let closed = try site.curl(path)
            #expect(closed.status == 422, "\(path)")
            #expect(closed.body.contains(#""code":"closed""#), "\(closed.body)")
        }
        for path in [
            "/usage/summary?from=2025-01-01&to=2025-01-02",
            "/usage/attributions?of=user_id&from=2025-01-01",
        ] {
            #expect(try site.curl(path).status == 200)
        }
        #expect(
            try site.curl("/usage/summary?from=2025-01-01&to=2025-01-02").body.contains(
                #""messages":1,"#))
    }

    @Test func `refuse a retry of a closed record by 422, and an import of it`() throws {
        let site = try site()
        defer { site.stop() }
        let key = try site.database.key()
        func post(_ body: String, _ path: String = "/usage") throws -> Site.Answer {
            try site.curl(
                path,
                [
                    "-H", "Authorization: Bearer \(key)", "-H", "Content-Type: application/json",
                    "-d", body,
                ])
        }
        let retry = try post(#"{"message_id":1,"message_text":"x"}"#)
        #expect(retry.status == 422)
        #expect(
            retry.body.hasSuffix(
                #""errors":[{"in":"body","name":"message_id","code":"closed","message":"The record with this message_id is closed; nothing is charged."}]}"#
            ), "\(retry.body)")
        let old = #"{"message_id":9,"timestamp":"2024-06-01T00:00:00Z","message_text":"x"}"#
        let fault =
            #""errors":[{"in":"body","name":"timestamp","code":"closed","message":"The books are closed at this timestamp; X-Usage-Closed-Before of GET /usage is the first one that is open."}]"#
        #expect(try post(old).body.contains(fault))
        #expect(try post(old, "/usage/estimate").body.contains(fault))
        let rejects = TemporaryFolder.shared.file("closed").path
        let imported = try Program.run(
            Repository.program("orbitalctl"), ["import", "-", "--rejects", rejects],
            environment: ["DATABASE_URL": site.database.url],
            input: """
                \(old)
                {"message_id":1,"timestamp":"2025-06-01T00:00:00Z","message_text":"x"}
                {"message_id":2,"timestamp":"2024-12-31T23:59:59Z","message_text":"x"}
                {"message_id":3,"timestamp":"2025-01-01T00:00:00Z","message_text":"x"}
                {"message_id":4,"timestamp":"2025-01-01T00:00:00Z","message_text":"x"}
                """)
        #expect(imported.output == "created 1, duplicates 1, conflicts 0, invalid 3\n")
        let reasons = try String(contentsOfFile: rejects, encoding: .utf8)
        #expect(reasons.components(separatedBy: "is closed; nothing is charged").count == 2)
        #expect(reasons.components(separatedBy: "the books are closed").count == 3)
        #expect(
            try site.database.value("SELECT sum(credit_hundredths) FROM usage_record") == "300")
    }
}
