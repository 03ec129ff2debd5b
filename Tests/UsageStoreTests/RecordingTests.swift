import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing
import Usage
import UsageStore

/// How recording avoids and survives deadlocks.
@Suite(.timeLimit(.minutes(2))) struct `A batch of messages` {
    private func message(_ id: Int64, user: String? = nil) -> UsageRecord {
        var message = UsageRecord()
        message.messageID = id
        message.timestamp = Timestamp("2024-01-01T00:00:00Z")
        message.attribution.userID = user
        message.text = "x"
        return message
    }

    /// Otherwise two writers of the same attributions would wait for each other.
    @Test func `creates attributions in the order of their digests, whatever its own order`() throws
    {
        let database = try Database()
        let store = database.store()
        for range in [1...15, 16...100] as [ClosedRange<Int64>] {
            let outcomes = try store.record(range.map { message($0, user: "u-\($0)") })
            #expect(outcomes.count == range.count)
            #expect(
                try database.psql(
                    """
                    SELECT count(*), count(*) FILTER (WHERE attribution_id < before)
                    FROM (SELECT attribution_id, lag(attribution_id) OVER (ORDER BY digest) AS before
                          FROM usage_record JOIN usage_attribution USING (attribution_id)
                          WHERE message_id BETWEEN \(range.lowerBound) AND \(range.upperBound)) AS pair
                    """) == "\(range.count)|0")
        }
    }

    @Test func `that PostgreSQL aborts as the victim of a deadlock is recorded nevertheless`()
        throws
    {
        let database = try Database()
        let url = database.url
        let isHeld = DispatchSemaphore(value: 0)
        let isOver = DispatchSemaphore(value: 0)
        let fault = Mutex<String?>(nil)
        Thread.detachNewThread {
            defer { isOver.signal() }
            do {
                let other = try Connection(url: url, applicationName: "other", waitSeconds: 60)
                let insert = #"INSERT INTO usage_record (message_id, "timestamp", message_text)"#
                // Only the batch looks for a deadlock, after a second of waiting.
                try other.run(
                    "SET deadlock_timeout = '60s'; BEGIN; \(insert) VALUES (2, now(), 'other')")
                isHeld.signal()
                try other.run(
                    """
                    DO $$ BEGIN
                        WHILE NOT EXISTS (
                            SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'
                                AND transactionid = pg_current_xact_id()::xid)
                        LOOP PERFORM pg_sleep(0.001); END LOOP;
                    END $$;
                    \(insert) VALUES (1, now(), 'other');
                    ROLLBACK
                    """)
            } catch {
                isHeld.signal()
                fault.withLock { $0 = String(describing: error) }
            }
        }
        isHeld.wait()
        let outcomes = try database.store().record([message(2), message(1)])
        isOver.wait()
        #expect(fault.withLock { $0 } == nil)
        let texts = "SELECT string_agg(message_text, ',') FROM usage_record"
        #expect(outcomes.count == 2)
        #expect(try database.value(texts) == "x,x")
    }
}
