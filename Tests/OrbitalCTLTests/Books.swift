import Foundation
import Postgres
import TestSupport
import Testing

/// Two thousand records in three reporting zones, and a folder for archives.
struct Books {
    let database: Database
    let folder: String
    /// A midnight of Asia/Kathmandu in the middle of a day and a month of the others.
    let line = "2025-01-15T05:45:00Z"

    init() throws {
        database = try Database()
        folder = TemporaryFolder.shared.file("archives").path
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try database.run(
            """
            INSERT INTO usage_zone (name, is_built)
            VALUES ('America/New_York', true), ('Asia/Kathmandu', true);
            INSERT INTO usage_record (message_id, external_id, "timestamp", report_name,
                message_text, input_tokens, output_tokens, attribution_id)
            SELECT n, CASE WHEN n % 2 = 0 THEN 'e-' || n END,
                '2024-12-20Z'::timestamptz + n * interval '31 minutes',
                CASE WHEN n % 3 = 0 THEN 'r' || n % 7 END, CASE WHEN n % 4 = 0 THEN 'é' || n END,
                n % 1000, CASE WHEN n % 5 = 0 THEN 3 END,
                CASE WHEN n % 11 > 0 THEN usage_attribution('u' || n % 17, NULL, 'm' || n % 3,
                    CASE WHEN n % 5 > 0 THEN jsonb_build_object('env', 'e' || n % 5) END) END
            FROM generate_series(1, 2000) AS n
            """)
    }

    func orbitalctl(
        _ arguments: [String], _ database: Database? = nil
    ) throws -> Program.Outcome {
        try Program.run(
            Repository.program("orbitalctl"), arguments,
            environment: ["DATABASE_URL": (database ?? self.database).url, "CONFIG_ENV": "test"])
    }

    func close(_ line: String? = nil, _ more: [String] = []) throws -> Program.Outcome {
        try orbitalctl(["close", "--before", line ?? self.line, "--archive", folder] + more)
    }

    /// Runs `orbitalctl close` until it waits for the lock that `lock` takes, and kills it there.
    func kill(at lock: String, status: String) throws {
        let holder = try Connection(
            url: database.url, applicationName: "holder", waitSeconds: 60)
        try holder.run("BEGIN; \(lock)")
        let closing = try Program(
            Repository.program("orbitalctl"),
            ["close", "--before", line, "--archive", folder],
            environment: ["DATABASE_URL": database.url, "CONFIG_ENV": "test"])
        let waits = try eventually {
            try database.value(
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
            try database.value(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'orbitalctl close'
                """) == "0"
        }
        #expect(isGone)
        #expect(
            try database.value("SELECT coalesce(max(status), '') FROM usage_closing")
                == status,
            "\(lock)")
    }

    /// All sums that readers see, with deltas, whichever table has them.
    func sums(_ database: Database? = nil) throws -> String {
        let columns = """
            sum(messages), sum(reports), sum(credit_hundredths), sum(input_tokens),
            sum(output_tokens), sum(cache_read_input_tokens), sum(cache_creation_input_tokens)
            """
        return try (database ?? self.database).psql(
            """
            SELECT merge_usage_deltas(1000000);
            SELECT quarter, \(columns) FROM usage_quarter_sums GROUP BY 1 ORDER BY 1;
            SELECT name, unit, starts_at, digest, \(columns)
            FROM usage_attribution_sums JOIN usage_bucket USING (bucket_id)
                JOIN usage_zone USING (zone_id) LEFT JOIN usage_attribution USING (attribution_id)
            GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4;
            SELECT name, unit, starts_at, part, "value", \(columns)
            FROM usage_value_sums JOIN usage_bucket USING (bucket_id)
                JOIN usage_zone USING (zone_id) JOIN usage_value USING (value_id)
            GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
            """
        ).split(separator: "\n", maxSplits: 1).last.map(String.init) ?? ""
    }

    static let records = """
        SELECT (to_jsonb(record) - 'recorded_at' - 'attribution_id') || jsonb_build_object(
            'user', user_id, 'model', model, 'tags', tags)
        FROM usage_record AS record LEFT JOIN usage_attribution USING (attribution_id)
        """
}
