import Postgres
public import Usage

/// The result of correcting many records.
public struct CorrectedRecords: Equatable, Sendable {
    /// The number of records that were corrected; in a dry run, that would be.
    public var count = 0
    /// The hundredths of credits that were taken back.
    var hundredths: Int128 = 0
    /// Matching records of which nothing was left.
    public var skipped = 0

    /// The credits that were taken back.
    public var credits: String { Credits.text(hundredths: hundredths) }
}

extension UsageStore {
    /// The number of records in a transaction, which locks each of them until its end.
    private static let correctionBatchLimit: Int64 = 500

    /// Takes back all that is left of the records that match `filter`, in short transactions, in the
    /// order of ids; corrections and closed records are left out.
    ///
    /// Calls `progress` with the number of records so far. A dry run changes nothing. May be repeated:
    /// nothing is taken back twice.
    public func correctAll(
        _ filter: UsageFilter, reason: String, isAtOriginalTime: Bool, isDryRun: Bool,
        progress: (Int) -> Void
    ) throws -> CorrectedRecords {
        try reportingUnavailability {
            let connection = try connected()
            var messages = UsageFilter()
            messages.isCorrection = false
            let all = filter.and(messages)
            var total = CorrectedRecords()
            var last = Int64.min
            while true {
                var bindings = Bindings()
                let conditions =
                    all.conditions(&bindings) + [
                        "message_id > \(bindings.bind(last))",
                        "\"timestamp\" >= coalesce(\(ClosedRecords.line), '-infinity')",
                    ]
                let statement = Self.batch(
                    conditions, reason, isAtOriginalTime, isDryRun: isDryRun, &bindings)
                let rows = try batch(statement, bindings, connection)
                guard let next = rows.last?.messageID else { return total }
                last = next
                for row in rows {
                    total.count += row.hundredths > 0 ? 1 : 0
                    total.skipped += row.hundredths > 0 ? 0 : 1
                    total.hundredths += Int128(row.hundredths)
                }
                progress(total.count + total.skipped)
            }
        }
    }

    /// The statement that corrects the next records, or shows what is left of them.
    private static func batch(
        _ conditions: [String], _ reason: String, _ isAtOriginalTime: Bool, isDryRun: Bool,
        _ bindings: inout Bindings
    ) -> String {
        let records = """
            SELECT record FROM usage_record AS record \(whereClause(conditions))
            ORDER BY message_id LIMIT \(bindings.bind(correctionBatchLimit))
            """
        let amount =
            isDryRun
            ? "SELECT usage_credits_left(record) AS hundredths"
            : """
            SELECT CASE WHEN status = 'created' THEN hundredths ELSE 0 END AS hundredths
            FROM correct_usage_record((record).message_id, \(bindings.bind(reason, as: "text")),
                at_its_time => \(isAtOriginalTime))
            """
        return """
            WITH item AS MATERIALIZED (\(records))
            SELECT (record).message_id, hundredths::bigint FROM item, LATERAL (\(amount)) AS done
            ORDER BY 1
            """
    }

    private func batch(
        _ statement: String, _ bindings: Bindings, _ connection: Connection
    ) throws -> [(messageID: Int64, hundredths: Int64)] {
        for _ in 1...RecordingBatch.attemptLimit {
            do {
                let reader = try QueryReader(
                    connection, "correct_all", statement, bindings.values)
                var rows: [(messageID: Int64, hundredths: Int64)] = []
                while try reader.next() { rows.append((reader.integer(0), reader.integer(1))) }
                return rows
            } catch let error as PostgresError
                where error.isRetriable || ClosedRecords.refused(error)
            {}
        }
        throw DatabaseUnavailable(
            description: "a batch of corrections conflicted with other writers on every attempt")
    }
}
