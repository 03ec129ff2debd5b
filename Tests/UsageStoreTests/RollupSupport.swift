import Foundation
import Postgres
import TestSupport

/// SQL that adds records of a range of numbers, such as `1, 50`, with every kind of value, each in a
/// quarter of an hour of its own; their ids begin after `from`.
func addAttributed(_ range: String, from: Int = 0) -> String {
    """
    INSERT INTO usage_record (message_id, "timestamp", report_name, attribution_id, message_text,
        input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens)
    SELECT \(from) + n, '2024-01-01'::timestamptz + n * interval '31 minutes 7 seconds',
        CASE WHEN n % 3 = 0 THEN 'Report ' || n % 4 END,
        CASE WHEN n % 7 > 0 THEN usage_attribution('user ' || n % 5,
            CASE WHEN n % 2 = 0 THEN 'team' END, 'model ' || n % 3,
            CASE WHEN n % 4 = 0 THEN '{"env":"prod","a.b":"1"}'
                WHEN n % 4 = 1 THEN '{"env":"test"}' END::jsonb) END,
        'x', 100 + n, CASE WHEN n % 2 = 0 THEN n END, n % 11, n % 13
    FROM generate_series(\(range)) AS n
    """
}

extension Database {
    /// Runs SQL in psql, whose name in `pg_stat_activity` is `background`.
    func background(_ script: String) throws -> Program {
        try Program(
            "/usr/bin/psql", ["-XqAt", "-v", "ON_ERROR_STOP=1", url, "-c", script],
            environment: ["PGAPPNAME": "background"])
    }

    /// Waits until it waits for a lock; false if that takes too long.
    func isBackgroundBlocked() throws -> Bool {
        try eventually {
            try value(
                """
                SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                    AND application_name = 'background' AND wait_event_type = 'Lock'
                """) == "1"
        }
    }

    /// Ends its session.
    func endBackground() throws {
        _ = try value(
            """
            SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'background'
            """)
    }

    /// Merges all deltas.
    func merge() throws {
        while try value("SELECT merge_usage_deltas(10000)") != "0" {}
    }

    /// Where levels plus deltas are not the records: calculated from the records alone, not as the
    /// product does.
    func rollupDifferences() throws -> [String] { try Self.rollupDifferences(connection) }

    /// The same in the transaction of another connection.
    static func rollupDifferences(_ connection: Connection) throws -> [String] {
        // To compile it takes fifty times as long as to run it.
        try connection.run("SET jit = off")
        let result = try connection.query(differences)
        return (0..<result.count).map { row in
            (0..<5).map { result[row, $0] ?? "-" }.joined(separator: " ")
        }
    }

    /// SQL that counts the buckets whose sums by attribution are not those of the records in them.
    static let wrongBuckets = """
        SELECT count(*) FROM usage_bucket AS bucket WHERE (
            SELECT coalesce(sum(messages), 0) FROM usage_attribution_sum AS sum
            WHERE sum.bucket_id = bucket.bucket_id) <> (
            SELECT count(*) FROM usage_record WHERE "timestamp" >= starts_at AND "timestamp" < ends_at)
        """

    /// SQL that counts the buckets of a unit that overlap.
    static let overlappingBuckets = """
        SELECT count(*) FROM usage_bucket AS one JOIN usage_bucket AS other USING (unit)
        WHERE one.bucket_id < other.bucket_id
            AND one.starts_at < other.ends_at AND one.ends_at > other.starts_at
        """

