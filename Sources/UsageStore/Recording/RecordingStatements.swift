import Usage

/// The statements that turn messages into usage records: rows of a source are priced, inserted, and
/// compared with existing records, by the same rules for each source.
struct RecordingStatements {
    /// The source of the messages; all sources have the columns of `messages`.
    enum Source: Equatable {
        /// Parameters: the values of a single message.
        case one
        /// Parameters: arrays, one for each column.
        case many
        /// The table of staged messages, which has all columns. With `keepsCredits`, the credits of
        /// a message are recorded even if the price list disagrees.
        case staged(keepsCredits: Bool, externalIDs: ExternalIDs)
    }

    let source: Source

    /// Whether all messages have the columns of `plainMessages` only: a shorter statement.
    let isPlain: Bool

    private let waitsForLocks: Bool

    private var insertTexts = ""
    private var insertDigests = ""

    /// Makes the statements; unless `waitsForLocks`, they wait at most 250 ms for another transaction.
    private init(_ source: Source, isPlain: Bool, waitsForLocks: Bool = true) {
        self.source = source
        self.isPlain = isPlain
        self.waitsForLocks = waitsForLocks
        insertTexts = insertion(storesTexts: true)
        insertDigests = insertion(storesTexts: false)
    }

    /// Records new messages; among equal ids, the first in the source counts.
    ///
    /// Inserts in an order by ids, so that two batches with the same ids lock them in the same order.
    /// Messages without a price or with a date out of range are skipped. Unless it `storesTexts`, the
    /// digests of texts are stored in their place.
    func insert(storesTexts: Bool) -> String { storesTexts ? insertTexts : insertDigests }

    /// A single message, with or without an id; twice as fast as `many`.
    static let one = Choice { RecordingStatements(.one, isPlain: $0) }

    /// Many messages, each with an id of its own, in the order in which they are inserted.
    static let many = Choice { RecordingStatements(.many, isPlain: $0) }

    /// A single message of a batch of different clients, which must not delay the others for long.
    static let oneTogether = Choice {
        RecordingStatements(.one, isPlain: $0, waitsForLocks: false)
    }

    /// Many messages of different clients.
    static let manyTogether = Choice {
        RecordingStatements(.many, isPlain: $0, waitsForLocks: false)
    }

    /// The staged messages of an import.
    static func staged(
        keepsCredits: Bool, externalIDs: ExternalIDs = .none
    ) -> RecordingStatements {
        RecordingStatements(
            .staged(keepsCredits: keepsCredits, externalIDs: externalIDs), isPlain: false)
    }

    /// The columns of the table that are set.
    private func stored(storesTexts: Bool) -> [UsageRecord.Column] {
        let calculated: [UsageRecord.Column] = [.characterCount, .creditsUsed, .rate]
        let columns =
            isPlain
            ? Self.plainMessages
            : Self.messages.filter { $0 != .model }
                + (isStaged ? [.corrects, .reason] : [])
        if isPlain && storesTexts { return columns + calculated }
        return columns.filter { storesTexts || $0 != .text } + calculated + [.textDigest]
    }

    /// The columns of messages, in the order of the parameters.
    ///
    /// The model is there for the price; it is that of the attribution.
    static let messages: [UsageRecord.Column] = [
        .messageID, .externalID, .timestamp, .reportName, .attributionID, .model, .inputTokens,
        .outputTokens, .cacheReadInputTokens, .cacheCreationInputTokens, .text, .tokenCount,
        .tokenizer,
    ]

    /// The columns of messages with nothing but a text.
    static let plainMessages: [UsageRecord.Column] = [
        .messageID, .timestamp, .reportName, .text, .tokenCount, .tokenizer,
    ]

    /// The columns of the parameters.
    static func columns(isPlain: Bool) -> [UsageRecord.Column] {
        isPlain ? plainMessages : messages
    }

    var isStaged: Bool { source != .one && source != .many }
}

extension RecordingStatements {
    /// The messages as rows with all columns, joined with the rates in force.
    ///
    /// Messages whose attribution does not exist any more are left out.
    var rows: String {
        if isStaged { return "(\(Self.stagedRows)) AS item" }
        let columns = Self.columns(isPlain: isPlain)
        let others = Self.messages.filter { !columns.contains($0) }
            .map { "NULL::\($0.kind.sqlType) AS \($0.sql)" }
        let list =
            ["item.*", "char_length(item.message_text) AS character_count"]
            + ["NULL::text AS text_digest"] + others
        return """
            (SELECT \(list.joined(separator: ", "))
             FROM \(parameters(columns)) \(isPlain ? "" : Self.isAttributed(columns.count))) AS item
            """
    }

    /// The parameters as rows.
    private func parameters(_ columns: [UsageRecord.Column]) -> String {
        let names = columns.map(\.sql)
        let types = columns.map(\.kind.sqlType)
        if source == .one {
            let values = zip(names, types).enumerated().map { "$\($0 + 1)::\($1.1) AS \($1.0)" }
            return "(SELECT 1 AS item_number, \(values.joined(separator: ", "))) AS item"
        }
        let arrays = types.enumerated().map { "$\($0 + 1)::\($1)[]" }
        return """
            unnest(\(arrays.joined(separator: ", "))) WITH ORDINALITY
                AS item(\(names.joined(separator: ", ")), item_number)
            """
    }

