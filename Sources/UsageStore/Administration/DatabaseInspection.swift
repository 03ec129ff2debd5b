import Postgres

/// The facts about a database that `orbitalctl check` reports.
public struct DatabaseInspection: Sendable {
    /// The server's version, such as `15.18`.
    public let serverVersion: String

    /// Whether text is stored as UTF-8; other encodings cannot store all characters.
    public let isUTF8: Bool

    /// Whether nothing can be recorded: the server is a standby or read-only.
    public let isReadOnly: Bool

    /// Settings that are off although acknowledged records can be lost in a crash without them.
    public let unsafeSettings: [String]

    /// The lowest limit on this role's connections, and its name.
    public let connectionLimit: (count: Int, place: String)
}

extension UsageStore {
    /// Queries the server's version, settings and limits.
    public func inspection() throws -> DatabaseInspection {
        let row = try reportingUnavailability { try connected() }.query(
            """
            SELECT split_part(current_setting('server_version'), ' ', 1),
                   current_setting('server_encoding') = 'UTF8', 
                   pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean,
                   (SELECT string_agg(name, ' ' ORDER BY name) FROM pg_settings
                    WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'),
                   least_limit.count, least_limit.place
            FROM (
                SELECT count, place FROM pg_roles, pg_database, LATERAL (VALUES
                    (current_setting('max_connections')::integer
                        - CASE WHEN rolsuper THEN 0 ELSE
                            current_setting('superuser_reserved_connections')::integer
                            + coalesce(current_setting('reserved_connections', true)::integer, 0)
                        END, 'max_connections'),
                    (CASE WHEN rolsuper THEN -1 ELSE rolconnlimit END,
                        'the CONNECTION LIMIT of the role ' || rolname),
                    (CASE WHEN rolsuper THEN -1 ELSE datconnlimit END,
                        'the CONNECTION LIMIT of the database ' || datname)
                ) AS limits(count, place)
                WHERE rolname = session_user AND datname = current_database() AND count >= 0
                ORDER BY count LIMIT 1
            ) AS least_limit
            """)
        return DatabaseInspection(
            serverVersion: row[0, 0] ?? "", isUTF8: row[0, 1] == "t", isReadOnly: row[0, 2] == "t",
            unsafeSettings: (row[0, 3] ?? "").split(separator: " ").map(String.init),
            connectionLimit: (row[0, 4].flatMap(Int.init) ?? 0, row[0, 5] ?? ""))
    }

    /// Faults that no trigger can prevent, as sentences: logical replication subscriptions, which
    /// bypass statement triggers, and unlogged tables, which a crash empties.
    public func tableFaults() throws -> [String] {
        let result = try connected().query(
            """
            SELECT CASE WHEN subname IS NULL
                THEN 'the table ' || name || ' is unlogged: a crash empties it'
                ELSE 'the subscription ' || subname || ' writes to ' || name
                    || ' without statement triggers, so the revision does not change'
                END
            FROM unnest(ARRAY['usage_record', 'credit_rate', 'usage_revision', 'api_key',
                'api_key_revision', 'usage_closing', 'usage_closed_id', 'budget']) AS name
            JOIN pg_class ON pg_class.oid = to_regclass(name)
            LEFT JOIN (pg_subscription_rel JOIN pg_subscription ON srsubid = pg_subscription.oid)
                ON srrelid = pg_class.oid
            WHERE subname IS NOT NULL OR relpersistence = 'u'
            ORDER BY 1
            """)
        return (0..<result.count).compactMap { result[$0, 0] }
    }