    private static let differences = """
        WITH record AS (
            SELECT "timestamp" AS instant, report_name, attribution_id,
                (corrects IS NULL)::int AS messages, credit_hundredths::numeric AS credits,
                10::numeric ^ 30 * (corrects IS NOT NULL)::int + coalesce(input_tokens, 0) + 1000003::numeric * coalesce(output_tokens, 0)
                + 1000003000009::numeric * coalesce(cache_read_input_tokens, 0)
                + 1000003000009000027::numeric * coalesce(cache_creation_input_tokens, 0) AS tokens
            FROM usage_record WHERE "timestamp" >= '2000-01-01Z'
        ), delta AS (
            SELECT quarter, report_name, attribution_id, messages, credit_hundredths AS credits,
                10::numeric ^ 30 * corrections + input_tokens + 1000003::numeric * output_tokens + 1000003000009::numeric * cache_read_input_tokens
                + 1000003000009000027::numeric * cache_creation_input_tokens AS tokens
            FROM usage_delta
        ), valued AS (
            SELECT attribution_id, part, value FROM usage_attribution, LATERAL (
                SELECT 'user_id' AS part, user_id AS value UNION ALL SELECT 'team_id', team_id
                UNION ALL SELECT 'model', model
                UNION ALL SELECT 'tag:' || key, value FROM jsonb_each_text(tags)) AS pair
            WHERE value <> ''
        ), grouped AS (
            SELECT instant, instant AS quarter, 1 AS sign, report_name, attribution_id, messages,
                credits, tokens FROM record
            UNION ALL
            SELECT quarter, quarter, -1, report_name, attribution_id, -messages, -credits, -tokens
            FROM delta
        ), expected AS (
            SELECT 'quarter' AS level, '' AS zone, '' AS unit, to_timestamp(
                    floor(extract(epoch FROM instant) / 900) * 900) AS starts_at, '' AS key,
                messages, (report_name IS NOT NULL)::int * messages AS reports, credits, tokens
            FROM grouped
            UNION ALL
            SELECT level, zone.name, unit, date_trunc(unit, instant, zone.name), key,
                messages, (report_name IS NOT NULL)::int * messages, credits, tokens
            FROM grouped CROSS JOIN (SELECT * FROM usage_zone WHERE is_built) AS zone
                CROSS JOIN (VALUES ('day'), ('month'), ('year')) AS kind(unit)
                CROSS JOIN LATERAL (
                    SELECT 'attribution' AS level, coalesce(attribution_id, 0)::text AS key
                    UNION ALL SELECT 'value', 'all records'
                    UNION ALL SELECT 'value', 'report_name ' || report_name WHERE report_name IS NOT NULL
                    UNION ALL SELECT 'value', part || ' ' || value FROM valued
                    WHERE valued.attribution_id = grouped.attribution_id) AS keys
            WHERE unit <> 'year' OR level = 'attribution'
        ), found AS (
            SELECT 'quarter' AS level, '' AS zone, '' AS unit, quarter AS starts_at, '' AS key,
                messages, reports, corrections, credit_hundredths, input_tokens, output_tokens,
                cache_read_input_tokens, cache_creation_input_tokens
            FROM usage_quarter_sum
            UNION ALL
            SELECT 'attribution', name, unit, starts_at, attribution_id::text,
                messages, reports, corrections, credit_hundredths, input_tokens, output_tokens,
                cache_read_input_tokens, cache_creation_input_tokens
            FROM usage_attribution_sum JOIN usage_bucket USING (bucket_id) JOIN usage_zone USING (zone_id)
            WHERE is_built
            UNION ALL
            SELECT 'value', name, unit, starts_at, coalesce(part || ' ' || value, 'lost'),
                messages, reports, corrections, credit_hundredths, input_tokens, output_tokens,
                cache_read_input_tokens, cache_creation_input_tokens
            FROM usage_value_sum LEFT JOIN usage_value USING (value_id) JOIN usage_bucket USING (bucket_id)
                JOIN usage_zone USING (zone_id)
            WHERE is_built
        )
        SELECT level, zone, starts_at::text, key,
            concat_ws(' ', sum(messages), sum(reports), sum(credits), sum(tokens))
        FROM (SELECT * FROM expected UNION ALL
              SELECT level, zone, unit, starts_at, key, -messages, -reports, -credit_hundredths,
                  -(10::numeric ^ 30 * corrections + input_tokens + 1000003::numeric * output_tokens
                  + 1000003000009::numeric * cache_read_input_tokens
                  + 1000003000009000027::numeric * cache_creation_input_tokens)
              FROM found) AS both_sides
        GROUP BY level, zone, unit, starts_at, key
        HAVING (sum(messages), sum(reports), sum(credits), sum(tokens)) <> (0, 0, 0, 0)
        ORDER BY 1, 2, 3, 4
        """
}
