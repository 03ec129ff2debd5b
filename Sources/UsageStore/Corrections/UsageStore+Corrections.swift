import Postgres
public import Usage

/// The result of correcting a record.
public enum CorrectionOutcome: Equatable, Sendable {
    /// It is now corrected, durably, by this record.
    case created(UsageRecord)
    /// It was already corrected, by this record.
    case duplicate(UsageRecord)
    /// Another record has the external id.
    case conflict
    /// There is no such record.
    case unknown
    /// The record is closed.
    case closed
    /// A closed record has the external id.
    case closedExternalID
    /// It is a correction itself.
    case ofCorrection
    /// Only these credits are left.
    case exceeded(left: Credits)
    /// It is dated before 2000, where no record may be dated any more.
    case outOfRange
}

extension UsageStore {
    /// Takes back credits of the record `messageID`, if it is within `bounds`.
    ///
    /// When this returns, the correction is committed and durable. If it throws, it may have been
    /// recorded: retry the same call to find out.
    public func correct(
        _ messageID: Int64, _ correction: Correction, within bounds: UsageFilter = UsageFilter()
    ) throws -> CorrectionOutcome {
        try reportingUnavailability {
            // Like recording, it continues if the client disconnects.
            let connection = try connected(isWatching: false)
            guard try isVisible(messageID, bounds, connection) else { return .unknown }
            for _ in 1...RecordingBatch.attemptLimit {
                do {
                    return try attempt(messageID, correction, bounds, connection)
                } catch let error as PostgresError
                    where error.isRetriable || error.state == PostgresError.uniqueViolation
                    || ClosedRecords.refused(error)
                {}
            }
            throw DatabaseUnavailable(
                description: "a correction conflicted with other writers on every attempt")
        }
    }

    /// Whether a record is within `bounds`, or is closed or does not exist and there are none.
    private func isVisible(
        _ messageID: Int64, _ bounds: UsageFilter, _ connection: Connection
    ) throws -> Bool {
        var bindings = Bindings()
        let isBound = bounds.conditions(&bindings)
        guard !isBound.isEmpty else { return true }
        let named = "message_id = \(bindings.bind(messageID))"
        let reader = try QueryReader(
            connection, "is_visible",
            "SELECT 1::bigint FROM usage_record \(whereClause(isBound + [named]))", bindings.values,
            isStreamed: false)
        return reader.count == 1
    }

    private func attempt(
        _ messageID: Int64, _ correction: Correction, _ bounds: UsageFilter,
        _ connection: Connection
    ) throws -> CorrectionOutcome {
        let row = try connection.query(
            """
            SELECT status, correction, coalesce(greatest(credits_left, 0), 0)::bigint
            FROM correct_usage_record($1::bigint, $2::text, $3::bigint, $4::text, $5::boolean)
            """,
            [
                String(messageID), correction.reason,
                correction.credits.map { String($0.hundredths) }, correction.externalID,
                String(correction.isAtOriginalTime),
            ])
        switch row[0, 0] {
        case "created", "duplicate":
            // Somebody else's, if an import has brought it before its record.
            guard let record = try record(row[0, 1], bounds, connection) else { return .conflict }
            return row[0, 0] == "created" ? .created(record) : .duplicate(record)
        case "conflict": return .conflict
        case "closed": return .closed
        case "closed_external_id": return .closedExternalID
        case "correction": return .ofCorrection
        case "exceeded":
            return .exceeded(left: Credits(hundredths: row[0, 2].flatMap(Int64.init) ?? 0))
        case "out_of_range": return .outOfRange
        default: return .unknown
        }
    }

    /// A record; nil if it is not within the bounds.
    private func record(
        _ messageID: String?, _ bounds: UsageFilter, _ connection: Connection
    ) throws -> UsageRecord? {
        var bindings = Bindings()
        let named = "message_id = \(bindings.bind(messageID ?? "", as: "bigint"))"
        let conditions = [named] + bounds.conditions(&bindings)
        var list = SelectList()
        let columns = UsageRecord.Column.shown
        let record = list.add(stored: columns)
        let reader = try QueryReader(
            connection, "correction",
            "SELECT \(list.sql) FROM \(columns.source()) \(whereClause(conditions))",
            bindings.values)
        return try reader.next() ? reader[record] : nil
    }
}
