import Foundation
import TestSupport
import Testing

/// `orbitalctl close`, step by step.
@Suite(.timeLimit(.minutes(5))) struct `Closing the books` {
    private let books: Books
    private let line: String

    init() throws {
        books = try Books()
        line = books.line
    }

    @Test func `keeps all sums, deletes the records, and has an archive that restores them`() throws
    {
        let before = try books.sums()
        let closed = try books.database.psql(
            "\(Books.records) WHERE \"timestamp\" < '\(line)' ORDER BY message_id")
        let count = closed.split(separator: "\n").count
        let credits = try books.database.psql(
            "SELECT sum(credit_hundredths) * 0.01 FROM usage_record WHERE \"timestamp\" < '\(line)'"
        )
        let dry = try books.close(nil, ["--dry-run"])
        let zones = """
            their sums by value stay in America/New_York, Asia/Kathmandu, UTC; zones that are added \
            later do not have them
            """
        #expect(
            dry.output
                == "would close \(count) records, \(credits) credits, before \(line)\n\(zones)\n")
        #expect(try books.orbitalctl(["close", "status"]).output == "")
        let outcome = try books.close()
        let file = "\(books.folder)/usage-before-2025-01-15T054500Z.ndjson.gz"
        #expect(
            outcome.output == """
                closing \(count) records, \(credits) credits, before \(line)
                \(zones)
                begun: the line is in force
                summed: the sums before the line are closed
                archived: \(count) records, \(credits) credits, in \(file)
                closed: no other message may have the ids of \(count) records
                done: \(count) records, \(credits) credits, are in \(file)

                """, "\(outcome.errors)")
        #expect(try books.sums() == before)
        #expect(
            try books.database.psql(
                "SELECT min(\"timestamp\") >= '\(line)', count(*) FROM usage_record")
                == "t|\(2000 - count)")
        #expect(try books.database.value("SELECT count(*) FROM usage_closed_id") == "\(count)")
        // What is open can be summed again, and thrown away; what is closed stays.
        try books.database.run("CALL build_usage_rollups(NULL)")
        #expect(try books.sums() == before)
        try books.database.run("TRUNCATE usage_record")
        #expect(
            try books.database.psql(
                "SELECT sum(messages), sum(credit_hundredths) * 0.01 FROM usage_quarter_sums")
                == "\(count)|\(credits)")

        let copy = try Database()
        try copy.run(
            """
            INSERT INTO usage_zone (name, is_built)
            VALUES ('America/New_York', true), ('Asia/Kathmandu', true)
            """)
        let imported = try books.orbitalctl(["import", file], copy)
        #expect(
            imported.output == "created \(count), duplicates 0, conflicts 0, invalid 0\n",
            "\(imported.errors)")
        #expect(try copy.psql("\(Books.records) ORDER BY message_id") == closed)
        #expect(try books.sums(copy) == books.sums())
        // Each line is JSON for any other program, too.
        let lines = try Program.run("/usr/bin/zcat", [file]).output.split(separator: "\n")
        #expect(lines.count == 1 + count)
        for line in lines { _ = try JSONSerialization.jsonObject(with: Data(line.utf8)) }
    }

    @Test func `continues with the next line, and never goes back`() throws {
        let before = try books.sums()
        #expect(try books.close("2024-12-31").status == 0)
        #expect(try books.close("2025-01-10T05:45:00+05:45").status == 0)
        #expect(try books.sums() == before)
        let status = try books.orbitalctl(["close", "status"]).output.split(separator: "\n")
        #expect(status.count == 2)
        #expect(status.allSatisfy { $0.contains("  done: ") })
        #expect(status[0].hasSuffix("/usage-before-2024-12-31.ndjson.gz"))
        let json = try books.orbitalctl(["close", "status", "--json"]).output
        #expect(json.hasPrefix(#"[{"before":"2024-12-31T00:00:00Z","status":"done","directory":"#))
        let again = try books.close("2024-12-31")
        #expect(again.status == 65)
        #expect(
            again.errors
                == "orbitalctl: the books are already closed before 2025-01-10T00:00:00Z\n")
    }

    /// A retry charges nothing, neither by one id nor by the other, whatever its time.
    private func expectRefusal(_ comment: String) throws {
        let retries = [
            #"{"message_id":2,"timestamp":"2024-12-20T01:02:00Z","input_tokens":2}"#,
            #"{"message_id":2,"timestamp":"2025-01-20T00:00:00Z","input_tokens":2}"#,
            #"{"message_id":9002,"external_id":"e-2","timestamp":"2025-01-20T00:00:00Z","input_tokens":2}"#,
            #"{"message_id":9003,"timestamp":"2024-12-20T01:02:00Z","input_tokens":2}"#,
        ]
        let rejects = TemporaryFolder.shared.file("retries").path
        let retried = try Program.run(
            Repository.program("orbitalctl"), ["import", "-", "--rejects", rejects],
            environment: ["DATABASE_URL": books.database.url, "CONFIG_ENV": "test"],
            input: retries.joined(separator: "\n"))
        #expect(
            retried.output == "created 0, duplicates 0, conflicts 0, invalid 4\n", "\(comment)")
        let reasons = try String(contentsOfFile: rejects, encoding: .utf8)
        #expect(reasons.components(separatedBy: " closed").count == 5, "\(reasons)")
        #expect(
            reasons.contains(
                #""reason":"the books are closed at its timestamp: see orbitalctl close status""#),
            "\(reasons)")
    }

    @Test func `continues after a kill at any step, and no sum changes meanwhile`() throws {
        let before = try books.sums()
        let writer = "LOCK TABLE usage_record IN ROW EXCLUSIVE MODE"
        let row = "SELECT FROM usage_closing FOR UPDATE"
        let stops: [(place: String, lock: String, status: String)] = [
            ("before the line", writer, ""),
            ("before the sums", "SELECT FROM usage_rollup_state FOR UPDATE", "begun"),
            ("in the first month", row, "begun"),
            (
                "in the second month",
                "INSERT INTO closed_quarter_sum (quarter) VALUES ('2025-01-01T00:15:00Z')", "begun"
            ),
            ("before the archive", "LOCK TABLE credit_rate", "summed"),
            // Its last statement needs no client any more.
            ("after the archive", row, "archived"),
            (
                "before the ids", "INSERT INTO usage_closed_id (message_id) VALUES (500)",
                "archived"
            ),
            ("after the ids", writer, "archived"),
            ("at a record", "SELECT FROM usage_record WHERE message_id = 700 FOR UPDATE", "closed"),
        ]
        for stop in stops {
            try books.kill(at: stop.lock, status: stop.status)
            #expect(try books.sums() == before, "\(stop.place)")
            if stop.status != "" { try expectRefusal(stop.place) }
            // It is killed before it says that the archive is written.
            if stop.place == "after the archive" {
                try books.database.run(
                    """
                    UPDATE usage_closing SET status = 'summed', records = NULL,
                        credit_hundredths = NULL, sha256 = NULL
                    """)
            }
        }
        let other = try books.close("2025-01-01")
        #expect(other.status == 65)
        #expect(
            other.errors
                == "orbitalctl: the closing before 2025-01-15T05:45:00Z is not finished; finish it first: orbitalctl close --before 2025-01-15T05:45:00Z --archive \(books.folder)\n"
        )
        #expect(try books.close().output.hasSuffix(".ndjson.gz\n"))
        #expect(try books.sums() == before)
        try expectRefusal("at the end")
        #expect(
            try books.database.psql("SELECT min(\"timestamp\") >= '\(line)' FROM usage_record")
                == "t")
        #expect(try FileManager.default.contentsOfDirectory(atPath: books.folder).count == 2)
        #expect(try books.orbitalctl(["verify"]).status == 0)
    }
}
