import Postgres

/// What an operator must do something about in the next days, and no request notices.
public struct Operations: Sendable {
    /// When the next key expires of those that are valid, in Unix time; nil when none does.
    public let nextKeyExpirySeconds: Int?

    /// Whether the last attempt to archive the write-ahead log failed; nil without archiving.
    public let isArchiveFailing: Bool?
}

extension UsageStore {
    /// Asks the database; a matter of microseconds.
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
                           END
                    FROM pg_stat_archiver
                    """)
            }
            return Operations(
                nextKeyExpirySeconds: row[0, 0].flatMap { Int($0) },
                isArchiveFailing: row[0, 1].map { $0 == "t" })
        }
    }
}
