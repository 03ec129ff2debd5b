import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing
import Usage
import UsageStore

extension UsageStore {
    func allRecords() throws -> UsageRows {
        try snapshot().records(UsageFilter(), sort: .standard)
    }
}

@Suite(.timeLimit(.minutes(2))) struct `A usage store` {
    private func terminateOthers(_ database: Database) throws {
        try database.run(
            """
            SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
            """)
    }

    @Test func `reads records in order of time, then id`() throws {
        let database = try Database()
        try database.run(
            """
            INSERT INTO usage_record (message_id, "timestamp", report_name, message_text) VALUES
            (3, '2024-01-15T14:30:00Z', NULL, 'x'), (1, '2024-01-15T14:30:00Z', 'r', 'x'),
            (2, '2024-01-15T14:29:59.999999Z', NULL, repeat('x', 50))
            """)
        let rows = try database.store().allRecords()
        var read: [String] = []
        while try rows.next() {
            let record = rows.record
            let name = record.reportName == nil ? "-" : "name"
            let columns: [UsageRecord.Column] = [.messageID, .timestamp, .creditsUsed]
            let values = columns.map { record.value(in: $0) ?? "" }
            read.append("\(values[0]) \(values[1]) \(name) \(values[2])")
        }
        #expect(
            read == [
                "2 2024-01-15T14:29:59.999999Z - 5.00", "1 2024-01-15T14:30:00Z name 1.00",
                "3 2024-01-15T14:30:00Z - 1.00",
            ])
    }

    @Test func `opens another connection when the server ended the last one`() throws {
        let database = try Database()
        let store = database.store()
        for _ in 1...3 {
            #expect(try store.creditRates().count == 1)
            try terminateOthers(database)
        }
        #expect(store.healthChecks().allSatisfy { $0.fault == nil })
    }

    @Test func `is healthy for many monitors that ask at once after a quiet time`() throws {
        let url = try Database().url
        let shared = SharedState(admission: Admission(workers: 4, reserved: 2))
        let faults = Mutex<[String]>([])
        // Threads of their own: concurrentPerform has as many as there are processors.
        let finished = DispatchSemaphore(value: 0)
        for _ in 1...16 {
            Thread.detachNewThread {
                defer { finished.signal() }
                let store = UsageStore(
                    databaseURL: url, applicationName: "test", waitSeconds: 30, shared: shared)
                defer { store.release() }
                let found = store.healthChecks().compactMap(\.cause)
                faults.withLock { $0 += found }
            }
        }
        for _ in 1...16 { finished.wait() }
        #expect(faults.withLock { $0 } == [])
    }

    @Test func `ends the query that it was released from`() throws {
        let database = try Database()
        try database.addRecords(200_000)
        let store = database.store()
        var rows: UsageRows? = try store.allRecords()
        #expect(try rows?.next() == true)
        rows = nil
        store.release()
        #expect(
            try eventually(seconds: 2) {
                try database.value(
                    """
                    SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'
                    """) == "0"
            })
        #expect(try store.creditRates().first?.recordCount == 200_000)
    }

    @Test func `calls a missing database unavailable, and a missing table too`() throws {
        let away = UsageStore(
            databaseURL: Cluster.shared.url("nowhere"), applicationName: "t", waitSeconds: 5)
        #expect(throws: DatabaseUnavailable.self) { try away.revision() }
        #expect(away.healthChecks().map(\.fault) == ["The database is unavailable."])
        #expect(throws: DatabaseUnavailable.self) {
            try Database(isMigrated: false).store().revision()
        }
    }

    @Test func `records at a rate by characters what comes with messages that cannot be counted`()
        throws
    {
        let database = try Database()
        try database.run(
            """
            \(insertRates("('2022-01-01Z', 'o200k_base', 1000, 1)"))
            """)
        let shared = SharedState(tokenizers: Tokenizers(directory: "/nonexistent"))
        let url = database.url
        let outcomes = Mutex<[String: Int]>([:])
        let threads = DispatchGroup()
        for worker in 0..<8 {
            threads.enter()
            Thread.detachNewThread {
                defer { threads.leave() }
                let store = UsageStore(
                    databaseURL: url, applicationName: "t", waitSeconds: 20, shared: shared)
                let year = worker % 2 == 0 ? 2019 : 2022
                for _ in 1...25 {
                    let outcome = outcome(of: "\(year)-06-01T00:00:00Z", store)
                    outcomes.withLock { $0["\(year) \(outcome)", default: 0] += 1 }
                }
            }
        }
        threads.wait()
        #expect(outcomes.withLock { $0 } == ["2019 created": 100, "2022 not counted": 100])
    }

    /// The outcome for a message of that time, as text.
    private func outcome(of time: String, _ store: UsageStore) -> String {
        var message = UsageRecord()
        message.timestamp = Timestamp(time)
        message.text = "hello world"
        do {
            if case .created = try store.record([message])[0] { return "created" }
            return "refused"
        } catch is TokenizerUnavailable {
            return "not counted"
        } catch {
            return "\(error)"
        }
    }

    @Test func `reads the list of time zones once for all workers`() throws {
        let shared = SharedState()
        let database = try Database()
        let first = UsageStore(
            databaseURL: database.url, applicationName: "t", waitSeconds: 9, shared: shared)
        #expect(try first.isZone("Europe/London"))
        // This one could not ask.
        let away = UsageStore(
            databaseURL: "host=/nowhere", applicationName: "t", waitSeconds: 1, shared: shared)
        #expect(try away.isZone("Asia/Kathmandu"))
        #expect(try !away.isZone("Mars/Base"))
    }
}
