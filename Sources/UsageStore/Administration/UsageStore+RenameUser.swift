import Postgres
import Usage

extension UsageStore {
    /// After this time, a renaming is not attempted again; each attempt waits two seconds for a lock.
    private static let renameTimeout = Duration.seconds(20)

    /// Puts a new pseudonym in the place of a user's id, in the named tags, too, and revokes the keys
    /// that are bound to it and ends the user's budgets, in one transaction; returns the numbers of
    /// attributions, keys and budgets.
    ///
    /// While others use the user's attributions, tries again for 20 seconds; in between, they go on.
    public func renameUser(
        _ userID: String, tags: [String]
    ) throws -> (attributions: Int, keys: Int, budgets: Int) {
        let deadline = ContinuousClock.now + Self.renameTimeout
        while true {
            do { return try renameUserOnce(userID, tags: tags) } catch is AttributionsInUse {
                guard .now >= deadline else { continue }
                throw DatabaseUnavailable(
                    description:
                        "another transaction uses the user's attributions: nothing was erased",
                    remedy: "run it again when no import is running")
            }
        }
    }

    private struct AttributionsInUse: Error {}

    private func renameUserOnce(
        _ userID: String, tags: [String]
    ) throws -> (attributions: Int, keys: Int, budgets: Int) {
        let pseudonym = Pseudonym.random()
        let parameters: [Parameter] = [
            .text(userID), .array(tags.map { Optional($0) }), .text(pseudonym),
        ]
        return try reportingUnavailability {
            let connection = try connected()
            do {
                return try connection.transaction {
                    // Before anything that others wait for. A chunk of a rebuild may take longer than
                    // others should wait, too.
                    try connection.run("SET LOCAL lock_timeout = '60s'")
                    _ = try QueryReader(connection, "lock_events", Erasure.lockEvents, [userID])
                    try connection.run(
                        """
                        SELECT lock_usage_rollups(true);
                        SET LOCAL lock_timeout = '2s'
                        """)
                    let keys = try QueryReader(
                        connection, "revoke_keys", Erasure.revokeKeys, parameters,
                        isStreamed: false)
                    let attributions = try QueryReader(
                        connection, "rename_user", Erasure.renameUser, parameters,
                        isStreamed: false)
                    let budgets = try QueryReader(
                        connection, "end_budgets", Erasure.endBudgets, [userID, pseudonym])
                    _ = try QueryReader(
                        connection, "rename_in_events", Erasure.renameInEvents, [userID, pseudonym])
                    return (attributions.count, keys.count, budgets.count)
                }
            } catch let error as PostgresError where error.state == PostgresError.lockNotAvailable {
                throw AttributionsInUse()
            }
        }
    }
}
