import Postgres
public import Usage

/// The state of the rollups.
public struct RollupStatus: Sendable {
    /// A reporting zone.
    public struct Zone: Sendable {
        /// Its name in the IANA database.
        public let name: String
        /// Whether its sums are complete; otherwise sums in it are read from the records.
        public let isBuilt: Bool
        /// The first instant of which it has sums; nil if it has all, also those of closed records.
        public let completeFrom: Timestamp?
    }

    /// Whether the levels are complete; otherwise all sums are read from the records.
    public let isBuilt: Bool
    /// When the levels last changed.
    public let mergedAt: Timestamp?
    /// The number of deltas that are not merged.
    public let deltas: Int
    /// The bytes of levels and deltas on disk, with their indexes.
    public let bytes: Int
    /// The reporting zones, by name.
    public let zones: [Zone]
}

extension UsageStore {
    /// As CGI, nothing is merged up to this number of deltas; ten times as many are a fault.
    public static var manyDeltas: Int { 10_000 }

    /// How many deltas one transaction merges, for which others wait; fewer at once cost more each.
    private static var mergeLimit: Int { 20_000 }

    /// Merges deltas into the levels until few wait; returns the number of those merged.
    ///
    /// Ends after about `limit` of them, because writers may be faster.
    ///
    /// Ends if another transaction is changing the levels, unless it `waits` for its turn: for at most
    /// half a minute.
    public func mergeRollups(waits: Bool = false, limit: Int = 100_000) throws -> Int {
        try reportingUnavailability {
            let connection = try connected(isWatching: false)
            var total = 0
            while total < limit {
                let result = try connection.transaction {
                    // A crash only takes the merge back, so its commit need not be on disk.
                    try connection.run("SET LOCAL synchronous_commit = off")
                    if waits { try connection.run("SET LOCAL lock_timeout = '30s'") }
                    return try connection.query(
                        "SELECT merge_usage_deltas($1::integer, $2::boolean)",
                        [String(Self.mergeLimit), String(waits)])
                }
                guard let count = result[0, 0].flatMap(Int.init) else { return total }
                total += count
                guard count > Self.mergeLimit / 2 else { return total }
            }
            return total
        }
    }

    /// Removes merged deltas, which every sum reads until then; nothing without the privilege.
    public func vacuumDeltas() throws {
        try reportingUnavailability {
            try connected(isWatching: false).run("VACUUM (SKIP_LOCKED) usage_delta")
        }
    }

    /// `mergeRollups` if more than `manyDeltas` wait.
    public func mergeManyRollups() throws {
        let waiting = try reportingUnavailability {
            try connected(isWatching: false).query(
                "SELECT count(*) FROM (SELECT FROM usage_delta LIMIT $1::bigint) AS delta",
                [String(Self.manyDeltas + 1)])
        }
        if waiting[0, 0] == String(Self.manyDeltas + 1) { _ = try mergeRollups() }
    }

    /// The state of the rollups.
    public func rollupStatus() throws -> RollupStatus {
        try reportingUnavailability {
            let connection = try connected()
            let state = try connection.query(
                """
                SELECT is_built, (SELECT count(*) FROM usage_delta),
                    to_char(merged_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                    (SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(ARRAY[
                        'usage_delta', 'usage_quarter_sum', 'usage_attribution_year_sum',
                        'usage_attribution_month_sum', 'usage_attribution_day_sum',
                        'usage_value_month_sum', 'usage_value_day_sum', 'usage_value',
                        'usage_bucket', 'closed_quarter_sum', 'closed_attribution_sum',
                        'closed_value_sum']) AS name)::bigint
                FROM usage_rollup_state
                """)
            guard state.count > 0 else {
                throw DatabaseUnavailable(description: "usage_rollup_state has lost its row")
            }
            let zones = try connection.query(
                """
                SELECT name, is_built,
                    to_char(complete_from AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                FROM usage_zone ORDER BY name
                """)
            return RollupStatus(
                isBuilt: state[0, 0] == "t", mergedAt: state[0, 2].flatMap(Timestamp.init),
                deltas: state[0, 1].flatMap(Int.init) ?? 0,
                bytes: state[0, 3].flatMap(Int.init) ?? 0,
                zones: (0..<zones.count).map { row in
                    .init(
                        name: zones[row, 0] ?? "", isBuilt: zones[row, 1] == "t",
                        completeFrom: zones[row, 2].flatMap(Timestamp.init))
                })
        }
    }

    /// Sums the records anew, in one reporting zone or in all levels; calls `progress` with each month
    /// before it is summed, such as `summing the records of 2024-05 in UTC`.
    ///
    /// In short transactions, beside readers, writers and merges; closed sums do not change. With
    /// `resumes`, continues the sums of a zone that are not complete.
    public func rebuildRollups(
        zone: String? = nil, resumes: Bool = false, progress: @escaping (String) -> Void
    ) throws {
        try reportingUnavailability {
            let connection = try connected()
            connection.onInformation = progress
            // Meanwhile another process may build.
            try connection.run("SET lock_timeout = 0")
            defer {
                connection.onInformation = nil
                _ = try? connection.run("SET lock_timeout = '2s'")
            }
            try connection.query(
                "CALL build_usage_rollups($1::text, $2::boolean)", [zone, String(resumes)])
        }
    }

