import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing
import Usage
@testable import UsageStore

/// Other transactions hold what messages need.
@Suite(.timeLimit(.minutes(2))) struct `A message that waits for a lock` {
    private func message(
        _ id: Int64?, externalID: String? = nil, userID: String? = nil
    ) -> UsageRecord {
        var message = UsageRecord()
        message.messageID = id
        message.externalID = externalID
        message.timestamp = Timestamp("2024-06-01T00:00:00Z")
        message.text = "x"
        message.attribution.userID = userID
        return message
    }

    /// Runs `body` in as many threads of their own; returns their results when all have ended.
    private func inThreads<Result: Sendable>(
        _ count: Int, _ body: @escaping @Sendable (Int) -> Result
    ) -> [Result] {
        let results = Mutex<[Result]>([])
        let threads = DispatchGroup()
        for number in 0..<count {
            threads.enter()
            Thread.detachNewThread {
                let result = body(number)
                results.withLock { $0.append(result) }
                threads.leave()
            }
        }
        threads.wait()
        return results.withLock { $0 }
    }

    @Test(arguments: ["usage_record", "credit_rate", "usage_attribution"])
    func `is refused after two seconds if a table is locked, however many wait`(table: String)
        throws
    {
        let database = try Database()
        let shared = SharedState()
        let url = database.url
        let messages = (0..<6).map { message($0, userID: "u") }
        // The first one reads the price list, and creates the attribution.
        _ = try UsageStore(
            databaseURL: url, applicationName: "t", waitSeconds: 20, shared: shared
        ).record([message(9, userID: "u")])
        let lock = try Connection(url: url, applicationName: "lock", waitSeconds: 60)
        try lock.run("BEGIN; LOCK TABLE \(table) IN ACCESS EXCLUSIVE MODE")
        let times = inThreads(messages.count) { number in
            let store = UsageStore(
                databaseURL: url, applicationName: "t", waitSeconds: 20, shared: shared)
            let start = ContinuousClock.now
            let isRefused = #expect(throws: DatabaseUnavailable.self) {
                try store.record([messages[number]])
            }
            store.release()
            return isRefused == nil ? Duration.zero : ContinuousClock.now - start
        }
        // Above the timeout of two seconds, and clearly below two of them.
        #expect(times.allSatisfy { $0 > .seconds(1.9) && $0 < .seconds(3.2) }, "\(times)")
        try lock.run("ROLLBACK")
    }

    /// Waits until both have locked what they can without the third one, which holds the fifth id.
    private func wait(for first: String, and second: String, _ database: Database) throws {
        let waiting = try eventually {
            try database.value(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'
                    AND application_name IN ('\(first)', '\(second)')
                """) == "2"
        }
        #expect(waiting)
        #expect(
            try database.value(
                """
                SELECT count(*) FROM pg_stat_activity AS waiting JOIN pg_stat_activity AS holder
                    ON holder.pid = ANY (pg_blocking_pids(waiting.pid))
                WHERE waiting.datname = current_database()
                    AND waiting.application_name IN ('\(first)', '\(second)')
                    AND holder.application_name = 'writer'
                """) == "1", "they wait for each other when the writer ends")
    }

    /// Another batch, or an import, with the same external ids in the opposite order.
    @Test(arguments: [false, true])
    func `does not wait for one that waits for it in turn`(isImport: Bool) throws {
        let database = try Database()
        let url = database.url
        let writer = try Connection(url: url, applicationName: "writer", waitSeconds: 60)
        try writer.run(
            """
            BEGIN;
            INSERT INTO usage_record (message_id, external_id, "timestamp", message_text)
            VALUES (99, '5', now(), 'x')
            """)
        let batches = [
            (1...9).map { message($0, externalID: String($0)) },
            (1...9).map { message(10 + $0, externalID: String(10 - $0)) },
        ]
        let created = Mutex(0)
        let done = DispatchGroup()
        for (number, messages) in batches.enumerated() {
            done.enter()
            Thread.detachNewThread {
                defer { done.leave() }
                #expect(throws: Never.self) {
                    if number == 1 && isImport {
                        let file = try MessageImport(
                            databaseURL: url, keepsCredits: false,
                            tokenizers: Tokenizers(directory: ""))
                        for (line, message) in messages.enumerated() {
                            _ = try file.stage(message, line: line + 1)
                        }
                        let outcome = try file.record { _, _, _ in }
                        try file.commit()
                        created.withLock { $0 += outcome.created }
                        return
                    }
                    let store = UsageStore(
                        databaseURL: url, applicationName: "batch \(number)", waitSeconds: 20)
                    let outcomes = try store.record(messages)
                    let count = outcomes.count { if case .created = $0 { true } else { false } }
                    created.withLock { $0 += count }
                }
            }
        }
        try wait(for: "batch 0", and: isImport ? "orbitalctl import" : "batch 1", database)
        try writer.run("ROLLBACK")
        done.wait()
        #expect(created.withLock { $0 } == 9)
    }

    /// Deadlocks are resolved one a second, which is too late for those that wait behind them.
    @Test func `is recorded once in six batches with the same external ids in other orders`()
        throws
    {
        let database = try Database()
        let url = database.url
        let batches = (0..<6).map { batch in
            var generator = SeededGenerator(UInt64(batch))
            return (1...400).shuffled(using: &generator).enumerated().map { place, number in
                message(Int64(batch * 1000 + place), externalID: "chatcmpl-\(number)")
            }
        }
        // All of them begin before one of them can end.
        let writer = try Connection(url: url, applicationName: "writer", waitSeconds: 60)
        try writer.run(
            """
            BEGIN;
            INSERT INTO usage_record (message_id, external_id, "timestamp", message_text)
            VALUES (9999, 'chatcmpl-200', now(), 'x')
            """)
        let faults = Mutex<[String]>([])
        let done = DispatchGroup()
        for messages in batches {
            done.enter()
            Thread.detachNewThread {
                defer { done.leave() }
                let store = UsageStore(databaseURL: url, applicationName: "t", waitSeconds: 20)
                defer { store.release() }
                do {
                    _ = try store.record(messages)
                } catch {
                    faults.withLock { $0.append("\(error)") }
                }
            }
        }
        let waiting = try eventually {
            try database.value(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'
                    AND application_name = 't'
                """) == "6"
        }
        #expect(waiting)
        try writer.run("ROLLBACK")
        done.wait()
        #expect(faults.withLock { $0 } == [])
        #expect(try database.value("SELECT count(*) FROM usage_record") == "400")
    }
}
