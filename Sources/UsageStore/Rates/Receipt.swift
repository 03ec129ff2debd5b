import Postgres
public import Usage

/// How the credits of a message were calculated.
public struct Receipt: Sendable {
    /// What was priced.
    public let measure: Measure

    /// The rate that applied; nil if no rate priced the record.
    public let rate: CreditRate?

    /// The price of the measure, before the minimum; nil without a rate.
    public let calculated: Credits?

    /// The corrections of the record.
    public internal(set) var corrections: [UsageRecord] = []

    /// What was priced.
    public enum Measure: Sendable {
        /// A text: its length in Unicode scalars, and the tokens that an exact tokenizer counted; nil
        /// if characters are the measure.
        case text(characters: Int64, countedTokens: Int64?)
        /// Reported tokens, by their kinds.
        case reported([TokenKind: Int64])
        /// Nothing: it is a correction.
        case none
    }

    /// A kind of token with a price of its own, in the order of receipts.
    public enum TokenKind: String, CaseIterable, Sendable {
        /// Input that was not cached.
        case input
        /// Input that was read from a cache.
        case cacheRead = "cache_read"
        /// Input that was written to a cache.
        case cacheCreation = "cache_creation"
        /// Output.
        case output

        /// The price of this kind.
        public func price(_ prices: TokenPrices) -> TokenPrice {
            switch self {
            case .input: prices.input
            case .cacheRead: prices.cacheRead
            case .cacheCreation: prices.cacheCreation
            case .output: prices.output
            }
        }
    }

    /// Whether the rate was applied to characters / 4, because plain SQL recorded no exact count.
    public var isEstimated: Bool {
        guard case .text(_, nil) = measure, let rate else { return false }
        return rate.tokenizer != "characters"
    }
}

/// The columns of a receipt in a statement that joins the records or messages with `rate`.
struct ReceiptFields {
    private let characters: Field<Int64?>
    private let countedTokens: Field<Int64?>
    private let reported: [Field<Int64?>]
    private let rate: RateFields
    private let calculated: Field<Credits?>

    /// Adds them to `list`.
    init(_ list: inout SelectList, _ measure: MeasureColumns) {
        characters = list.add(measure.characters)
        countedTokens = list.add(measure.tokens)
        reported = measure.reported.map { list.add($0) }
        rate = RateFields(&list, of: "rate")
        calculated = list.add(measure.credits(minimum: "0"))
    }

    /// The receipt in a row.
    func receipt(_ row: QueryReader) -> Receipt {
        let calculated = row[calculated]
        return Receipt(
            measure: measure(row), rate: calculated == nil ? nil : rate.joined(row),
            calculated: calculated)
    }

    private func measure(_ row: QueryReader) -> Receipt.Measure {
        let tokens = reported.map { row[$0] }
        guard tokens[0] != nil || tokens[1] != nil else {
            return .text(characters: row[characters] ?? 0, countedTokens: row[countedTokens])
        }
        let (cacheRead, cacheCreation) = (tokens[2] ?? 0, tokens[3] ?? 0)
        return .reported([
            .input: (tokens[0] ?? 0) - cacheRead - cacheCreation, .cacheRead: cacheRead,
            .cacheCreation: cacheCreation, .output: tokens[1] ?? 0,
        ])
    }
}

extension Snapshot {
    /// The record of a message with all fields but `recorded_at`, and its receipt; nil if there is none within the bounds.
    public func record(_ messageID: Int64) throws -> (record: UsageRecord, receipt: Receipt)? {
        try reportingUnavailability {
            var bindings = Bindings()
            let named = "message_id = \(bindings.bind(messageID))"
            let conditions = [named] + open.conditions(&bindings)
            var list = SelectList()
            let columns = UsageRecord.Column.shown
            let record = list.add(stored: columns)
            let receipt = ReceiptFields(&list, .stored())
            let isCorrected = list.add(
                "EXISTS (SELECT FROM usage_record WHERE corrects = record.message_id)",
                as: Bool.self)
            let reader = try QueryReader(
                connection, "record",
                """
                SELECT \(list.sql)
                FROM \(columns.source("usage_record AS record", name: "record"))
                    LEFT JOIN credit_rate AS rate USING (credit_rate_id)
                \(whereClause(conditions))
                """, bindings.values)
            guard try reader.next() else { return nil }
            let found = reader[record]
            var shown = receipt.receipt(reader)
            if found.isCorrection {
                shown = Receipt(measure: .none, rate: nil, calculated: nil)
            } else if reader[isCorrected] {
                shown.corrections = try corrections(of: messageID)
            }
            return (found, shown)
        }
    }
}
