import Foundation
import Postgres
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
        #expect(dry.output == "would close \(count) records, \(credits) credits, before \(line)\n")
        #expect(try books.orbitalctl(["close", "status"]).output == "")
        let outcome = try books.close()
        let file = "\(books.folder)/usage-before-2025-01-15T054500Z.ndjson.gz"
        #expect(
            outcome.output == """
                closing \(count) records, \(credits) credits, before \(line)
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
        try books.database.run("SELECT build_usage_rollups(NULL)")
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

    @Test func `is refused where it could not be exact or would replace an archive`() throws {
        func expect(_ outcome: Program.Outcome, _ status: Int32, _ words: String) {
            #expect(outcome.status == status)
            #expect(outcome.errors.contains(words), "\(outcome.errors)")
        }
        expect(try books.close("2025-01-15T05:46:00Z"), 64, "on a quarter of an hour")
        expect(try books.close("yesterday"), 64, "on a quarter of an hour")
        expect(try books.close("2099-01-01"), 65, "2099-01-01T00:00:00Z is in the future")
        expect(
            try books.orbitalctl(["close", "--before", line, "--archive", "\(books.folder)/none"]),
            73,
            "none is not a directory that can be written")
        let name = "\(books.folder)/usage-before-2025-01-01.manifest.json"
        try "{}".write(toFile: name, atomically: true, encoding: .utf8)
        expect(try books.close("2025-01-01"), 73, "already has an archive named")
        try books.database.run("UPDATE usage_zone SET is_built = false WHERE name = 'UTC'")
        expect(try books.close(), 65, "the rollups are not built; run: orbitalctl rollup rebuild")
        try books.database.run("UPDATE usage_zone SET is_built = true")
        try books.database.replicate("(9001, '1999-12-31Z', 'x', 100, 1)")
        expect(try books.close(), 65, "records are dated before 2000")
        #expect(try books.database.value("SELECT count(*) FROM usage_closing") == "0")
        #expect(try books.database.value("SELECT count(*) FROM usage_record") == "2001")
    }

    /// Runs `orbitalctl close` until it waits for the lock that `lock` takes, and kills it there.
    private func kill(at lock: String, status: String) throws {
        let holder = try Connection(
            url: books.database.url, applicationName: "holder", waitSeconds: 60)
        try holder.run("BEGIN; \(lock)")
        let closing = try Program(
            Repository.program("orbitalctl"),
            ["close", "--before", line, "--archive", books.folder],
            environment: ["DATABASE_URL": books.database.url, "CONFIG_ENV": "test"])
        let waits = try eventually {
            try books.database.value(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'orbitalctl close'
                    AND wait_event_type = 'Lock'
                """) == "1"
        }
        #expect(waits, "\(lock): \(closing.output)")
        closing.signal(SIGKILL)
        closing.wait()
        try holder.run("ROLLBACK")
        let isGone = try eventually {
            try books.database.value(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'orbitalctl close'
                """) == "0"
        }
        #expect(isGone)
        #expect(
            try books.database.value("SELECT coalesce(max(status), '') FROM usage_closing")
                == status,
            "\(lock)")
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
        #expect(reasons.components(separatedBy: "closed").count == 5, "\(reasons)")
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
            try kill(at: stop.lock, status: stop.status)
            #expect(try books.sums() == before, "\(stop.place)")
            if stop.status != "" { try expectRefusal(stop.place) }
        }
        let other = try books.close("2025-01-01")
        #expect(other.status == 65)
        #expect(
            other.errors
                == "orbitalctl: the closing before 2025-01-15T05:45:00Z is not finished; finish it first\n"
        )
        #expect(try books.close().output.hasSuffix(".ndjson.gz\n"))
        #expect(try books.sums() == before)
        try expectRefusal("at the end")
        #expect(
            try books.database.psql("SELECT min(\"timestamp\") >= '\(line)' FROM usage_record")
                == "t")
        #expect(try FileManager.default.contentsOfDirectory(atPath: books.folder).count >= 2)
    }
}
