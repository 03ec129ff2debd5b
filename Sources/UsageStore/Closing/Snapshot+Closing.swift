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

    /// How closed sums differ from the closings and from each other, as sentences.
    public func closedDifferences() throws -> [String] {
        try reportingUnavailability {
            let rows = try QueryReader(connection, "closed_sums", Self.closedDifferences)
            var differences: [String] = []
            while try rows.next() { differences.append(rows.string(0) ?? "") }
            return differences
        }
    }

    /// Days and months of a zone are sums of the same records, once they are summed; so are quarters of an
    /// hour and the sums by report name.
    private static let closedDifferences = """
        WITH closing AS (
            SELECT *, coalesce(lag(closed_before) OVER (ORDER BY closed_before), '-infinity') AS since
            FROM usage_closing
        )
        SELECT format('the closing before %s has %s records, %s hundredths; the closed sums have %s, %s',
            closed_before, records, closing.credit_hundredths, found.messages, found.hundredths)
        FROM closing, LATERAL (
            SELECT coalesce(sum(messages), 0) AS messages,
                coalesce(sum(level.credit_hundredths), 0) AS hundredths
            FROM closed_quarter_sum AS level WHERE quarter >= since AND quarter < closed_before) AS found
        WHERE (found.messages, found.hundredths) <> (records, closing.credit_hundredths)
        UNION ALL
        \(daysAndMonths("attribution", of: "attribution_id"))
        UNION ALL
        \(daysAndMonths("value", of: "value_id"))
        UNION ALL
        SELECT format('%s: the closed sums by report name have %s messages, expected %s',
            name, found.messages, expected.reports)
        FROM usage_zone, LATERAL (
                SELECT coalesce(sum(messages), 0) AS messages
                FROM closed_value_sum JOIN usage_value USING (value_id) JOIN usage_bucket USING (bucket_id)
                WHERE part = 'report_name' AND is_month AND zone_id = usage_zone.zone_id) AS found,
            LATERAL (
                SELECT coalesce(sum(reports), 0) AS reports FROM closed_quarter_sum
                WHERE quarter >= coalesce(complete_from, '-infinity')) AS expected
        WHERE found.messages <> expected.reports
        """

    private static func daysAndMonths(_ level: String, of key: String) -> String {
        func sum(_ column: String) -> String {
            "sum(CASE WHEN is_month THEN \(column) ELSE -\(column) END)"
        }
        return """
            SELECT format('%s: closed days and months of %s %s differ', name, '\(level)', \(key))
            FROM closed_\(level)_sum JOIN usage_bucket USING (bucket_id) JOIN usage_zone USING (zone_id)
            GROUP BY name, \(key)
            HAVING (\(sum("messages")), \(sum("credit_hundredths"))) <> (0, 0)
            """
    }
}
