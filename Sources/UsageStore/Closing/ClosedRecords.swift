import Postgres
import Usage

/// What is closed, as SQL.
enum ClosedRecords {
    /// The first instant that is open; NULL if nothing is closed.
    static let line = "(SELECT max(closed_before) FROM usage_closing)"

    /// Why a message, a row `item` handled at `time`, is closed: a `MessageRefusal`; NULL if it is open.
    ///
    /// LIMIT makes each look-up use its index, however small the table was when it was planned.
    static func refusal(time: String) -> String {
        """
        CASE WHEN \(time) < \(line) THEN 'closed'
            WHEN EXISTS (SELECT FROM usage_closing) THEN CASE
                WHEN (SELECT true FROM usage_closed_id AS closed
                      WHERE closed.message_id = item.message_id LIMIT 1) THEN 'closed_message_id'
                WHEN item.external_id IS NOT NULL
                    AND (SELECT true FROM usage_closed_id AS closed
                         WHERE closed.external_digest = \(digest(of: "item.external_id")) LIMIT 1)
                THEN 'closed_external_id' END END
        """
    }

    /// The same for a message with an id of the record `recorded`, whose ids may not be entered yet.
    static func refusal(recorded: String) -> String {
        """
        coalesce(\(refusal(time: "item.\"timestamp\"")), CASE WHEN \(recorded)."timestamp" < \(line)
            THEN CASE WHEN \(recorded).message_id = item.message_id
                THEN 'closed_message_id' ELSE 'closed_external_id' END END)
        """
    }

    /// Whether the database refused a record because it is closed; a batch leaves such messages out, so the
    /// id is one that the database chose.
    static func refused(_ error: PostgresError) -> Bool {
        error.constraint == "usage_record_closed"
    }

    /// What is stored of an external id.
    static func digest(of externalID: String) -> String {
        "substr(sha256(convert_to(\(externalID), 'UTF8')), 1, 16)"
    }
}