    /// The number of messages in the rollups, deltas included, and that of the records, if they differ.
    ///
    /// Counts all records in one snapshot: 13 s for 50 million on two busy cores.
    public func rollupMiscount() throws -> (rollups: String, records: String)? {
        try reportingUnavailability {
            let result = try connected().query(
                """
                SELECT rollups, records FROM (
                    SELECT (SELECT coalesce(sum(messages + corrections), 0) FROM usage_quarter_sum)
                            + (SELECT coalesce(sum(messages + corrections), 0) FROM usage_delta) AS rollups,
                        (SELECT count(*) FROM usage_record
                         WHERE "timestamp" >= (SELECT usage_rollup_start())) AS records
                ) AS counts WHERE rollups <> records
                """)
            guard result.count > 0 else { return nil }
            return (result[0, 0] ?? "", result[0, 1] ?? "")
        }
    }

    /// The reporting zones to build: those whose clocks have changed since, and those that somebody
    /// has begun to build and left.
    ///
    /// Where sums are closed, buckets stay as they are, and those after them may differ, too.
    public func zonesToBuild() throws -> [String] {
        try reportingUnavailability {
            let zones = try connected().query(
                """
                SELECT name FROM usage_zone AS zone WHERE (SELECT is_built FROM usage_rollup_state) AND (
                    NOT is_built AND (built_at > now() - interval '10 minutes') IS NOT TRUE
                    OR is_built AND EXISTS (
                        SELECT unit, starts_at, ends_at FROM usage_bucket
                        WHERE zone_id = zone.zone_id AND starts_at > usage_rollup_start()
                            + CASE unit WHEN 'year' THEN interval '2 years' ELSE '2 months' END
                        EXCEPT
                        SELECT unit, starts_at, ends_at FROM usage_buckets_at(name, ARRAY(
                            SELECT starts_at FROM usage_bucket WHERE zone_id = zone.zone_id))))
                """)
            return (0..<zones.count).compactMap { zones[$0, 0] }
        }
    }

    /// Adds a reporting zone and sums the records in it, or continues that; false if it is there, and
    /// complete.
    public func addReportingZone(
        _ zone: String, progress: @escaping (String) -> Void
    ) throws -> Bool {
        let isBuilt = try reportingUnavailability {
            let connection = try connected()
            return try connection.transaction {
                try connection.query("SELECT lock_usage_rollups(true)")
                try connection.query(
                    "INSERT INTO usage_zone (name) VALUES ($1::text) ON CONFLICT DO NOTHING", [zone]
                )
                return try connection.query(
                    "SELECT is_built FROM usage_zone WHERE name = $1::text", [zone])[0, 0] == "t"
            }
        }
        if !isBuilt { try rebuildRollups(zone: zone, resumes: true, progress: progress) }
        return !isBuilt
    }

    /// Removes a reporting zone and its sums; throws `AdministrationFault` if it must stay.
    public func removeReportingZone(_ zone: String) throws {
        try reportingUnavailability {
            let connection = try connected()
            try connection.transaction {
                try connection.query("SELECT lock_usage_rollups(true)")
                // A zone that was added after a closing has not all of them: others do.
                for level in ["attribution", "value"] {
                    try connection.query(
                        """
                        DELETE FROM closed_\(level)_sum WHERE bucket_id IN (
                            SELECT bucket_id FROM usage_bucket JOIN usage_zone USING (zone_id)
                            WHERE name = $1::text AND complete_from IS NOT NULL)
                        """, [zone])
                }
                let result = try connection.query(
                    """
                    SELECT zone_id, (SELECT count(*) FROM usage_zone), EXISTS (
                        SELECT FROM usage_bucket AS bucket WHERE bucket.zone_id = zone.zone_id
                            AND (bucket_id IN (SELECT bucket_id FROM closed_attribution_sum)
                                OR bucket_id IN (SELECT bucket_id FROM closed_value_sum))),
                        (SELECT is_built FROM usage_rollup_state),
                        (SELECT min(name) FROM budget WHERE budget.zone_id = zone.zone_id)
                    FROM usage_zone AS zone WHERE name = $1::text
                    """, [zone])
                guard result.count > 0 else {
                    throw AdministrationFault("\(zone) is not a reporting zone")
                }
                guard result[0, 1] != "1" else {
                    throw AdministrationFault("\(zone) is the last reporting zone: it stays")
                }
                // Quarters are summed with the first zone.
                guard result[0, 3] == "t" else {
                    throw AdministrationFault(
                        "the rollups are not complete; run: orbitalctl rollup rebuild")
                }
                guard result[0, 2] == "f" else {
                    throw AdministrationFault(
                        "\(zone) has sums of closed records, which cannot be calculated again")
                }
                if let budget = result[0, 4] {
                    throw AdministrationFault(
                        "\(zone) stays: the budget \"\(budget)\" has it, or has had it")
                }
                try connection.query(
                    "DELETE FROM usage_zone WHERE zone_id = $1::smallint", [result[0, 0]])
                try connection.query("SELECT remove_lost_usage_sums()")
            }
        }
    }
}