    /// The names of missing or disabled triggers, without which credits, rates, attributions or
    /// revisions could be wrong.
    public func missingTriggers() throws -> [String] {
        let result = try connected().query(
            """
            SELECT required.name
            FROM (VALUES ('budget', 'budget_check', 'OA'),
                         ('budget', 'budget_revision', 'A'),
                         ('usage_closing', 'usage_closing_revision', 'A'),
                         ('usage_record', 'usage_record_closed_delete', 'A'),
                         ('usage_record', 'usage_record_closed_insert', 'A'),
                         ('usage_record', 'usage_record_closed_truncate', 'A'),
                         ('usage_record', 'usage_record_closed_update', 'A'),
                         ('usage_attribution', 'usage_attribution_delete', 'OA'),
                         ('usage_attribution', 'usage_attribution_digest', 'OA'),
                         ('usage_attribution', 'usage_attribution_revision', 'A'),
                         ('usage_attribution', 'usage_attribution_rollup_delete', 'A'),
                         ('usage_attribution', 'usage_attribution_rollup_lock', 'A'),
                         ('usage_attribution', 'usage_attribution_rollup_truncate', 'A'),
                         ('usage_attribution', 'usage_attribution_rollup_update', 'A'),
                         ('usage_attribution', 'usage_attribution_truncate', 'OA'),
                         ('usage_record', 'usage_record_characters_insert', 'A'),
                         ('usage_record', 'usage_record_characters_update', 'OA'),
                         ('usage_record', 'usage_record_correction_attribution', 'OA'),
                         ('usage_record', 'usage_record_correction_insert', 'OA'),
                         ('usage_record', 'usage_record_correction_update', 'OA'),
                         ('usage_record', 'usage_record_price', 'OA'),
                         ('usage_record', 'usage_record_revision', 'A'),
                         ('usage_record', 'usage_record_rollup_delete', 'A'),
                         ('usage_record', 'usage_record_rollup_insert', 'A'),
                         ('usage_record', 'usage_record_rollup_truncate', 'A'),
                         ('usage_record', 'usage_record_rollup_update', 'A'),
                         ('usage_record', 'usage_record_timestamp_insert', 'OA'),
                         ('usage_record', 'usage_record_timestamp_update', 'OA'),
                         ('usage_revision', 'usage_revision_durable', 'A'),
                         ('usage_zone', 'usage_zone_complete_from', 'OA'),
                         ('usage_zone', 'usage_zone_revision', 'A'),
                         ('api_key', 'api_key_change', 'A'),
                         ('api_key', 'api_key_truncate', 'A'),
                         ('api_key_revision', 'api_key_revision_durable', 'A'),
                         ('credit_rate', 'credit_rate_revision', 'A'),
                         ('credit_rate', 'credit_rate_append_only', 'OA'),
                         ('credit_rate', 'credit_rate_in_order', 'OA'),
                         ('credit_rate', 'credit_rate_not_retroactive', 'OA'),
                         ('credit_rate', 'credit_rate_open', 'OA'))
                AS required(relation, name, states)
            LEFT JOIN pg_trigger ON tgname = required.name
                AND strpos(required.states, tgenabled::text) > 0
                AND tgrelid = to_regclass(required.relation)
            WHERE pg_trigger.oid IS NULL
            """)
        return (0..<result.count).compactMap { result[$0, 0] }
    }

    /// The process whose transaction prevents merges of rollups, as words; nil if there is none.
    public func rollupsHolder() throws -> String? {
        try reportingUnavailability {
            let result = try connected().query(
                """
                SELECT format('process %s (%s) has locked the rollups since %s', pid, application_name,
                    to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
                FROM usage_rollup_state AS state
                    JOIN pg_locks ON transactionid = state.xmax AND granted
                    JOIN pg_stat_activity USING (pid)
                """)
            return result.count > 0 ? result[0, 0] : nil
        }
    }

