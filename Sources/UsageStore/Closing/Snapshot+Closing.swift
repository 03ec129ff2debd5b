import Postgres

extension Snapshot {
    /// Whether the record of a message is closed.
    public func isClosed(_ messageID: Int64) throws -> Bool {
        try reportingUnavailability {
            try QueryReader(
                connection, "closed",
                """
                SELECT FROM usage_closed_id WHERE message_id = $1::bigint
                UNION ALL
                SELECT FROM usage_record
                WHERE message_id = $1::bigint AND "timestamp" < \(ClosedRecords.line)
                """, [String(messageID)]
            ).count > 0
        }
    }

    /// All closings, in the order of their lines.
    public func closings() throws -> [Closing] {
        try reportingUnavailability { try UsageStore.closings(connection) }
    }

    /// Compares closed sums and ids with the closings and with each other, and calls `body` with each
    /// difference, as a sentence.
    public func forEachClosedDifference(_ body: (String) -> Void) throws {
        try reportingUnavailability {
            func compare(_ statement: String, _ parameters: [String?] = []) throws {
                let found = try connection.query(statement, parameters)
                for row in 0..<found.count {
                    body([found[row, 0], found[row, 1]].compactMap { $0 }.joined(separator: ": "))
                }
            }
            try compare(Self.closingDifferences)
            let zones = try connection.query("SELECT name FROM usage_zone ORDER BY 1")
            for zone in (0..<zones.count).compactMap({ zones[$0, 0] }) {
                try compare(Self.closedBuckets, [zone])
                let months = try connection.query(Self.closedMonths, [zone])
                for row in 0..<months.count {
                    try compare(Self.closedValues, [zone, months[row, 0], months[row, 1]])
                }
            }
        }
    }

    /// Closings have the sums of their quarters of an hour, and their ids are entered; days, months and
    /// years of a zone are sums of the same records.
    private static let closingDifferences = """
        WITH closing AS (
            SELECT *, coalesce(lag(closed_before) OVER (ORDER BY closed_before), '-infinity') AS since
            FROM usage_closing
        )
        SELECT format('the closing before %s has %s records, %s hundredths; the closed sums have %s, %s',
            closed_before, closing.records, closing.credit_hundredths, found.records, found.hundredths), NULL
        FROM closing, LATERAL (
            SELECT coalesce(sum(messages + corrections), 0) AS records,
                coalesce(sum(level.credit_hundredths), 0) AS hundredths
            FROM closed_quarter_sum AS level WHERE quarter >= since AND quarter < closed_before) AS found
        WHERE (found.records, found.hundredths) <> (closing.records, closing.credit_hundredths)
        UNION ALL
        SELECT format('usage_closed_id has %s ids, expected %s', found, expected), NULL
        FROM (SELECT count(*) AS found FROM usage_closed_id) AS entered,
            (SELECT coalesce(sum(records), 0) AS expected, coalesce(bool_or(status = 'archived'), false)
                 AS is_incomplete
             FROM usage_closing) AS closed
        WHERE found <> expected AND NOT is_incomplete
        UNION ALL
        \(compared("day", "month", "attribution", of: "attribution_id"))
        UNION ALL
        \(compared("month", "year", "attribution", of: "attribution_id"))
        UNION ALL
        \(compared("day", "month", "value", of: "value_id"))
        """

    private static func compared(
        _ unit: String, _ coarser: String, _ level: String, of key: String
    ) -> String {
        let differences = sums.map {
            "sum(CASE unit WHEN '\(coarser)' THEN \($0) ELSE -\($0) END) <> 0"
        }
        return """
            SELECT format('%s: closed %ss and %ss of %s %s differ', name, '\(unit)', '\(coarser)',
                '\(level)', \(key)), NULL
            FROM closed_\(level)_sum JOIN usage_bucket USING (bucket_id) JOIN usage_zone USING (zone_id)
            WHERE unit IN ('\(unit)', '\(coarser)') GROUP BY name, \(key)
            HAVING \(differences.joined(separator: " OR "))
            """
    }

