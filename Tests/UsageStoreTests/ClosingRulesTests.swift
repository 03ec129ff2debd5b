import Postgres
import TestSupport
import Testing
import Usage
@testable import UsageStore

/// What the database refuses once a line is in force, whoever writes.
@Suite(.timeLimit(.minutes(2))) struct `Closed records` {
    private let database: Database

    /// Message 1 is closed, with an external id, and deleted; message 2 is closed and still there;
    /// message 3 is open.
    init() throws {
        database = try Database()
        try database.run(
            """
            INSERT INTO usage_record (message_id, external_id, "timestamp", message_text) VALUES
                (2, 'e-2', '2024-12-31T23:59:59.999999Z', 'x'), (3, 'e-3', '2025-01-01Z', 'x');
            INSERT INTO usage_closing (closed_before, directory) VALUES ('2025-01-01Z', '/archive');
            INSERT INTO usage_closed_id
            VALUES (1, substr(sha256(convert_to('e-1', 'UTF8')), 1, 16)), (9007199254740993, NULL)
            """)
    }

    private func refused(_ script: String) throws -> Bool {
        do {
            try database.run(script)
            return false
        } catch let error as PostgresError {
            #expect(error.constraint == "usage_record_closed", "\(error)")
            #expect(error.message == "records before 2025-01-01T00:00:00Z are closed")
            return true
        }
    }

    private func insert(_ id: Int, _ time: String, _ externalID: String? = nil) -> String {
        let external = externalID.map { "'\($0)'" } ?? "NULL"
        return """
            INSERT INTO usage_record
                (message_id, external_id, "timestamp", message_text, credit_hundredths)
            VALUES (\(id), \(external), '\(time)', 'x', 100)
            """
    }

    @Test func `cannot be recorded, changed or deleted by plain SQL, also as a replica`() throws {
        for role in ["origin", "replica"] {
            try database.run("SET session_replication_role = \(role)")
            for script in [
                insert(10, "2024-12-31T23:59:59.999999Z"), insert(1, "2025-06-01Z"),
                insert(10, "2025-06-01Z", "e-1"),
                "UPDATE usage_record SET report_name = 'r' WHERE message_id = 2",
                "UPDATE usage_record SET report_name = 'r'",
                "UPDATE usage_record SET \"timestamp\" = '2024-06-01Z' WHERE message_id = 3",
                "UPDATE usage_record SET \"timestamp\" = '2025-06-01Z' WHERE message_id = 2",
                insert(3, "2025-06-01Z")
                    + " ON CONFLICT (message_id) DO UPDATE SET \"timestamp\" = '2024-06-01Z'",
                "UPDATE usage_record SET message_id = 1 WHERE message_id = 3",
                "UPDATE usage_record SET external_id = 'e-1' WHERE message_id = 3",
                "DELETE FROM usage_record WHERE message_id = 2", "DELETE FROM usage_record",
            ] {
                #expect(try refused(script), "\(script)")
            }
            for script in [
                "BEGIN; \(insert(10, "2025-01-01T00:00:00Z", "e-10"))",
                "UPDATE usage_record SET external_id = 'e-11', message_id = 11 WHERE message_id = 10",
                "DELETE FROM usage_record WHERE message_id IN (3, 11); ROLLBACK",
            ] {
                #expect(try !refused(script), "\(script)")
            }
        }
        #expect(try database.psql("SELECT count(*), count(report_name) FROM usage_record") == "2|0")
    }

    @Test func `can be changed and deleted with orbital.closing, but not recorded or moved`() throws
    {
        try database.run("SET orbital.closing = on")
        #expect(try refused(insert(10, "2024-06-01Z")))
        #expect(try refused(insert(1, "2025-06-01Z")))
        #expect(
            try refused(
                "UPDATE usage_record SET \"timestamp\" = '2024-06-01Z' WHERE message_id = 3"))
        for change in ["\"timestamp\" = '2025-06-01Z'", "message_id = 4"] {
            #expect(
                try refused("UPDATE usage_record SET \(change) WHERE message_id = 2"), "\(change)")
        }
        #expect(
            try refused(
                """
                UPDATE usage_record SET message_id = message_id + 10, "timestamp" = '2025-06-01Z'
                WHERE message_id = 2
                """))
        #expect(try !refused("UPDATE usage_record SET message_text = NULL WHERE message_id = 2"))
        #expect(try !refused("DELETE FROM usage_record WHERE message_id = 2"))
    }

    @Test func `are refused from a transaction with an older snapshot, which must be retried`()
        throws
    {
        let database = try Database()
        // More writers than counters.
        let writers = try (0..<17).map { _ in
            try Connection(url: database.url, applicationName: "writer", waitSeconds: 20)
        }
        for writer in writers {
            try writer.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT usage_revision()")
        }
        try database.run(
            "INSERT INTO usage_closing (closed_before, directory) VALUES ('2025-01-01Z', '/archive')"
        )
        for (number, writer) in writers.enumerated() {
            let error = #expect(throws: PostgresError.self) {
                try writer.run(insert(number, "2024-06-01Z"))
            }
            #expect(error?.state == "40001")
        }
        #expect(try database.value("SELECT count(*) FROM usage_record") == "0")
    }

    @Test func `raise all counters of the revision at the line, and when their ids are entered`()
        throws
    {
        let database = try Database()
        let store = database.store()
        func counters() throws -> [Int] {
            let rows = try database.connection.query(
                "SELECT changes FROM usage_revision ORDER BY shard")
            return (0..<rows.count).compactMap { rows[$0, 0].flatMap(Int.init) }
        }
        let before = try counters()
        let line = try #require(Timestamp("2025-01-01T00:00:00Z"))
        let closing = try store.beginClosing(before: line, directory: "/archive", waits: {})
        let atLine = try counters()
        try store.closeSums(of: closing) { _ in }
        try store.archive(
            closing,
            as: .init(records: 0, credits: "0.00", sha256: String(repeating: "0", count: 64)))
        #expect(try counters() == atLine)
        try store.closeIDs(of: closing, progress: { _ in }, waits: {})
        store.release()
        #expect(before.count == 16)
        #expect(atLine == before.map { $0 + 1 })
        #expect(try counters() == before.map { $0 + 2 })
    }

    private func message(
        _ id: Int64?, _ externalID: String? = nil, _ time: String? = nil, user: String? = nil
    ) -> UsageRecord {
        var message = UsageRecord()
        message.messageID = id
        message.externalID = externalID
        message.timestamp = time.flatMap { Timestamp($0) }
        message.attribution.userID = user
        message.text = "x"
        return message
    }

    private func outcomes(_ messages: [UsageRecord]) throws -> [String] {
        let store = database.store()
        defer { store.release() }
        return try store.record(messages).map { outcome in
            switch outcome {
            case .created: "created"
            case .duplicate: "duplicate"
            case .refused(let refusal): refusal.rawValue
            default: "other"
            }
        }
    }

    @Test func `are refused by either id with any time or none, and the rest is recorded`() throws {
        let messages = [
            message(1), message(1, nil, "2025-06-01T00:00:00Z"), message(2),
            message(nil, "e-1"), message(50, "e-1"), message(nil, "e-2"),
            message(60, nil, "2024-12-31T23:59:59Z"),
            message(2, nil, "2024-12-31T23:59:59.999999Z"),
            message(3, nil, "2024-06-01T00:00:00Z"), message(nil, "e-9", "2024-06-01T00:00:00Z"),
            message(3), message(70, nil, "2025-01-01T00:00:00Z"), message(nil, "e-4"),
        ]
        let expected = [
            "closed_message_id", "closed_message_id", "closed_message_id",
            "closed_external_id", "closed_external_id", "closed_external_id",
            "closed", "closed", "closed", "closed", "duplicate", "created", "created",
        ]
        for (message, expected) in zip(messages, expected).prefix(11) {
            #expect(try outcomes([message]) == [expected], "\(message)")
        }
        #expect(try outcomes(messages) == expected)
        #expect(
            try database.value("SELECT sum(credit_hundredths) FROM usage_record") == "400",
            "message 2 and 3 and the two new ones")
    }

    @Test func `create no attribution, which would bring an erased user back`() throws {
        #expect(
            try outcomes([message(1, user: "erased?"), message(80, user: "new")])
                == ["closed_message_id", "created"])
        #expect(try outcomes([message(1, user: "erased?")]) == ["closed_message_id"])
        #expect(
            try database.value("SELECT string_agg(user_id, ',') FROM usage_attribution") == "new")
    }

    @Test func `have ids that the database does not choose again`() throws {
        try database.run(
            """
            INSERT INTO usage_closed_id SELECT n FROM generate_series(4, 2000) AS n;
            SELECT setval('usage_record_message_id_seq', 1998)
            """)
        #expect(try outcomes([message(nil)]) == ["created"])
        try database.run("SELECT setval('usage_record_message_id_seq', 1500)")
        #expect(try outcomes([message(nil), message(nil)]) == ["created", "created"])
        #expect(
            try database.value(
                "SELECT min(message_id) > 2000 FROM usage_record WHERE message_id > 3")
                == "t")
    }

    @Test func `are in no list, no total, no export and no receipt`() throws {
        let store = database.store()
        defer { store.release() }
        let snapshot = try store.snapshot()
        #expect(snapshot.closedBefore == Timestamp("2025-01-01T00:00:00Z"))
        var listed: [Int64?] = []
        let rows = try snapshot.records(UsageFilter(), sort: .standard)
        while try rows.next() { listed.append(rows.record.messageID) }
        let page = try snapshot.records(UsageFilter(), sort: .standard, limit: 5)
        while try page.next() { listed.append(page.record.messageID) }
        try snapshot.forEachMessage { listed.append($0.messageID) }
        #expect(listed == [3, 3, 3])
        #expect(try snapshot.totals(UsageFilter()).records == 1)
        #expect(try snapshot.record(2) == nil)
        #expect(try snapshot.record(3) != nil)
        #expect(try [1, 2, 3, 4].map { try snapshot.isClosed($0) } == [true, true, false, false])
        var closing: [Int64?] = []
        try snapshot.forEachMessage(isClosing: true) { closing.append($0.messageID) }
        #expect(closing == [2])
    }

    @Test func `keep their prices: no rate begins before the line, and none is replaced`() throws {
        try database.run("SET orbital.closing = on; DELETE FROM usage_record")
        for script in [
            insertRates("('2024-06-01Z', 'characters', 1, 1)"),
            "UPDATE credit_rate SET minimum_hundredths = 1",
        ] {
            let error = #expect(throws: PostgresError.self) { try database.run(script) }
            #expect(error?.state == "23001", "\(String(describing: error))")
        }
        try database.run(
            "\(insertRates("('2025-01-01Z', 'characters', 1, 1)"))")
    }
}
