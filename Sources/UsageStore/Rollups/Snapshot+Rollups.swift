import Postgres

extension Snapshot {
    /// The columns of sums.
    static let sums = [
        "messages", "reports", "corrections", "credit_hundredths", "input_tokens", "output_tokens",
        "cache_read_input_tokens", "cache_creation_input_tokens",
    ]

    /// Compares the rollups with the records, and calls `body` with each difference, as a sentence.
    ///
    /// Reads all records once, and once more for each reporting zone. The levels are compared with
    /// the records minus the deltas that are not merged; years with their months.
    public func forEachRollupDifference(_ body: (String) -> Void) throws {
        try reportingUnavailability {
            let state = try connection.query("SELECT is_built FROM usage_rollup_state")
            guard state[0, 0] == "t" else { return body("the rollups are not complete") }
            for bounds in try months(of: "UTC") { try compare(Self.quarters, bounds, body) }
            let zones = try connection.query(
                "SELECT name FROM usage_zone WHERE is_built ORDER BY 1")
            for zone in (0..<zones.count).compactMap({ zones[$0, 0] }) {
                for bounds in try months(of: zone) {
                    try compare(Self.groups, [zone] + bounds, body)
                }
                for bounds in try years(of: zone) {
                    try compare(Self.years, [zone] + bounds, body)
                }
            }
        }
    }

    /// The bounds of the local months that have records, deltas or sums.
    private func months(of zone: String) throws -> [[String?]] {
        try bounds("usage_rollup_months", zone)
    }

    /// The bounds of the local years that have stored months or sums.
    private func years(of zone: String) throws -> [[String?]] {
        try bounds("usage_rollup_years", zone)
    }

    private func bounds(_ function: String, _ zone: String) throws -> [[String?]] {
        let bounds = try connection.query(
            "SELECT starts_at, ends_at FROM \(function)($1::text)", [zone])
        return (0..<bounds.count).map { [bounds[$0, 0], bounds[$0, 1]] }
    }

    private func compare(
        _ statement: String, _ parameters: [String?], _ body: (String) -> Void
    ) throws {
        let rows = try connection.query(statement, parameters)
        for row in 0..<rows.count {
            body("the rollup \(rows[row, 0] ?? ""): \(rows[row, 1] ?? "")")
        }
    }

    /// The sums of rows whose `found` is false are those of the records, the others of a level.
    static func differences(_ rows: String) -> String {
        let columns = sums.map { name in
            let sum = "coalesce(sum(\(name)) FILTER (WHERE"
            return "\(sum) found), 0) AS found_\(name), \(sum) NOT found), 0) AS \(name)"
        }.joined(separator: ", ")
        let texts = sums.map { name in
            """
            CASE WHEN found_\(name) <> \(name)
                THEN format('\(name) %s, expected %s', found_\(name), \(name)) END
            """
        }.joined(separator: ", ")
        let isDifferent = sums.map { "found_\($0) <> \($0)" }.joined(separator: " OR ")
        return """
            SELECT title, concat_ws('; ', \(texts))
            FROM (SELECT title, \(columns) FROM (\(rows)) AS rows GROUP BY title) AS sums
            WHERE \(isDifferent) ORDER BY title
            """
    }

    static let columns = sums.joined(separator: ", ")

    static func instant(_ name: String) -> String {
        "to_char(\(name) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
    }

    /// Compares the quarters from $1 to $2.
    private static let quarters = differences(
        """
        SELECT 'of the quarter ' || \(instant("quarter")) AS title, found, \(columns) FROM (
            SELECT false AS found, quarter, \(columns)
            FROM usage_records_minus_deltas($1::timestamptz, $2::timestamptz)
            UNION ALL
            SELECT true, quarter, \(columns) FROM usage_quarter_sum
            WHERE quarter >= $1::timestamptz AND quarter < $2::timestamptz
        ) AS both_sides
        """)

    /// Compares the days and the month of the zone $1 that begin from $2 on and before $3.
    private static let groups =
        """
        WITH taken AS MATERIALIZED (
            SELECT * FROM usage_records_minus_deltas($2::timestamptz, $3::timestamptz)
        ), place AS MATERIALIZED (
            SELECT * FROM usage_buckets_at($1::text, ARRAY(SELECT DISTINCT quarter FROM taken))
            WHERE unit <> 'year'
        ), stored AS MATERIALIZED (
            SELECT bucket_id, unit, starts_at FROM usage_bucket JOIN usage_zone USING (zone_id)
            WHERE name = $1::text AND unit <> 'year'
                AND starts_at >= $2::timestamptz AND starts_at < $3::timestamptz
        ), attributed AS MATERIALIZED (
            SELECT unit, starts_at, coalesce(attribution_id, 0) AS attribution_id, \(summed)
            FROM taken JOIN place USING (quarter)
            GROUP BY unit, starts_at, coalesce(attribution_id, 0)
        ), valued AS MATERIALIZED (
            SELECT attribution_id, part, "value" FROM usage_attribution,
                usage_attribution_values(user_id, team_id, model, tags)
        )
        """
        + differences(
            """
            SELECT \(groupTitle), found, \(columns) FROM (
                SELECT false AS found, unit, starts_at, 'attribution ' || attribution_id AS key,
                    \(columns)
                FROM attributed
                UNION ALL
                SELECT true, unit, starts_at, 'attribution ' || attribution_id, \(columns)
                FROM usage_attribution_sum JOIN stored USING (bucket_id)
                UNION ALL
                SELECT false, unit, starts_at, part || ' ' || "value", \(columns)
                FROM attributed JOIN valued USING (attribution_id)
                UNION ALL
                SELECT false, unit, starts_at, 'report_name ' || report_name, \(columns)
                FROM taken JOIN place USING (quarter) WHERE report_name IS NOT NULL
                UNION ALL
                SELECT false, unit, starts_at, 'all records', \(columns) FROM attributed
                UNION ALL
                SELECT true, unit, starts_at,
                    coalesce(part || ' ' || "value", 'value ' || value_id), \(columns)
                FROM usage_value_sum JOIN stored USING (bucket_id)
                    LEFT JOIN usage_value USING (value_id)
            ) AS both_sides
            """)

    /// Compares the year of the zone $1 that begins at $2 and ends at $3 with its months.
    private static let years =
        """
        WITH stored AS MATERIALIZED (
            SELECT bucket_id, unit, starts_at FROM usage_bucket JOIN usage_zone USING (zone_id)
            WHERE name = $1::text AND unit <> 'day'
                AND starts_at >= $2::timestamptz AND starts_at < $3::timestamptz
        )
        """
        + differences(
            """
            SELECT \(groupTitle), found, \(columns) FROM (
                SELECT unit = 'year' AS found, 'year' AS unit, $2::timestamptz AS starts_at,
                    'attribution ' || attribution_id AS key, \(columns)
                FROM usage_attribution_sum JOIN stored USING (bucket_id)
            ) AS both_sides
            """)

    private static let groupTitle = """
        concat('of the ', unit, ' ', \(instant("starts_at")), ' (', $1::text, '), ', key) AS title
        """

    private static let summed = sums.map { "sum(\($0)) AS \($0)" }.joined(separator: ", ")
}
