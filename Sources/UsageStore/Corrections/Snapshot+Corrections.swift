import Postgres
import Usage

extension Snapshot {
    /// The open corrections of a record, in the order of time.
    func corrections(of messageID: Int64) throws -> [UsageRecord] {
        var list = SelectList()
        let record = list.add([.messageID, .timestamp, .reason, .creditsUsed])
        let reader = try QueryReader(
            connection, "corrections",
            """
            SELECT \(list.sql) FROM usage_record WHERE corrects = $1::bigint
            ORDER BY "timestamp", message_id
            """, [String(messageID)])
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

extension RecordingStatements {
    /// Lists the originals whose staged corrections are refused, with the reason, before they are
    /// inserted; the triggers refuse what other writers change meanwhile.
    static let refuseCorrections = """
        WITH added AS (
            SELECT DISTINCT ON (message_id) * FROM staged_message AS item
            WHERE corrects IS NOT NULL
                AND NOT EXISTS (SELECT FROM usage_record WHERE message_id = item.message_id)
            ORDER BY message_id, item_number
        ), total AS (
            SELECT corrects AS message_id, sum(credit_hundredths) AS hundredths,
                min("timestamp") AS first
            FROM added GROUP BY 1
        ), original AS (
            SELECT message_id, corrects, "timestamp", usage_credits_left(record) AS hundredths
            FROM usage_record AS record WHERE message_id IN (SELECT message_id FROM total)
            UNION ALL
            SELECT DISTINCT ON (message_id) message_id, corrects, "timestamp", credit_hundredths
            FROM staged_message AS item WHERE message_id IN (SELECT message_id FROM total)
                AND NOT EXISTS (SELECT FROM usage_record WHERE message_id = item.message_id)
        )
        INSERT INTO refused_correction (message_id, refusal)
        SELECT message_id, refusal
        FROM (
            SELECT total.message_id, CASE
                WHEN EXISTS (SELECT FROM usage_closed_id WHERE message_id = total.message_id)
                THEN 'closed_original'
                WHEN original.corrects IS NOT NULL OR first < original."timestamp"
                    OR total.hundredths + original.hundredths < 0
                THEN 'wrong_correction' END AS refusal
            FROM total LEFT JOIN original USING (message_id)
        ) AS found
        WHERE refusal IS NOT NULL
        """

    /// Why the correction `item` is refused; NULL if it is not, or is none.
    static let refusedCorrection = """
        CASE WHEN item.corrects IS NOT NULL
            THEN (SELECT refusal FROM refused_correction WHERE message_id = item.corrects) END
        """
}
