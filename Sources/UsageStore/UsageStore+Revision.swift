import Postgres

/// The revision cannot be put to a time that is not after it.
public struct ClockBehindRevision: Error, CustomStringConvertible {
    let revision: Int64

    /// A sentence for operators.
    public var description: String {
        "the revision, \(revision), is ahead of PostgreSQL's clock; set the clock right first"
    }
}

extension UsageStore {
    /// Puts the revision to the server's clock in microseconds; what it was, and what it is.
    ///
    /// Every change adds one, and no server commits a million of them a second: so this is more than
    /// any revision that was ever given out, also in a future that was lost with a restore. A
    /// clock that is behind throws `ClockBehindRevision`.
    public func advanceRevision() throws -> (before: Int64, now: Int64) {
        try reportingUnavailability {
            let connection = try connected()
            return try connection.transaction {
                // No writer is between the sum and the change.
                try connection.run("LOCK TABLE usage_revision IN EXCLUSIVE MODE")
                let row = try connection.query(
                    """
                    SELECT sum(changes)::bigint,
                        floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint
                    FROM usage_revision
                    """)
                guard let before = row[0, 0].flatMap(Int64.init),
                    let now = row[0, 1].flatMap(Int64.init)
                else { throw DatabaseUnavailable(description: "usage_revision has lost its rows") }
                guard before < now else { throw ClockBehindRevision(revision: before) }
                try connection.query(
                    "UPDATE usage_revision SET changes = changes + $1::bigint WHERE shard = 0",
                    [String(now - before)])
                return (before, now)
            }
        }
    }
}
