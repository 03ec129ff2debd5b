import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing
import Usage
@testable import UsageStore

/// Transactions that have begun before a line is in force, or before the ids of its records are entered.
@Suite(.timeLimit(.minutes(2))) struct `Writers beside a closing` {
    private let database: Database
    private let line = Timestamp("2025-01-01T00:00:00Z")

    /// Message 2 is before the line, message 3 after it.
    init() throws {
        database = try Database()
        try database.run(
            """
            INSERT INTO usage_record (message_id, external_id, "timestamp", message_text) VALUES
                (2, 'e-2', '2024-06-01Z', 'x'), (3, 'e-3', '2025-06-01Z', 'x')
            """)
    }

    private func insert(_ id: Int, _ time: String) -> String {
        """
        INSERT INTO usage_record (message_id, "timestamp", message_text, credit_hundredths)
        VALUES (\(id), '\(time)', 'x', 100)
        """
    }

    /// What psql reports of `change` in a transaction whose first query was before the line.
    private func report(_ change: String, _ isolation: String) throws -> String {
        let closing =
            "INSERT INTO usage_closing (closed_before, directory) VALUES ('2025-01-01Z', '/archive')"
        let outcome = try Program.run(
            "/usr/bin/psql", ["-Xq", database.url],
            input: """
                \\set VERBOSITY sqlstate
                BEGIN ISOLATION LEVEL \(isolation);
                SELECT usage_revision();
                \\! /usr/bin/psql -Xq '\(database.url)' -c "\(closing)"
                \(change)
                COMMIT;
                DELETE FROM usage_closing;

                """)
        return outcome.errors.trimmingCharacters(in: .newlines)
    }

    @Test(arguments: ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
    func `are refused if their transaction is older than the line`(isolation: String) throws {
        let records = try database.psql("SELECT * FROM usage_record ORDER BY message_id")
        // In later snapshots, the line is visible; in older ones, the revision has changed.
        let state = isolation == "READ COMMITTED" ? "23001" : "40001"
        for change in [
            insert(9, "2024-06-01Z") + ";",
            """
            COPY usage_record (message_id, "timestamp", message_text, credit_hundredths) FROM STDIN;
            9\t2024-06-01Z\tx\t100
            \\.
            """,
            "UPDATE usage_record SET report_name = 'r' WHERE message_id = 2;",
            "UPDATE usage_record SET \"timestamp\" = '2024-06-01Z' WHERE message_id = 3;",
            "UPDATE usage_record SET \"timestamp\" = '2025-06-01Z' WHERE message_id = 2;",
            "DELETE FROM usage_record WHERE message_id = 2;",
        ] {
            #expect(try report(change, isolation) == "ERROR:  \(state)", "\(change)")
        }
        #expect(try database.psql("SELECT * FROM usage_record ORDER BY message_id") == records)
    }

    @Test(arguments: ["READ COMMITTED", "REPEATABLE READ"])
    func `hold the line up until they have committed, and their records are closed`(
        isolation: String
    ) throws {
        let writer = try Connection(url: database.url, applicationName: "writer", waitSeconds: 20)
        try writer.run("BEGIN ISOLATION LEVEL \(isolation); \(insert(9, "2024-06-01Z"))")
        let store = database.store()
        defer { store.release() }
        var waits = 0
        let closing = try store.beginClosing(before: try #require(line), directory: "/archive") {
            waits += 1
            #expect(throws: Never.self) { try writer.run("COMMIT") }
        }
        #expect(waits == 1)
        try store.closeSums(of: closing) { _ in }
        #expect(try store.closedSum(of: closing).records == 2)
    }

    @Test func `cannot record an id again that was entered after their snapshot`() throws {
        let store = database.store()
        defer { store.release() }
        let closing = try store.beginClosing(
            before: try #require(line), directory: "/archive", waits: {})
        let writers = try (0..<17).map { _ in
            try Connection(url: database.url, applicationName: "writer", waitSeconds: 20)
        }
        for writer in writers {
            try writer.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT usage_revision()")
        }
        try store.closeSums(of: closing) { _ in }
        try store.archive(
            closing,
            as: .init(records: 1, credits: "1.00", sha256: String(repeating: "0", count: 64)))
        try store.closeIDs(of: closing, progress: { _ in }, waits: {})
        try store.deleteRecords(of: closing) { _ in }
        for writer in writers {
            let error = #expect(throws: PostgresError.self) {
                try writer.run(insert(2, "2025-06-01Z"))
            }
            #expect(error?.state == "40001")
        }
        #expect(try database.psql("SELECT message_id FROM usage_record") == "3")
    }

    @Test func `keep a record whose id is not entered`() throws {
        let store = database.store()
        defer { store.release() }
        let closing = try store.beginClosing(
            before: try #require(line), directory: "/archive", waits: {})
        let fault = #expect(throws: AdministrationFault.self) {
            try store.deleteRecords(of: closing) { _ in }
        }
        #expect(fault?.description == "a record before the line is left; run it again")
        #expect(try database.value("SELECT count(*) FROM usage_record") == "2")
        #expect(try store.closings()[0].step == .begun)
    }

    @Test func `of the service get the result of the line for which they wait`() throws {
        let holder = try Connection(url: database.url, applicationName: "holder", waitSeconds: 20)
        try holder.run(
            """
            BEGIN; LOCK TABLE usage_record IN SHARE ROW EXCLUSIVE MODE;
            INSERT INTO usage_closing (closed_before, directory) VALUES ('2025-01-01Z', '/archive')
            """)
        var old = UsageRecord()
        old.messageID = 20
        old.timestamp = Timestamp("2024-06-01T00:00:00Z")
        old.text = "x"
        var new = old
        new.messageID = 21
        new.timestamp = nil
        let batches = [[old], [new], [old, new]]
        let results = Mutex<[Int: String]>([:])
        let url = database.url
        let threads = DispatchGroup()
        for (number, batch) in batches.enumerated() {
            threads.enter()
            Thread.detachNewThread {
                let store = UsageStore(databaseURL: url, applicationName: "sender", waitSeconds: 20)
                var result = Result { try store.record(batch) }
                // A lock is waited for two seconds.
                while case .failure(is DatabaseUnavailable) = result {
                    result = Result { try store.record(batch) }
                }
                results.withLock { $0[number] = "\(result.map { $0.map(name) })" }
                store.release()
                threads.leave()
            }
        }
        let areWaiting = try eventually {
            try database.value(
                """
                SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                    AND application_name = 'sender' AND wait_event_type = 'Lock'
                """) == "3"
        }
        #expect(areWaiting)
        try holder.run("COMMIT")
        threads.wait()
        let found = results.withLock { $0 }
        #expect(found[0] == #"success(["closed"])"#)
        let created = [found[1], found[2]].map { $0 ?? "" }.sorted()
        #expect(
            created == [#"success(["closed", "duplicate"])"#, #"success(["created"])"#]
                || created == [#"success(["closed", "created"])"#, #"success(["duplicate"])"#],
            "\(created)")
    }
}

private func name(_ outcome: RecordingOutcome) -> String {
    switch outcome {
    case .created: "created"
    case .duplicate: "duplicate"
    case .refused(let refusal): refusal.rawValue
    default: "other"
    }
}
