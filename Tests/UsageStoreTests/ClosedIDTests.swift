import Foundation
import Postgres
import TestSupport
import Testing
import Usage
import UsageStore

/// Look-ups of closed ids by writers.
@Suite(.timeLimit(.minutes(2))) struct `The ids of closed records` {
    /// Otherwise each message waited for a scan of all ids, until autovacuum analysed them.
    @Test func `are looked up in their indexes by writers that found the table empty`() throws {
        let database = try Database()
        try database.run("VACUUM ANALYZE usage_closed_id")
        try database.run(
            """
            INSERT INTO usage_record (message_id, external_id, "timestamp", input_tokens)
            SELECT n, 'sent-' || n, '2024-01-01Z', 1 FROM generate_series(1, 3000) AS n
            """)
        let writer = try Connection(url: database.url, applicationName: "writer", waitSeconds: 60)
        try writer.run(
            """
            SET plan_cache_mode = force_generic_plan;
            PREPARE by_message (bigint) AS
                SELECT FROM usage_closed_id WHERE message_id = $1 LIMIT 1;
            PREPARE by_digest (bytea) AS
                SELECT FROM usage_closed_id WHERE external_digest = $1 LIMIT 1
            """)
        func plans() throws -> [String] {
            try ["by_message(1)", "by_digest('')"].map { statement in
                let plan = try writer.query("EXPLAIN EXECUTE \(statement)")
                return (0..<plan.count).compactMap { plan[$0, 0] }.joined(separator: "\n")
            }
        }
        #expect(try plans().allSatisfy { $0.contains("Seq Scan") })

        let store = database.store(waitSeconds: 60)
        defer { store.release() }
        let closing = try store.beginClosing(
            before: try #require(Timestamp("2024-02-01T00:00:00Z")), directory: "/archive",
            waits: {})
        try database.run(
            """
            UPDATE usage_closing SET status = 'archived', summed_before = closed_before,
                records = 3000, credit_hundredths = 0, sha256 = decode(repeat('00', 32), 'hex')
            """)
        try store.closeIDs(of: closing, progress: { _ in }, waits: {})
        #expect(try plans().allSatisfy { $0.contains("Index") && !$0.contains("Seq Scan") })
    }
}
