import Postgres
import Tokenizer
public import Usage

/// The result of a recount.
public struct Recounted: Sendable {
    /// The number of counted records.
    public var count = 0
    /// Their credits as estimates.
    public var before = Credits(hundredths: 0)
    /// Their credits by exact counts.
    public var after = Credits(hundredths: 0)
    /// Estimates that were skipped, because other transactions were changing them.
    public var skipped = 0
    /// Estimates without a stored text, which cannot be counted.
    public var withoutText = 0
    /// Corrected estimates, whose credits must not change any more.
    public var corrected = 0
}

extension UsageStore {
    private static let recountBatchLimit = 1000

    private static let measure = MeasureColumns.stored(tokens: "counted.tokens")

    /// The estimates: priced by the text at a rate with an exact tokenizer, without a token count.
    private static let allEstimates = """
        usage_record AS record JOIN credit_rate AS rate USING (credit_rate_id)
        WHERE record.token_count IS NULL AND rate.tokenizer <> 'characters'
            AND NOT (\(measure.isReported))
            AND record."timestamp" >= coalesce(\(ClosedRecords.line), '-infinity')
        """

    private static let isCorrected =
        "EXISTS (SELECT FROM usage_record AS other WHERE other.corrects = record.message_id)"

    /// The estimates that can be counted.
    private static let estimates =
        "\(allEstimates) AND record.message_text IS NOT NULL AND NOT \(isCorrected)"

    /// Counts the tokens of estimates and prices them again, a thousand per transaction.
    ///
    /// Calls `progress` with the number counted so far. A dry run changes nothing. Estimates that
    /// are recorded in the meantime are left for the next run.
    public func recount(
        _ tokenizers: Tokenizers, isDryRun: Bool, progress: (Int) -> Void
    ) throws -> Recounted {
        try reportingUnavailability {
            let connection = try connected()
            let newest = try connection.query(
                "SELECT max(message_id) FROM \(Self.estimates)")[0, 0]
            var total = Recounted()
            let others = try connection.query(
                """
                SELECT count(*) FILTER (WHERE record.message_text IS NULL),
                    count(*) FILTER (WHERE record.message_text IS NOT NULL AND \(Self.isCorrected))
                FROM \(Self.allEstimates)
                """)
            total.withoutText = others[0, 0].flatMap(Int.init) ?? 0
            total.corrected = others[0, 1].flatMap(Int.init) ?? 0
            guard let newest = newest.flatMap(Int64.init) else { return total }
            var last: Int64?
            repeat {
                last = try connection.transaction {
                    try recountBatch(
                        connection, tokenizers, (last, newest), isDryRun: isDryRun, &total)
                }
                progress(total.count)
            } while last != nil
            if isDryRun { return total }
            total.skipped =
                try connection.query(
                    "SELECT count(*) FROM \(Self.estimates) AND message_id <= $1::bigint",
                    [String(newest)])[0, 0].flatMap(Int.init) ?? 0
            return total
        }
    }

    /// Counts the next estimates in an id range; returns the last id, nil if there were none.
    private func recountBatch(
        _ connection: Connection, _ tokenizers: Tokenizers,
        _ range: (after: Int64?, newest: Int64), isDryRun: Bool, _ total: inout Recounted
    ) throws -> Int64? {
        // Concurrent runs take turns, so that neither skips records that the other has locked.
        if !isDryRun { try connection.query("SELECT pg_advisory_xact_lock(7110416213)") }
        var list = SelectList()
        let record = list.add([.messageID, .text, .creditsUsed], of: "record")
        let tokenizer = list.add("rate.tokenizer", as: String.self)
        let reader = try QueryReader(
            connection, "estimates",
            """
            SELECT \(list.sql)
            FROM \(Self.estimates) AND message_id <= $1::bigint
                AND ($2::bigint IS NULL OR message_id > $2::bigint)
            ORDER BY message_id LIMIT \(Self.recountBatchLimit)
            \(isDryRun ? "" : "FOR UPDATE OF record SKIP LOCKED")
            """,
            [
                .text(String(range.newest)),
                range.after.map { .text(String($0)) } ?? .null,
            ])
        var ids: [Int64?] = []
        var tokens: [Int64?] = []
        var encodings: [String?] = []
        var before: Int64 = 0
        while try reader.next() {
            guard let encoding = TokenEncoding(rawValue: reader[tokenizer]) else { continue }
            let estimate = reader[record]
            ids.append(estimate.messageID)
            tokens.append(try tokenizers.count(estimate.text ?? "", by: encoding))
            encodings.append(encoding.rawValue)
            before += estimate.creditsUsed?.hundredths ?? 0
        }
        guard let last = ids.last ?? nil else { return nil }
        let counted = try QueryReader(
            connection, "recount", isDryRun ? Self.priceCounted : Self.storeCounted,
            [.array(ids), .array(tokens), .array(encodings)])
        total.before = Credits(hundredths: total.before.hundredths + before)
        while try counted.next() {
            total.count += 1
            total.after = Credits(hundredths: total.after.hundredths + counted.integer(0))
        }
        return last
    }

    private static let counted = """
        unnest($1::bigint[], $2::bigint[], $3::text[]) AS counted(id, tokens, encoding)
        """

    private static let priceCounted = """
        SELECT \(measure.credits()) FROM usage_record AS record JOIN credit_rate AS rate USING (credit_rate_id)
        JOIN \(counted) ON counted.id = message_id
        """

    private static let storeCounted = """
        UPDATE usage_record AS record SET token_count = counted.tokens,
            token_encoding = counted.encoding, credit_hundredths = \(measure.credits())
        FROM \(counted), credit_rate AS rate
        WHERE record.message_id = counted.id AND rate.credit_rate_id = record.credit_rate_id
        RETURNING credit_hundredths
        """
}
