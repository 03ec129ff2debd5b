import Foundation
import Postgres
import TestSupport
import Testing

/// What others do while `orbitalctl close` is not done.
@Suite(.timeLimit(.minutes(5))) struct `Beside a closing` {
    private let books: Books

    init() throws { books = try Books() }

    private func waitsForLock(_ name: String) throws -> Bool {
        try eventually {
            try books.database.value(
                """
                SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                    AND application_name = '\(name)' AND wait_event_type = 'Lock'
                """) == "1"
        }
    }

    @Test func `a zone that is added has all sums from its start on, and can be removed`() throws {
        try books.kill(
            at: "INSERT INTO closed_quarter_sum (quarter) VALUES ('2025-01-01T00:15:00Z')",
            status: "begun")
        let closing = try Connection(
            url: books.database.url, applicationName: "closing", waitSeconds: 60)
        try closing.run(
            """
            BEGIN;
            SELECT lock_usage_rollups(true);
            UPDATE usage_rollup_state SET merged_at = merged_at;
            SELECT close_usage_sums('2025-01-01Z', '2025-01-10Z');
            UPDATE usage_closing SET summed_before = '2025-01-10Z'
            """)
        let adding = try Program(
            Repository.program("orbitalctl"), ["rollup", "zones", "add", "Asia/Tokyo"],
            environment: ["DATABASE_URL": books.database.url])
        #expect(try waitsForLock("orbitalctl rollup"))
        try closing.run("COMMIT")
        adding.wait()
        #expect(
            try books.orbitalctl(["rollup", "zones", "list"]).output == """
                America/New_York
                Asia/Kathmandu
                Asia/Tokyo, has sums from 2025-01-10T00:00:00Z on
                UTC

                """)
        #expect(
            try books.orbitalctl(["rollup", "zones", "list", "--json"]).output.contains(
                #"{"zone":"Asia/Tokyo","complete":true,"complete_from":"2025-01-10T00:00:00Z"}"#))
        let half = try books.orbitalctl(["verify"])
        #expect(half.status == 0, "\(half.output)")
        let closed = try books.close()
        #expect(closed.status == 0, "\(closed.errors)")
        let verified = try books.orbitalctl(["verify"])
        #expect(verified.status == 0, "\(verified.output)")
        let before = try books.sums()
        #expect(before.contains("Asia/Tokyo"))
        let refused = try books.orbitalctl(["rollup", "zones", "remove", "America/New_York"])
        #expect(
            refused.errors
                == "orbitalctl: America/New_York has sums of closed records, which cannot be calculated again\n"
        )
        #expect(refused.status == 65)
        #expect(try books.orbitalctl(["rollup", "zones", "remove", "Asia/Tokyo"]).status == 0)
        let others = before.split(separator: "\n").filter { !$0.hasPrefix("Asia/Tokyo") }
        #expect(try books.sums().split(separator: "\n") == others)
        #expect(
            try books.database.value(
                "SELECT count(*) FROM closed_value_sum WHERE bucket_id NOT IN (SELECT bucket_id FROM usage_bucket)"
            ) == "0")
        #expect(try books.orbitalctl(["verify"]).status == 0)
    }

    @Test func `records cannot be truncated, and migrations that it needs cannot be reverted`()
        throws
    {
        let credits = "SELECT count(*), sum(credit_hundredths) FROM usage_record"
        let before = try books.database.psql(credits)
        // Merges: the closing waits for deltas otherwise.
        _ = try books.sums()
        for (lock, status) in [
            ("SELECT FROM usage_rollup_state FOR UPDATE", "begun"),
            ("LOCK TABLE credit_rate", "summed"),
            ("INSERT INTO usage_closed_id (message_id) VALUES (500)", "archived"),
            ("SELECT FROM usage_record WHERE message_id = 700 FOR UPDATE", "closed"),
        ] {
            try books.kill(at: lock, status: status)
            for role in ["origin", "replica"] {
                let error = #expect(throws: PostgresError.self, "\(status)") {
                    try books.database.run(
                        "SET session_replication_role = \(role); TRUNCATE usage_record")
                }
                #expect(error?.state == "23001")
                #expect(
                    error?.message
                        == "the closing of the books before \(books.line) is not finished")
            }
            try books.database.run("SET session_replication_role = origin")
        }
        #expect(try books.database.psql(credits) == before)
        #expect(try books.close().status == 0)
        for migration in ["0033_closed_sums", "0032_usage_closing"] {
            let file = try String(
                contentsOfFile: Repository.path("Migrations/\(migration).sql"), encoding: .utf8)
            let down = try #require(file.components(separatedBy: "-- migrate:down").last)
            let error = #expect(throws: PostgresError.self) {
                try books.database.run("BEGIN; \(down)")
            }
            try books.database.run("ROLLBACK")
            #expect(error?.message.hasPrefix("records are closed: ") == true, "\(migration)")
        }
        try books.database.run("TRUNCATE usage_record")
    }

    @Test func `it stops if records or ids were removed by hand, and claims nothing`() throws {
        try books.kill(
            at: "INSERT INTO usage_closed_id (message_id) VALUES (500)", status: "archived")
        try books.database.run(
            """
            SET orbital.closing = on;
            DELETE FROM usage_record WHERE message_id = 9;
            DELETE FROM usage_closed_id WHERE message_id = 9
            """)
        let words = "but the archives have 1218 records: records or ids were removed by hand\n"
        let archived = try books.close()
        #expect(archived.status == 65)
        #expect(archived.errors.hasSuffix("usage_closed_id has 1217 ids, \(words)"))
        #expect(try books.orbitalctl(["close", "status"]).output.contains("archived: "))
        try books.database.run(
            "INSERT INTO usage_closed_id (message_id) VALUES (9); UPDATE usage_closing SET status = 'closed'; DELETE FROM usage_closed_id WHERE message_id < 3"
        )
        let closed = try books.close()
        #expect(closed.status == 65)
        #expect(closed.errors.hasSuffix("usage_closed_id has 1216 ids, \(words)"))
        #expect(try books.database.value("SELECT count(*) FROM usage_record") == "1999")
    }

    @Test func `a merge that another transaction prevents names it, as check does`() throws {
        let holder = try Connection(
            url: books.database.url, applicationName: "forgotten", waitSeconds: 60)
        try holder.run(
            "BEGIN; UPDATE usage_attribution SET model = 'm9' WHERE attribution_id = 1")
        let pid = try #require(try holder.query("SELECT pg_backend_pid()")[0, 0])
        let merge = try books.orbitalctl(["rollup", "merge"])
        #expect(merge.status == 75)
        let words = "process \(pid) (forgotten) has locked the rollups since 20"
        #expect(
            merge.errors.hasPrefix("orbitalctl: nothing is merged: \(words)"), "\(merge.errors)")
        #expect(
            try books.orbitalctl(["check"]).output.contains(" to merge, but \(words)"))
        try holder.run("ROLLBACK")
        #expect(try books.orbitalctl(["rollup", "merge"]).status == 0)
    }
}
