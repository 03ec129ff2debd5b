import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `The roles of deploy/roles.sql` {
    /// A database to which the script was applied, and URLs for a member of each role.
    private func prepared() throws -> (database: Database, url: (String) -> String) {
        let database = try Database()
        // As it is before PostgreSQL 15.
        try database.run("GRANT CREATE ON SCHEMA public TO PUBLIC")
        let applied = try Program.run(
            "/usr/bin/psql",
            [
                "-Xq", "-v", "ON_ERROR_STOP=1", database.url, "-f",
                Repository.path("deploy/roles.sql"),
            ])
        #expect(applied.status == 0, "\(applied.errors)")
        for role in ["responder", "writer", "notifier"] {
            try? database.run("CREATE ROLE test_\(role) LOGIN IN ROLE orbital_\(role)")
        }
        return (database, { database.url.replacing("orbital@", with: "test_\($0)@") })
    }

    @Test func `let the notifier keep events, and change no budget`() throws {
        let (database, url) = try prepared()
        try database.run(
            """
            INSERT INTO budget (name, credit_hundredths, every, zone_id, thresholds)
            SELECT 'b', 1, 'day', zone_id, '{100}' FROM usage_zone;
            INSERT INTO usage_record ("timestamp", message_text) VALUES (now(), 'x')
            """)
        let outcome = try Program.run(
            Repository.program("orbitalctl"), ["notify", "--once"],
            environment: [
                "DATABASE_URL": url("notifier"), "WEBHOOK_URL": "http://127.0.0.1:9/",
                "WEBHOOK_SECRET": "whsec_" + String(repeating: "A", count: 32),
            ])
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("connect to server"))
        #expect(
            try database.value("SELECT attempts FROM budget_event WHERE fault IS NOT NULL") == "1")
        let change = try Program.run(
            "/usr/bin/psql",
            ["-Xq", "-c", "UPDATE budget SET credit_hundredths = 2", url("notifier")])
        #expect(change.errors.contains("permission denied"))
    }

    @Test func `let the responder do all of its work, and not alter the schema or the past`() throws
    {
        let (database, url) = try prepared()
        let responder = try Responder(databaseURL: url("responder"))
        defer { responder.stop() }
        let nginx = try Nginx(responderPath: responder.socketPath)
        defer { nginx.stop() }
        let key = try database.key()
        let curl = { (options: [String]) in
            try Program.run(
                "/usr/bin/curl",
                [
                    "-sS", "-o", "/dev/null", "-w", "%{http_code} ", "--unix-socket",
                    nginx.socketPath,
                ] + options
            ).output
        }
        let body =
            #"[{"message_text":"a","user_id":"u","external_id":"x"},{"message_id":7,"message_text":"b"}]"#
        for path in [
            "/health", "/usage",
            "/usage?sort=credits_used:desc&limit=1&tz=Europe/London&from=2024-01-01",
            "/usage/summary?tz=Asia/Tokyo",
            "/usage?fields=all&user_id=u&limit=1&sort=timestamp:desc",
            "/usage/attributions?of=tag:env", "/budgets",
        ] {
            #expect(try curl(["http://localhost\(path)"]) == "200 ")
        }
        #expect(
            try curl([
                "-H", "Authorization: Bearer \(key)", "-H", "Content-Type: application/json", "-d",
                body, "http://localhost/usage",
            ]) == "200 ")
        #expect(try curl(["http://localhost/usage/7"]) == "200 ")
        #expect(
            try database.value("SELECT count(*) || ' ' || count(attribution_id) FROM usage_record")
                == "2 1")
        let connection = try Connection(url: url("responder"), applicationName: "t", waitSeconds: 5)
        // Where clocks have changed.
        try connection.run("CALL build_usage_rollups('UTC')")
        for forbidden in [
            "UPDATE usage_record SET credit_hundredths = 0", "DELETE FROM usage_record",
            "TRUNCATE usage_record",
            "\(insertRates("('2999-01-01', 'characters', 1, 1)"))",
            "UPDATE usage_revision SET changes = 0", "UPDATE api_key SET revoked_at = NULL",
            "UPDATE api_key_revision SET changes = 0",
            "INSERT INTO usage_attribution (digest, user_id, team_id, model, tags) VALUES (sha256(''), '', '', '', '{}')",
            "UPDATE usage_attribution SET user_id = ''",
            "DROP TABLE usage_record",
            "ALTER TABLE usage_record DISABLE TRIGGER ALL", "CREATE TABLE usage_record2 ()",
        ] {
            let error = #expect(throws: PostgresError.self, "\(forbidden)") {
                try connection.run(forbidden)
            }
            #expect(error?.state == "42501", "\(forbidden)")
        }
    }

    @Test func `let a writer insert at our prices, and nothing else`() throws {
        let (database, url) = try prepared()
        let connection = try Connection(url: url("writer"), applicationName: "t", waitSeconds: 5)
        let revision = try database.value("SELECT usage_revision()")
        try connection.run(
            """
            INSERT INTO usage_record ("timestamp", external_id, report_name, message_text, attribution_id)
            VALUES ('2024-01-01Z', 'x', 'r', 'What is the rent?', usage_attribution('u', NULL, NULL, NULL))
            ON CONFLICT DO NOTHING RETURNING message_id
            """)
        #expect(
            try database.value(
                "SELECT credit_hundredths || ' ' || credit_rate_id FROM usage_record") == "170 1")
        #expect(try database.value("SELECT usage_revision()") != revision)
        for forbidden in [
            "INSERT INTO usage_record (\"timestamp\", message_text, credit_hundredths) VALUES (now(), 'x', 0)",
            "SELECT message_text FROM usage_record", "UPDATE usage_record SET message_text = ''",
            "DELETE FROM usage_record",
            "SELECT * FROM api_key", "SELECT * FROM credit_rate", "TRUNCATE usage_record",
            "SELECT * FROM usage_attribution", "UPDATE usage_attribution SET user_id = ''",
        ] {
            let error = #expect(throws: PostgresError.self, "\(forbidden)") {
                try connection.run(forbidden)
            }
            #expect(error?.state == "42501", "\(forbidden)")
        }
    }
}
