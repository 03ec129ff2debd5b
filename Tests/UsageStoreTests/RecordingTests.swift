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

    /// PostgreSQL reads the rates of the batch's models only.
    @Test func `is priced by the model of each message, or by the rate without one`() throws {
        let database = try Database()
        let store = database.store()
        try database.run(
            """
            INSERT INTO credit_rate (model, effective_from, tokenizer, input_price, output_price,
                cache_read_price, cache_creation_price, minimum_hundredths)
            VALUES ('o3', '2000-01-01Z', 'characters', 7000000, 1, 1, 1, 0)
            """)
        let parts: [(model: String?, user: String?, tokens: Int64?)] = [
            ("o3", nil, 100), (nil, "u-1", 100), (nil, nil, 100), ("o4", "u-1", 100),
            ("o3", "u-1", nil), (nil, nil, nil),
        ]
        let messages = parts.enumerated().map { number, part in
            var message = message(Int64(number + 1), user: part.user)
            message.attribution.model = part.model
            message.reported.input = part.tokens
            return message
        }
        let expected: [Int64] = [700, 4000, 4000, 4000, 2, 100]
        for several in [messages, [messages[0], messages[2]]] {
            let estimates = try store.estimates(several).map { $0.credits?.hundredths }
            #expect(estimates == several.map { expected[Int($0.messageID ?? 0) - 1] })
        }
        for several in [[messages[0], messages[2]], messages] {
            let outcomes = try store.record(several)
            let credits = outcomes.map { outcome -> Int64? in
                switch outcome {
                case .created(let record), .duplicate(let record): record.creditsUsed?.hundredths
                default: nil
                }
            }
            #expect(credits == several.map { expected[Int($0.messageID ?? 0) - 1] })
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