    /// The records dated before 2000 or more than five minutes ahead: their number, and the first ids.
    public func recordsOutsideRange() throws -> (count: Int, ids: [String]) {
        let result = try connected().query(
            """
            SELECT message_id, count(*) OVER () FROM (
                SELECT message_id, "timestamp" FROM usage_record
                WHERE "timestamp" < usage_timestamp_first()
                UNION ALL
                SELECT message_id, "timestamp" FROM usage_record
                WHERE "timestamp" > usage_timestamp_last()
            ) AS outside ORDER BY "timestamp", message_id LIMIT 5
            """)
        let ids = (0..<result.count).compactMap { result[$0, 0] }
        return (result.count == 0 ? 0 : result[0, 1].flatMap(Int.init) ?? 0, ids)
    }
}

extension UsageStore {
    /// The highest number of an attribution, which `ATTRIBUTION_LIMIT` limits; 0 without any.
    public func newestAttribution() throws -> Int {
        let result = try connected().query("SELECT max(attribution_id) FROM usage_attribution")
        return result[0, 0].flatMap(Int.init) ?? 0
    }

    /// Of the newest attributions, at most 100,000: their number, and the part with the most values,
    /// such as `tag:request`; nil without any.
    public func attributionGrowth() throws -> (count: Int, part: String, values: Int)? {
        let result = try connected().query(
            """
            WITH newest AS MATERIALIZED (
                SELECT * FROM usage_attribution ORDER BY attribution_id DESC LIMIT 100000
            )
            SELECT (SELECT count(*) FROM newest), name, count(DISTINCT value)
            FROM newest, LATERAL (
                VALUES ('user_id', user_id), ('team_id', team_id), ('model', model)
                UNION ALL SELECT 'tag:' || key, value FROM jsonb_each_text(tags)
            ) AS part(name, value)
            WHERE value <> '' GROUP BY name ORDER BY count(DISTINCT value) DESC, name LIMIT 1
            """)
        guard result.count > 0, let count = result[0, 0].flatMap(Int.init),
            let part = result[0, 1], let values = result[0, 2].flatMap(Int.init)
        else { return nil }
        return (count, part, values)
    }
}

/// Facts that operators must act on within days, and that no request detects.
public struct Operations: Sendable {
    /// When the next valid key expires, in Unix time; nil if none does.
    public let nextKeyExpirySeconds: Int?

    /// Whether the last attempt to archive the write-ahead log failed; nil without archiving.
    public let isArchiveFailing: Bool?

    /// How many of the newest 1,000 records have a model and were priced by a rate without one; nil
    /// while the table is locked.
    public let newestWithoutModelRate: Int?

    /// The number of deltas that wait to be merged into the rollups, at most a million.
    public let unmergedDeltas: Int

    /// The events of budgets that are not delivered.
    public let events: EventStatus

    /// The number of attributions, and `ATTRIBUTION_LIMIT`.
    public let attributions: (count: Int, limit: Int)
}

extension UsageStore {
    /// Queries the database, which takes microseconds.
    public func operations() throws -> Operations {
        try reportingUnavailability {
            let row = try meter.within(Self.healthTimeout) {
                try connected().query(
                    """
                    SELECT (SELECT floor(extract(epoch FROM min(expires_at)))::bigint FROM api_key
                            WHERE revoked_at IS NULL AND expires_at > now()
                                AND expires_at < 'infinity'),
                           CASE WHEN current_setting('archive_mode') <> 'off'
                           THEN last_failed_time > coalesce(last_archived_time, '-infinity') IS TRUE
                           END,
                           (SELECT count(*) FROM (SELECT FROM usage_delta LIMIT 1000000) AS delta),
                           (SELECT max(attribution_id) FROM usage_attribution)
                    FROM pg_stat_archiver
                    """)
            }
            return Operations(
                nextKeyExpirySeconds: row[0, 0].flatMap { Int($0) },
                isArchiveFailing: row[0, 1].map { $0 == "t" },
                newestWithoutModelRate: try? newestWithoutModelRate(),
                unmergedDeltas: row[0, 2].flatMap { Int($0) } ?? 0, events: try eventStatus(),
                attributions: (row[0, 3].flatMap { Int($0) } ?? 0, shared.attributions.limit))
        }
    }
}
