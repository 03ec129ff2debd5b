import Postgres

/// What an administrator wants to know of a database before trusting it.
public struct DatabaseInspection: Sendable {
    /// The server's version, such as `15.18`.
    public let serverVersion: String

    /// Whether text is stored as UTF-8; in other encodings characters could not be kept.
    public let isUTF8: Bool

    /// Whether nothing can be recorded: the server is a standby, or set to be read only.
    public let isReadOnly: Bool
}

/// The price list entry in force.
public struct RateInForce: Sendable {
    /// Credits for 100 tokens, as a decimal.
    public let creditsPer100Tokens: String

    /// The least a message costs, as a decimal.
    public let minimum: String

    /// How tokens are counted.
    public let tokenizer: String
}

extension UsageStore {
    /// Asks the server about itself.
    public func inspection() throws -> DatabaseInspection {
        let row = try reportingUnavailability { try connected() }.query(
            """
            SELECT split_part(current_setting('server_version'), ' ', 1),
                   current_setting('server_encoding') = 'UTF8', 
                   pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean
            """)
        return DatabaseInspection(
            serverVersion: row[0, 0] ?? "", isUTF8: row[0, 1] == "t", isReadOnly: row[0, 2] == "t")
    }

    /// The names of our triggers that are missing or disabled, without which prices, revisions or
    /// the price list could go wrong.
    public func missingTriggers() throws -> [String] {
        let result = try connected().query(
            """
            SELECT wanted.name
            FROM (VALUES ('usage_record', 'usage_record_price', 'OA'),
                         ('usage_record', 'usage_record_revision', 'A'),
                         ('usage_record', 'usage_record_timestamp_insert', 'OA'),
                         ('usage_record', 'usage_record_timestamp_update', 'OA'),
                         ('usage_revision', 'usage_revision_durable', 'A'),
                         ('credit_rate', 'credit_rate_revision', 'A'),
                         ('credit_rate', 'credit_rate_append_only', 'OA'),
                         ('credit_rate', 'credit_rate_in_order', 'OA'),
                         ('credit_rate', 'credit_rate_not_retroactive', 'OA'))
                AS wanted(relation, name, states)
            LEFT JOIN pg_trigger ON tgname = wanted.name
                AND strpos(wanted.states, tgenabled::text) > 0
                AND tgrelid = to_regclass(wanted.relation)
            WHERE pg_trigger.oid IS NULL
            """)
        return (0..<result.count).compactMap { result[$0, 0] }
    }

    /// The records dated before 2000 or more than five minutes ahead: how many, and the first ids.
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

    /// The price list entry in force now; nil when there is none.
    public func rateInForce() throws -> RateInForce? {
        let row = try connected().query(
            """
            SELECT (hundredths_per_100_tokens / 100.0)::numeric(20, 2),
                   (minimum_hundredths / 100.0)::numeric(20, 2), tokenizer
            FROM credit_rate_at(now())
            """)
        guard row.count == 1 else { return nil }
        return RateInForce(
            creditsPer100Tokens: row[0, 0] ?? "", minimum: row[0, 1] ?? "",
            tokenizer: row[0, 2] ?? "")
    }
}
