import Postgres
import Threads
import Usage

/// The last steps of a closing: its ids, and its records.
extension UsageStore {
    /// The number of records in a transaction.
    private static let closingBatch = 10_000

    /// Enters all ids of the records before the line, then makes them known to all writers; calls
    /// `progress` with the number of records so far.
    public func closeIDs(
        of closing: Closing, progress: (Int) -> Void, waits: () -> Void
    ) throws {
        try reportingUnavailability {
            let connection = try connected()
            var last: (time: Timestamp, id: Int64)?
            var count = 0
            repeat {
                let isFirst = last == nil
                last = try enterIDs(closing.before, after: last, connection, &count)
                // If the table was analysed while it was empty, writers have prepared plans that read
                // all of it; new statistics make them plan again.
                if isFirst { try connection.run("ANALYZE usage_closed_id") }
                progress(count)
            } while last != nil
            try requireIDs(connection)
            // Writers whose snapshot does not have all ids get a serialization failure.
            try whileNobodyWrites(connection, waits) {
                _ = try QueryReader(
                    connection, "advance_ids", RecordingStatements.advance, ["0"])
                try connection.run("UPDATE usage_revision SET changes = changes + 1")
                try advance(closing, to: .closed, connection)
            }
        }
    }

    /// Enters the next ids in the order of time; returns the last one, nil if there were none.
    private func enterIDs(
        _ line: Timestamp, after last: (time: Timestamp, id: Int64)?, _ connection: Connection,
        _ count: inout Int
    ) throws -> (time: Timestamp, id: Int64)? {
        var bindings = Bindings()
        var conditions = ["\"timestamp\" < \(bindings.bind(line))"]
        if let last {
            let after = "\(bindings.bind(last.time)), \(bindings.bind(last.id))"
            conditions.append("(\"timestamp\", message_id) > (\(after))")
        }
        var list = SelectList()
        let time = list.add("\"timestamp\"", as: Timestamp.self)
        let id = list.add("message_id", as: Int64.self)
        let number = list.add("(SELECT count(*) FROM batch)", as: Int64.self)
        let row = try QueryReader(
            connection, "enter_ids",
            """
            WITH batch AS MATERIALIZED (
                SELECT "timestamp", message_id, external_id FROM usage_record
                \(whereClause(conditions)) ORDER BY "timestamp", message_id LIMIT \(Self.closingBatch)
            ), entered AS (
                INSERT INTO usage_closed_id (message_id, external_digest)
                SELECT message_id, \(ClosedRecords.digest(of: "external_id")) FROM batch
                ON CONFLICT DO NOTHING
            )
            SELECT \(list.sql) FROM batch ORDER BY "timestamp" DESC, message_id DESC LIMIT 1
            """, bindings.values)
        guard try row.next() else { return nil }
        count += Int(row[number])
        return (row[time], row[id])
    }

    /// Throws `AdministrationFault` unless all records of the archives have their ids entered: others
    /// could be recorded, and charged, again.
    private func requireIDs(_ connection: Connection) throws {
        let counts = try connection.query(
            """
            SELECT (SELECT count(*) FROM usage_closed_id), coalesce(sum(records), 0)
            FROM usage_closing
            """)
        let (ids, records) = (counts[0, 0] ?? "", counts[0, 1] ?? "")
        guard ids == records else {
            throw AdministrationFault(
                "usage_closed_id has \(ids) ids, but the archives have \(records) records: records or "
                    + "ids were removed by hand")
        }
    }

    /// The number of records, described by their ids, that `usage_closed_id` does not have.
    public func countOpen(_ records: [(messageID: Int64, externalID: String?)]) throws -> Int {
        try reportingUnavailability {
            var bindings = Bindings()
            let numbers = records.map { String($0.messageID) }.joined(separator: ",")
            let ids = bindings.bind("{\(numbers)}", as: "bigint[]")
            let externalIDs = bindings.bind(array: records.map { $0.externalID ?? "" })
            let count = try connected().query(
                """
                SELECT count(*)
                FROM unnest(\(ids), \(externalIDs)) AS item(message_id, external_id)
                WHERE NOT EXISTS (
                    SELECT FROM usage_closed_id AS closed WHERE closed.message_id = item.message_id
                        AND external_digest IS NOT DISTINCT FROM
                            \(ClosedRecords.digest(of: "nullif(item.external_id, '')")))
                """, bindings.values)
            return count[0, 0].flatMap(Int.init) ?? 0
        }
    }

    /// Deletes the records before the line, in short transactions; calls `progress` with their number so
    /// far.
    public func deleteRecords(of closing: Closing, progress: (Int) -> Void) throws {
        try reportingUnavailability {
            let connection = try connected()
            try requireIDs(connection)
            var from: Timestamp?
            var count = 0
            repeat {
                let began = ContinuousClock.now
                from = try connection.transaction {
                    try deleteBatch(closing.before, from: from, connection, &count)
                }
                progress(count)
                // For readers and writers.
                pause(for: ContinuousClock.now - began)
            } while from != nil
            let left = try connection.query(
                "SELECT FROM usage_record WHERE \"timestamp\" < $1::timestamptz LIMIT 1",
                [closing.before.description])
            guard left.count == 0 else {
                throw AdministrationFault("a record before the line is left; run it again")
            }
            try advance(closing, to: .done, connection)
        }
    }

    /// Deletes the next records whose ids are entered; returns the time of the last one, nil if there were
    /// none.
    ///
    /// From there on: index entries of deleted records would make each batch slower than the one before.
    private func deleteBatch(
        _ line: Timestamp, from: Timestamp?, _ connection: Connection, _ count: inout Int
    ) throws -> Timestamp? {
        var bindings = Bindings()
        var conditions = ["\"timestamp\" < \(bindings.bind(line))"]
        if let from { conditions.append("\"timestamp\" >= \(bindings.bind(from))") }
        var list = SelectList()
        let last = list.add("max(\"timestamp\")", as: Timestamp?.self)
        let number = list.add("count(*)", as: Int64.self)
        try connection.run("SET LOCAL orbital.closing = 'on'; SET LOCAL lock_timeout = 0")
        let row = try QueryReader(
            connection, "delete_closed",
            """
            WITH deleted AS (
                DELETE FROM usage_record WHERE message_id = ANY (ARRAY(
                    SELECT message_id FROM usage_record JOIN usage_closed_id USING (message_id)
                    \(whereClause(conditions)) ORDER BY "timestamp" LIMIT \(Self.closingBatch)))
                RETURNING "timestamp"
            )
            SELECT \(list.sql) FROM deleted
            """, bindings.values)
        guard try row.next() else { return nil }
        count += Int(row[number])
        return row[last]
    }

    private func advance(
        _ closing: Closing, to step: Closing.Step, _ connection: Connection
    ) throws {
        _ = try QueryReader(
            connection, "advance_closing",
            """
            UPDATE usage_closing SET status = $2::text,
                done_at = CASE WHEN $2::text = 'done' THEN now() END
            WHERE closed_before = $1::timestamptz
            """, [closing.before.description, step.rawValue])
    }
}
