import Postgres

/// The revisions, read in one query.
public struct Revisions: Sendable {
    /// Changes with every change of a usage record or a credit rate: the revision.
    public let usage: Int64

    /// Changes with every change of an API key.
    public let keys: Int64
}

extension UsageStore {
    /// The revision: a number that changes with every change of a usage record or a credit rate.
    public func revision() throws -> Int64 { try revisions().usage }

    /// The revisions, read after the request arrived, by this thread or by another one.
    public func revisions() throws -> Revisions {
        try admit()
        lendConnection()
        return try meter.timing {
            try reportingUnavailability {
                try shared.revisions.answer(
                    since: requestArrival ?? .now, until: deadline, queryRevisions)
            }
        }
    }

    /// Inlines the SQL function usage_revision(), whose call would double the cost.
    private func queryRevisions() throws -> Revisions {
        let reader = try QueryReader(
            try connected(), "revision",
            """
            SELECT sum(changes)::bigint, (SELECT changes FROM api_key_revision)
            FROM usage_revision
            """)
        guard try reader.next(), !reader.isNull(0), !reader.isNull(1) else {
            throw DatabaseUnavailable(
                description: "usage_revision or api_key_revision has lost its rows")
        }
        return Revisions(usage: reader.integer(0), keys: reader.integer(1))
    }

    /// Advances both revisions to the server's clock in microseconds; returns the revision before
    /// and after.
    ///
    /// Each change adds one, and no server commits a million changes per second: so the new revision
    /// exceeds any earlier one, even one that a restore has lost. Throws `AdministrationFault` if the
    /// clock is behind.
    public func advanceRevision() throws -> (before: Int64, now: Int64) {
        try reportingUnavailability {
            let connection = try connected()
            return try connection.transaction {
                // No writer may commit between the sum and the change.
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
                guard before < now else {
                    throw AdministrationFault(
                        "the revision, \(before), is ahead of PostgreSQL's clock; correct the clock "
                            + "first")
                }
                try connection.query(
                    "UPDATE usage_revision SET changes = changes + $1::bigint WHERE shard = 0",
                    [String(now - before)])
                // A dump of an earlier version is restored before it is migrated.
                let table = try connection.query("SELECT to_regclass('api_key_revision')")[0, 0]
                if table != nil {
                    try connection.query(
                        "UPDATE api_key_revision SET changes = greatest(changes + 1, $1::bigint)",
                        [String(now)])
                }
                return (before, now)
            }
        }
    }
}
