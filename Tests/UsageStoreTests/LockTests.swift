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
}