    /// The closed months of the zone $1.
    private static let closedMonths = """
        SELECT starts_at, ends_at FROM usage_bucket JOIN usage_zone USING (zone_id)
        WHERE name = $1::text AND unit = 'month' AND starts_at < usage_rollup_start()
        ORDER BY 1
        """

    private static let closedTitle = """
        concat('the rollup of the closed ', unit, ' ',
            coalesce(\(instant("starts_at")), 'that is missing'), ' (', $1::text, ')', key) AS title
        """

    /// Compares all days, months and years of the zone $1 with their quarters of an hour, and the sums by
    /// report name of days and months with their number of records that have one.
    private static let closedBuckets = """
        WITH attributed AS MATERIALIZED (
            SELECT unit, starts_at, \(columns)
            FROM usage_bucket JOIN usage_zone USING (zone_id) JOIN closed_attribution_sum USING (bucket_id)
            WHERE name = $1::text
        )
        """
        + differences(
            """
            SELECT \(closedTitle), found, \(columns) FROM (
                SELECT false AS found, kind.unit,
                    CASE WHEN ends_at > quarter THEN starts_at END AS starts_at, '' AS key, \(columns)
                FROM closed_quarter_sum
                    JOIN usage_zone ON name = $1::text
                        AND quarter >= coalesce(complete_from, '-infinity')
                    CROSS JOIN (VALUES ('day'), ('month'), ('year')) AS kind(unit)
                    LEFT JOIN LATERAL (
                        SELECT starts_at, ends_at FROM usage_bucket WHERE zone_id = usage_zone.zone_id
                            AND unit = kind.unit AND starts_at <= quarter
                        ORDER BY starts_at DESC LIMIT 1) AS bucket ON true
                UNION ALL
                SELECT true, unit, starts_at, '', \(columns) FROM attributed
                UNION ALL
                SELECT false, unit, starts_at, ', report_name', reports, reports, 0, 0, 0, 0, 0, 0
                FROM attributed WHERE unit <> 'year'
                UNION ALL
                SELECT true, unit, starts_at, ', report_name', messages, reports, 0, 0, 0, 0, 0, 0
                FROM usage_bucket JOIN usage_zone USING (zone_id)
                    JOIN closed_value_sum USING (bucket_id) JOIN usage_value USING (value_id)
                WHERE name = $1::text AND part = 'report_name'
            ) AS both_sides
            """)

    /// Compares the sums by value with those by attribution, in the days and the month of the zone $1 that
    /// begin from $2 on and before $3.
    private static let closedValues = """
        WITH stored AS MATERIALIZED (
            SELECT bucket_id, unit, starts_at FROM usage_bucket JOIN usage_zone USING (zone_id)
            WHERE name = $1::text AND unit <> 'year'
                AND starts_at >= $2::timestamptz AND starts_at < $3::timestamptz
        )
        """
        + differences(
            """
            SELECT \(closedTitle), found, \(columns) FROM (
                SELECT false AS found, unit, starts_at, ', ' || part || ' ' || "value" AS key,
                    \(columns)
                FROM closed_attribution_sum JOIN stored USING (bucket_id)
                    JOIN usage_attribution USING (attribution_id),
                    usage_attribution_values(user_id, team_id, model, tags)
                UNION ALL
                SELECT false, unit, starts_at, ', all records', \(columns)
                FROM closed_attribution_sum JOIN stored USING (bucket_id)
                UNION ALL
                SELECT true, unit, starts_at,
                    ', ' || coalesce(part || ' ' || "value", 'value ' || value_id), \(columns)
                FROM closed_value_sum JOIN stored USING (bucket_id)
                    LEFT JOIN usage_value USING (value_id)
                WHERE part IS DISTINCT FROM 'report_name'
            ) AS both_sides
            """)
}
