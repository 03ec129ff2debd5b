import Postgres
import Usage

extension Snapshot {
    /// The open corrections of a record within the bounds, in the order of time.
    func corrections(of messageID: Int64) throws -> [UsageRecord] {
        var list = SelectList()
        let record = list.add([.messageID, .timestamp, .reason, .creditsUsed])
        var bindings = Bindings()
        let conditions =
            ["corrects = \(bindings.bind(messageID))"] + open.conditions(&bindings)
        let reader = try QueryReader(
            connection, "corrections",
            """
            SELECT \(list.sql) FROM usage_record \(whereClause(conditions))
            ORDER BY "timestamp", message_id
            """, bindings.values)
        var corrections: [UsageRecord] = []
        while try reader.next() { corrections.append(reader[record]) }
        return corrections
    }

    /// Calls `body` with each record whose corrections exceed its credits, as a sentence.
    public func forEachCorrectionFault(_ body: (String) -> Void) throws {
        let rows = try reportingUnavailability {
            try connection.query(
                """
                SELECT format('message %s: its corrections exceed its credits by %s hundredths',
                    message_id, -usage_credits_left(record))
                FROM usage_record AS record
                WHERE message_id IN (SELECT corrects FROM usage_record WHERE corrects IS NOT NULL)
                    AND usage_credits_left(record) < 0
                ORDER BY message_id
                """)
        }
        for row in 0..<rows.count { body(rows[row, 0] ?? "") }
    }
}
