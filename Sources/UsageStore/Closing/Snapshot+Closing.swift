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
}
