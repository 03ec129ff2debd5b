import Foundation
import Postgres
import TestSupport
import Testing

/// Who merges deltas: the responder, and as CGI a recording request.
@Suite(.timeLimit(.minutes(2))) struct `Deltas of rollups` {
    private func waiting(_ database: Database) throws -> String? {
        try database.value("SELECT count(*) FROM usage_delta")
    }

    /// Records of as many quarters, which are as many deltas.
    private func insert(_ count: Int, _ database: Database) throws {
        try database.run(
            """
            INSERT INTO usage_record ("timestamp", message_text, credit_rate_id, credit_hundredths)
            SELECT '2024-01-01Z'::timestamptz + n * interval '15 minutes', 'x', 1, 100
            FROM generate_series(1, \(count)) AS n
            """)
    }

    @Test func `are merged by the responder, whoever has written them`() throws {
        let site = try Site()
        try insert(25_000, site.database)
        #expect(try eventually(seconds: 60) { try waiting(site.database) == "0" })
        let sum = "SELECT sum(messages) FROM usage_quarter_sum"
        #expect(try site.database.value(sum) == "25000")
        // Without work, it has no connection.
        let connections = """
            SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                AND application_name = 'orbital-fcgi rollups'
            """
        #expect(try eventually(seconds: 30) { try site.database.value(connections) == "0" })
        try insert(3, site.database)
        #expect(try eventually(seconds: 60) { try waiting(site.database) == "0" })
        // It ends while a merge waits for a lock.
        let lock = try site.database.lockRecords()
        #expect(
            try eventually(seconds: 30) {
                try site.database.value("\(connections) AND wait_event_type = 'Lock'") == "1"
            })
        #expect(site.responder.stop() == 0)
        try lock.run("ROLLBACK")
        site.stop()
    }

    @Test func `of a zone whose clocks have changed are summed again by the responder`() throws {
        let database = try Database()
        try insert(300, database)
        #expect(try database.value("SELECT merge_usage_deltas(1000)") == "300")
        try database.run(
            """
            UPDATE usage_bucket SET ends_at = ends_at - interval '1 hour'
            WHERE starts_at = '2024-01-02Z' AND unit = 'day'
            """)
        let site = try Site(database: database)
        defer { site.stop() }
        #expect(
            try eventually(seconds: 60) {
                try database.value(
                    """
                    SELECT count(*) FROM usage_bucket JOIN usage_zone USING (zone_id)
                    WHERE is_built AND unit = 'day'
                        AND starts_at = '2024-01-02Z' AND ends_at = '2024-01-03Z'
                    """) == "1"
            })
    }

    @Test func `are few while records arrive, and merged ones do not stay`() throws {
        let site = try Site()
        defer { site.stop() }
        let start = ContinuousClock.now
        for _ in 1...8 {
            try insert(3000, site.database)
            #expect(try eventually(seconds: 60) { try waiting(site.database) == "0" })
        }
        // It looks twice a second while there is work, but every five seconds at first.
        #expect(.now - start < .seconds(25))
        #expect(
            try eventually(seconds: 60) {
                try site.database.value(
                    "SELECT vacuum_count > 0 FROM pg_stat_user_tables WHERE relname = 'usage_delta'"
                ) == "t"
            })
    }

    @Test func `are merged by a CGI process that records when more than 10,000 wait`() throws {
        let database = try Database()
        let key = try database.key()
        let body = #"{"message_text":"x"}"#
        func post() throws {
            let answer = try Program.run(
                Repository.program("orbital-fcgi"),
                environment: [
                    "DATABASE_URL": database.url, "REQUEST_METHOD": "POST", "SCRIPT_NAME": "/cgi",
                    "PATH_INFO": "/usage", "CONTENT_TYPE": "application/json",
                    "CONTENT_LENGTH": String(body.utf8.count),
                    "HTTP_AUTHORIZATION": "Bearer \(key)",
                ], input: body)
            #expect(answer.output.hasPrefix("Status: 201 Created\r\n"), "\(answer)")
        }
        try insert(9_999, database)
        try post()
        #expect(try waiting(database) == "10000")
        #expect(
            try Program.run(
                Repository.program("orbital-fcgi"),
                environment: [
                    "DATABASE_URL": database.url, "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/cgi",
                    "PATH_INFO": "/usage/summary",
                ]
            ).output.contains(#""messages":10000,"#))
        try post()
        #expect(try waiting(database) == "0")
        #expect(try database.value("SELECT sum(messages) FROM usage_quarter_sum") == "10001")
    }
}
