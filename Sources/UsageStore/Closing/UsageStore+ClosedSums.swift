import Postgres
import Threads
public import Usage

/// The sums of a closing.
extension UsageStore {
    /// Throws `AdministrationFault` if the books cannot be closed before `line`.
    public func checkClosing(before line: Timestamp) throws {
        try reportingUnavailability {
            if let fault = try Self.fault(of: line, try connected()) { throw fault }
        }
    }

    /// The number and the credits of the records before `line`.
    public func sum(before line: Timestamp) throws -> (records: Int64, credits: String) {
        try sum(
            """
            SELECT count(*), coalesce(sum(credit_hundredths), 0) * 0.01 FROM usage_record
            WHERE "timestamp" < $1::timestamptz
            """, line)
    }

    /// The number and the credits of the records of a closing, by the closed sums.
    public func closedSum(of closing: Closing) throws -> (records: Int64, credits: String) {
        try sum(
            """
            SELECT coalesce(sum(messages + corrections), 0), coalesce(sum(credit_hundredths), 0) * 0.01
            FROM closed_quarter_sum
            WHERE quarter < $1::timestamptz AND quarter >= coalesce((
                SELECT max(closed_before) FROM usage_closing
                WHERE closed_before < $1::timestamptz), '-infinity')
            """, closing.before)
    }

    private func sum(
        _ statement: String, _ line: Timestamp
    ) throws -> (records: Int64, credits: String) {
        let row = try reportingUnavailability { try connected() }.query(
            statement, [line.description])
        return (row[0, 0].flatMap(Int64.init) ?? 0, row[0, 1] ?? "")
    }

    /// Closes the sums of the records before the line, a month in each transaction; calls `progress` with
    /// the end of each.
    public func closeSums(of closing: Closing, progress: (String) -> Void) throws {
        try reportingUnavailability {
            let connection = try connected()
            try mergeDeltas(before: closing.before, connection)
            while let end = try connection.transaction({ try closeMonth(of: closing, connection) })
            {
                progress(end)
            }
        }
    }

    /// Merges the last changes of records before the line; there are no new ones.
    private func mergeDeltas(before line: Timestamp, _ connection: Connection) throws {
        while try connection.query(
            "SELECT FROM usage_delta WHERE quarter < $1::timestamptz LIMIT 1", [line.description]
        ).count > 0 {
            let merged = try connection.query("SELECT merge_usage_deltas(10000)")[0, 0]
            // Somebody else merges.
            if merged == nil { pause(for: .milliseconds(100)) }
        }
    }

    /// Closes the sums of the next month that has records; returns its end, nil after the last one.
    private func closeMonth(of closing: Closing, _ connection: Connection) throws -> String? {
        try connection.run(
            """
            SET LOCAL lock_timeout = 0;
            SELECT lock_usage_rollups(true);
            UPDATE usage_rollup_state SET merged_at = merged_at
            """)
        if let fault = try Self.unbuiltRollups(connection) { throw fault }
        let line = closing.before.description
        let month = try connection.query(
            """
            SELECT since, least(
                $1::timestamptz,
                (date_trunc('month', since AT TIME ZONE 'UTC') + interval '1 month')
                    AT TIME ZONE 'UTC')
            FROM (SELECT min("timestamp") AS since FROM usage_record
                  WHERE "timestamp" >= usage_rollup_start() AND "timestamp" < $1::timestamptz) AS first
            WHERE since IS NOT NULL
            """, [line])
        guard month.count > 0, let since = month[0, 0], let until = month[0, 1] else {
            try connection.query(
                """
                UPDATE usage_closing SET summed_before = closed_before, status = 'summed'
                WHERE closed_before = $1::timestamptz
                """, [line])
            if try connection.query(Self.leftSums, [line]).count == 0 { return nil }
            throw AdministrationFault(
                "the rollups have sums before the line that no record has; run: orbitalctl rollup "
                    + "rebuild, then continue")
        }
        try connection.query(
            "SELECT close_usage_sums($1::timestamptz, $2::timestamptz)", [since, until])
        try connection.query(
            """
            UPDATE usage_closing SET summed_before = $2::timestamptz
            WHERE closed_before = $1::timestamptz
            """, [line, until])
        return until
    }

    /// Open sums before the line; whatever the records had is closed.
    private static let leftSums = """
        SELECT FROM usage_quarter_sum WHERE quarter < $1::timestamptz
        UNION ALL
        SELECT FROM usage_attribution_sum JOIN usage_bucket USING (bucket_id)
        WHERE ends_at <= $1::timestamptz
        UNION ALL
        SELECT FROM usage_value_sum JOIN usage_bucket USING (bucket_id)
        WHERE ends_at <= $1::timestamptz
        LIMIT 1
        """

    /// The fault that a level is not built; nil if all are.
    static func unbuiltRollups(_ connection: Connection) throws -> AdministrationFault? {
        let result = try connection.query(
            """
            SELECT FROM usage_rollup_state WHERE NOT is_built
            UNION ALL SELECT FROM usage_zone WHERE NOT is_built
            """)
        guard result.count > 0 else { return nil }
        return AdministrationFault("the rollups are not built; run: orbitalctl rollup rebuild")
    }
}
