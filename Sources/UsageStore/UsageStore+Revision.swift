import Postgres

/// Numbers that change with every commit of a kind, all of one instant.
public struct Revisions: Sendable {
    /// Changes with every change of a usage record or a credit rate: the revision.
    public let usage: Int64

    /// Changes with every change of an API key.
    public let keys: Int64
}

/// The revision cannot be put to a time that is not after it.
public struct ClockBehindRevision: Error, CustomStringConvertible {
    let revision: Int64

    /// A sentence for operators.
    public var description: String {
        "the revision, \(revision), is ahead of PostgreSQL's clock; correct the clock first"
    }
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
                    since: requestArrival ?? .now, until: deadline, askForRevisions)
            }
        }
    }

    /// With the body of the SQL function usage_revision(), whose call would cost as much again.
    private func askForRevisions() throws -> Revisions {
        try reportingUnavailability {
            let reader = try QueryReader(
                try connected(),
                """
                SELECT sum(changes)::bigint, (SELECT changes FROM api_key_revision)
                FROM usage_revision
                """, [String](), isStreamed: false)
            guard try reader.next(), !reader.isNull(0), !reader.isNull(1) else {
                throw DatabaseUnavailable(
                    description: "usage_revision or api_key_revision has lost its rows")
            }
            return Revisions(usage: reader.integer(0), keys: reader.integer(1))
        }
    }

    /// Puts the revision to the server's clock in microseconds; what it was, and what it is.
    ///
    /// The revision of the keys is put there, too.
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
                try connection.query(
                    "UPDATE api_key_revision SET changes = greatest(changes + 1, $1::bigint)",
                    [String(now)])
                return (before, now)
            }
        }
    }
}