    /// Whether the attribution of a message, if any, still has the digest that the two parameters
    /// after `count` others list.
    private static func isAttributed(_ count: Int) -> String {
        """
        WHERE item.attribution_id IS NULL OR item.attribution_id <> ALL (ARRAY(
            SELECT known.id
            FROM unnest($\(count + 1)::bigint[], $\(count + 2)::bytea[]) AS known(id, digest)
            WHERE known.digest IS DISTINCT FROM (
                SELECT digest FROM usage_attribution WHERE attribution_id = known.id)))
        """
    }

    /// The rates in force at the messages' times.
    var rates: String {
        if source == .one {
            return """
                LEFT JOIN LATERAL (
                    SELECT * FROM credit_rate
                    WHERE effective_from <= \(Pricing.time)
                        AND credit_rate_matches(model, \(Pricing.model))
                    ORDER BY model_rank DESC, effective_from DESC LIMIT 1
                ) AS rate ON true -- credit_rate_at(), but planned in a tenth less of the time
                """
        }
        return """
            LEFT JOIN \(periods) AS rate
                ON coalesce(\(Pricing.model), '') = rate.used_model
                AND \(Pricing.time) >= rate.effective_from AND \(Pricing.time) < rate.until
            """
    }

    /// The credits by the price list; in an export, a flag marks estimates.
    var price: String {
        isStaged
            ? """
            CASE WHEN item.corrects IS NOT NULL THEN item.credit_hundredths
                WHEN estimated = 1 THEN \(Pricing.estimate) ELSE \(Pricing.price) END
            """
            : Pricing.price
    }

    /// Why a message is refused; NULL if it is not.
    var refusal: String {
        isStaged
            ? """
            coalesce(\(Pricing.refusal(unless: "item.corrects IS NOT NULL")), \(Self.refusedCorrection),
                CASE WHEN item.credit_rate_id <> rate.credit_rate_id THEN 'rate'
                    WHEN item.attribution_id = 0 AND item.corrects IS NULL THEN 'too_many' END)
            """ : Pricing.refusal()
    }

    /// Why a priced message is refused; NULL if it is not.
    static let refusalOfPriced = """
        coalesce(refusal, CASE WHEN is_measured AND price IS NULL THEN \(Pricing.overflow) END)
        """

    /// The messages with their credits by the price list, if any.
    var priced: String {
        """
        (
            SELECT item.*, \(Pricing.time) AS handled_at, rate.credit_rate_id AS rate_id,
                \(Pricing.tokens) AS tokens, \(price) AS price, \(refusal) AS refusal,
                \(Pricing.isMeasured) AS is_measured
            FROM \(waitsForLocks ? "" : Self.lockTimeout)\(rows) \(rates)
            OFFSET 0 -- prices each message once, not for each use of the price
        ) AS item
        """
    }

    /// The timeout applies to this statement only, which is a transaction of its own.
    private static let lockTimeout =
        "(SELECT set_config('lock_timeout', '250ms', true)) AS lock_timeout, "

    private var credits: String { isStaged ? "coalesce(credit_hundredths, price)" : "price" }

    /// Which of the priced messages may be recorded.
    var isAcceptable: String {
        var mustAgree = false
        if case .staged(keepsCredits: false, _) = source { mustAgree = true }
        return "refusal IS NULL AND \(credits) \(mustAgree ? "= price" : "IS NOT NULL")"
    }

    /// The value of `column` in the record of a priced message.
    private func value(of column: UsageRecord.Column, storesTexts: Bool) -> String {
        switch column {
        case .messageID where source == .one: "coalesce(message_id, nextval(\(Self.sequence)))"
        case .timestamp: "handled_at"
        case .tokenCount: "tokens"
        case .tokenizer: "CASE WHEN tokens IS NOT NULL THEN token_encoding END"
        case .creditsUsed: credits
        case .rate where isStaged:
            """
            CASE WHEN \(credits) = price AND has_own_credits IS NULL AND corrects IS NULL
                THEN rate_id END
            """
        case .rate: "rate_id"
        case .textDigest where storesTexts: "decode(text_digest, 'hex')"
        case .textDigest: "coalesce(decode(text_digest, 'hex'), \(Self.digest(of: "item")))"
        default: column.sql
        }
    }

    private func insertion(storesTexts: Bool) -> String {
        let stored = stored(storesTexts: storesTexts)
        let values = stored.map { value(of: $0, storesTexts: storesTexts) }
        return """
            INSERT INTO usage_record (\(stored.map(\.sql).joined(separator: ", ")))
            SELECT \(values.joined(separator: ", ")) \(inserted)
            ON CONFLICT DO NOTHING \(isStaged ? "" : "RETURNING \(Self.created.list.sql)")
            """
    }
}
