import Postgres
import Usage

/// Staged corrections: they are inserted after the messages of the same file, which they may correct.
extension RecordingStatements {
    /// Inserts the staged records, and returns their number.
    func insertStaged(
        _ connection: Connection, storesTexts: Bool, hasCorrections: Bool
    ) throws -> Int {
        let statement = insert(storesTexts: storesTexts)
        guard hasCorrections else { return try connection.query(statement).changedCount }
        try connection.run(Self.deferCorrections)
        let messages = try connection.query(statement).changedCount
        try connection.run(Self.lockOriginals)
        try connection.run(Self.refuseCorrections)
        return messages + (try connection.query(statement).changedCount)
    }

    /// Sets the corrections apart, so that only messages are inserted.
    private static let deferCorrections = """
        SET LOCAL orbital.importing = on;
        INSERT INTO refused_correction (item_number, refusal)
        SELECT item_number, 'deferred' FROM staged_message WHERE corrects IS NOT NULL
        """

    /// Locks the records that are corrected, in the order in which `orbitalctl correct` does.
    private static let lockOriginals = """
        DELETE FROM refused_correction;
        SELECT count(*) FROM (
            SELECT FROM usage_record
            WHERE message_id IN (SELECT corrects FROM staged_message WHERE corrects IS NOT NULL)
            ORDER BY message_id FOR NO KEY UPDATE
        ) AS locked
        """

    /// Lists the corrections that break a rule, with the reason.
    ///
    /// Those of one record are accepted in the order of the file, as long as credits are left.
    private static let refuseCorrections = """
        WITH added AS (
            SELECT DISTINCT ON (message_id) * FROM staged_message AS item
            WHERE corrects IS NOT NULL
                AND NOT EXISTS (SELECT FROM usage_record WHERE message_id = item.message_id)
                AND NOT EXISTS (SELECT FROM usage_record WHERE external_id = item.external_id)
            ORDER BY message_id, item_number
        ), checked AS (
            SELECT item_number, added.corrects, added.credit_hundredths,
                usage_credits_left(original) AS hundredths, CASE
                WHEN EXISTS (SELECT FROM usage_closed_id WHERE message_id = added.corrects)
                THEN 'closed_original'
                WHEN original.corrects IS NOT NULL OR added."timestamp" < original."timestamp"
                    OR EXISTS (SELECT FROM usage_record AS other WHERE other.corrects = added.message_id)
                    OR original.message_id IS NULL AND EXISTS (
                        SELECT FROM staged_message AS item WHERE item.message_id = added.corrects)
                THEN 'wrong_correction' END AS refusal
            FROM added LEFT JOIN usage_record AS original ON original.message_id = added.corrects
        ), summed AS (
            SELECT item_number, hundredths, sum(credit_hundredths) OVER (
                PARTITION BY corrects ORDER BY item_number) AS total
            FROM checked WHERE refusal IS NULL
        )
        INSERT INTO refused_correction (item_number, refusal)
        SELECT item_number, refusal FROM checked WHERE refusal IS NOT NULL
        UNION ALL
        SELECT item_number, 'wrong_correction' FROM summed WHERE hundredths + total < 0
        """

    /// Why the correction `item` is refused; NULL if it is not, or is none.
    static let refusedCorrection = """
        CASE WHEN item.corrects IS NOT NULL
            THEN (SELECT refusal FROM refused_correction AS refused
                  WHERE refused.item_number = item.item_number) END
        """
}
