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
        case staged(keepsCredits: Bool)
    }

    private let source: Source
    private let waitsForLocks: Bool

    /// Records new messages; among equal ids, the first in the source counts.
    ///
    /// Inserts in order of ids, so that two batches with the same ids lock them in the same order.
    /// Messages without a price or with a date out of range are skipped.
    private(set) var insert = ""

    /// Makes the statements; unless `waitsForLocks`, they wait at most 250 ms for another transaction.
    private init(_ source: Source, waitsForLocks: Bool = true) {
        self.source = source
        self.waitsForLocks = waitsForLocks
        insert = insertion
    }

    /// A single message, with or without an id; twice as fast as `many`.
    static let one = RecordingStatements(.one)

    /// Many messages, each with an id of its own.
    static let many = RecordingStatements(.many)

    /// A single message of a batch of different clients, which must not delay the others for long.
    static let oneTogether = RecordingStatements(.one, waitsForLocks: false)

    /// Many messages of different clients.
    static let manyTogether = RecordingStatements(.many, waitsForLocks: false)

    /// The staged messages of an import.
    static func staged(keepsCredits: Bool) -> RecordingStatements {
        RecordingStatements(.staged(keepsCredits: keepsCredits))
    }

    private static let stored = UsageRecord.Column.columns(of: .file).filter(\.isStored)

    /// The stored columns of messages, in the order of the parameters: all but credits and rate.
    static let messages = stored.filter { $0 != .creditsUsed && $0 != .rate }

    /// The columns in which a message and the record under its id must agree; an absent value agrees
    /// with anything, unless the column is optional.
    var compared: [UsageRecord.Column] {
        UsageRecord.Column.all.filter { $0.forms.contains(.request) && $0 != .messageID }
            + (isStaged ? [.creditsUsed] : [])
    }

    private var isStaged: Bool { source != .one && source != .many }
}

extension RecordingStatements {
    /// The messages as rows, joined with the rates in force.
    var rows: String {
        let names = Self.messages.map(\.sql)
        let types = Self.messages.map(\.kind.sqlType)
        switch source {
        case .one:
            let values = zip(names, types).enumerated().map { "$\($0 + 1)::\($1.1) AS \($1.0)" }
            return "(SELECT 1 AS item_number, \(values.joined(separator: ", "))) AS item"
        case .many:
            let arrays = types.enumerated().map { "$\($0 + 1)::\($1)[]" }
            return """
                unnest(\(arrays.joined(separator: ", "))) WITH ORDINALITY
                    AS item(\(names.joined(separator: ", ")), item_number)
                """
        case .staged: return "staged_message AS item"
        }
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
            LEFT JOIN credit_rate_periods(\(Pricing.models(of: source))) AS rate
                ON coalesce(\(Pricing.model), '') = rate.used_model
                AND \(Pricing.time) >= rate.effective_from AND \(Pricing.time) < rate.until
            """
    }

    /// The credits by the price list; in an export, a flag marks estimates.
    var price: String {
        isStaged
            ? "CASE WHEN estimated = 1 THEN \(Pricing.estimate) ELSE \(Pricing.price) END"
            : Pricing.price
    }

    /// Why a message is refused; NULL if it is not.
    var refusal: String {
        isStaged
            ? """
            coalesce(\(Pricing.refusal),
                CASE WHEN item.credit_rate_id <> rate.credit_rate_id THEN 'rate' END)
            """ : Pricing.refusal
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
        let mustAgree = source == .staged(keepsCredits: false)
        return "refusal IS NULL AND \(credits) \(mustAgree ? "= price" : "IS NOT NULL")"
    }

    /// The value of `column` in the record of a priced message.
    private func value(of column: UsageRecord.Column) -> String {
        switch column {
        case .messageID where source == .one: "coalesce(message_id, nextval(\(Self.sequence)))"
        case .timestamp: "handled_at"
        case .tokenCount: "tokens"
        case .tokenizer: "CASE WHEN tokens IS NOT NULL THEN token_encoding END"
        case .creditsUsed: credits
        case .rate where isStaged:
            "CASE WHEN \(credits) = price AND has_own_credits IS NULL THEN rate_id END"
        case .rate: "rate_id"
        default: column.sql
        }
    }

    private var insertion: String {
        """
        INSERT INTO usage_record (\(Self.stored.map(\.sql).joined(separator: ", ")))
        SELECT \(isStaged ? "DISTINCT ON (message_id)" : "")
            \(Self.stored.map(value).joined(separator: ", "))
        FROM \(priced) WHERE \(isAcceptable)
        ORDER BY message_id, item_number
        ON CONFLICT (message_id) DO NOTHING \(isStaged ? "" : "RETURNING \(Self.created.list.sql)")
        """
    }
}
