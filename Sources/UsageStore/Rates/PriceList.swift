import Postgres
import Usage

/// The price list; exports number its rates from 1, oldest first.
struct PriceList {
    let rates: [CreditRate]

    /// The rates that an import has added or replaced.
    private(set) var newRates: [CreditRate] = []

    /// The ids of the rates in the database.
    private let ids: [Int64]

    init(_ connection: Connection) throws {
        var list = SelectList()
        let fields = RateFields(&list)
        let id = list.add("credit_rate_id", as: Int64.self)
        let reader = try QueryReader(
            connection, "rates", "SELECT \(list.sql) FROM credit_rate ORDER BY effective_from",
            [String](), isStreamed: false)
        var rates: [CreditRate] = []
        var ids: [Int64] = []
        while try reader.next() {
            rates.append(fields.rate(reader))
            ids.append(reader[id])
        }
        self.rates = rates
        self.ids = ids
    }

    /// The number of a rate by its id.
    func number(ofID id: Int64) -> Int64? { ids.firstIndex(of: id).map { Int64($0) + 1 } }

    /// The id of a rate by its number; nil if there is none.
    func id(ofNumber number: Int64) -> Int64? {
        (1...Int64(ids.count)).contains(number) ? ids[Int(number) - 1] : nil
    }
}

extension PriceList {
    /// Adds the rates of an export to the price list, in the transaction of `connection`, and
    /// replaces rates while there are no records; throws `CreditRateRefused` if the lists conflict.
    ///
    /// The transaction must hold a lock on `usage_record` that prevents others from adding rates.
    init(_ connection: Connection, takingOver rates: [CreditRate]) throws {
        let list = try PriceList(connection)
        let isKnown = zip(list.rates, rates).allSatisfy { $0.hasTerms(of: $1) }
        guard !isKnown || rates.count > list.rates.count else {
            self = list
            return
        }
        try connection.run("LOCK TABLE usage_record IN SHARE ROW EXCLUSIVE MODE")
        let isEmpty = try connection.query("SELECT FROM usage_record LIMIT 1").count == 0
        var newRates: [CreditRate] = []
        for (index, rate) in rates.enumerated() {
            let old = index < list.rates.count ? list.rates[index] : nil
            if let old, old.hasTerms(of: rate) { continue }
            newRates.append(rate)
            if let old, !isEmpty || old.effectiveFrom != rate.effectiveFrom {
                throw CreditRateRefused(
                    reason: "rate \(index + 1) of the file is \(rate); in the database it is "
                        + "\(old). An export can be imported only into a database without "
                        + "records, or with the same rates")
            }
            do {
                try old == nil ? connection.insert(rate) : connection.replace(rate)
            } catch let error as PostgresError where error.state.hasPrefix("23") {
                throw CreditRateRefused(
                    reason: "rate \(index + 1) of the file, \(rate), is refused: \(error.message)")
            }
        }
        try self.init(connection)
        self.newRates = newRates
    }
}

/// The columns of rates in a statement.
struct RateFields {
    private let effectiveFrom: Field<Timestamp?>
    private let tokenizer: Field<String>
    private let creditsPer100Tokens: Field<Credits>
    private let minimum: Field<Credits>
    private let recordCount: Field<Int64>

    /// Adds them to `list`; `recordCount` is an SQL expression.
    init(_ list: inout SelectList, recordCount: String = "0") {
        effectiveFrom = list.add("CASE WHEN isfinite(effective_from) THEN effective_from END")
        tokenizer = list.add("tokenizer")
        creditsPer100Tokens = list.add("hundredths_per_100_tokens")
        minimum = list.add("minimum_hundredths")
        self.recordCount = list.add(recordCount)
    }

    /// The rate in a row.
    func rate(_ row: QueryReader) -> CreditRate {
        CreditRate(
            effectiveFrom: row[effectiveFrom], tokenizer: row[tokenizer],
            creditsPer100Tokens: row[creditsPer100Tokens], minimum: row[minimum],
            recordCount: row[recordCount])
    }
}

extension Connection {
    /// Adds a rate to the price list.
    func insert(_ rate: CreditRate) throws {
        var bindings = Bindings()
        let from = rate.effectiveFrom ?? Timestamp.representable.lowerBound
        _ = try QueryReader(
            self, "add_rate",
            """
            INSERT INTO credit_rate
                (effective_from, tokenizer, hundredths_per_100_tokens, minimum_hundredths)
            SELECT \(bindings.bind(from)), \(bindings.bind(rate.tokenizer, as: "text")),
                \(bindings.bind(rate.creditsPer100Tokens.hundredths)),
                \(bindings.bind(rate.minimum.hundredths))
            """, bindings.values, isStreamed: false)
    }

    /// Replaces the rate with the same beginning as `rate`.
    func replace(_ rate: CreditRate) throws {
        var bindings = Bindings()
        let from = rate.effectiveFrom.map { bindings.bind($0) } ?? "'-infinity'"
        _ = try QueryReader(
            self, "replace_rate",
            """
            UPDATE credit_rate SET tokenizer = \(bindings.bind(rate.tokenizer, as: "text")),
                hundredths_per_100_tokens =
                    \(bindings.bind(rate.creditsPer100Tokens.hundredths)),
                minimum_hundredths = \(bindings.bind(rate.minimum.hundredths))
            WHERE effective_from = \(from)
            """, bindings.values, isStreamed: false)
    }
}
