import Postgres
import Usage

/// The price list; exports number its rates from 1, by beginning, then by model.
struct PriceList {
    let rates: [CreditRate]

    /// The rates that an import has added or replaced.
    private(set) var newRates: [CreditRate] = []

    /// The ids of the rates in the database.
    private let ids: [Int64]

    /// The numbers of the rates by their ids.
    private let numbers: [Int64: Int64]

    init(_ connection: Connection) throws {
        var list = SelectList()
        let fields = RateFields(&list)
        let id = list.add("credit_rate_id", as: Int64.self)
        let reader = try QueryReader(
            connection, "rates",
            "SELECT \(list.sql) FROM credit_rate ORDER BY effective_from, model NULLS FIRST")
        var rates: [CreditRate] = []
        var ids: [Int64] = []
        while try reader.next() {
            rates.append(fields.rate(reader))
            ids.append(reader[id])
        }
        self.rates = rates
        self.ids = ids
        numbers = Dictionary(uniqueKeysWithValues: zip(ids, 1...))
    }

    /// The number of a rate by its id.
    func number(ofID id: Int64) -> Int64? { numbers[id] }

    /// The ids of `rates`, in order; nil for one that is not in the price list.
    func ids(of rates: [CreditRate]) -> [Int64?] {
        rates.map { rate in self.rates.firstIndex { $0.hasKey(of: rate) }.map { ids[$0] } }
    }
}

extension PriceList {
    /// Adds the rates of an export to the price list, in the transaction of `connection`, and
    /// replaces rates while there are no records; throws `AdministrationFault` if the lists conflict.
    ///
    /// The transaction must hold a lock on `usage_record` that prevents others from adding rates.
    init(_ connection: Connection, takingOver rates: [CreditRate]) throws {
        let list = try PriceList(connection)
        let newRates = rates.filter { rate in !list.rates.contains { $0.hasTerms(of: rate) } }
        guard !newRates.isEmpty else {
            self = list
            return
        }
        try connection.run("LOCK TABLE usage_record IN SHARE ROW EXCLUSIVE MODE")
        let isEmpty = try connection.query("SELECT FROM usage_record LIMIT 1").count == 0
        // A rate that only the database has could price messages of the file.
        let other = list.rates.first { rate in !rates.contains { $0.hasKey(of: rate) } }
        for rate in newRates {
            let number = 1 + (rates.firstIndex { $0.hasKey(of: rate) } ?? 0)
            let old = list.rates.first { $0.hasKey(of: rate) }
            if let conflict = old == nil ? other : isEmpty ? nil : old {
                throw AdministrationFault(
                    "rate \(number) of the file is \(rate); in the database it is "
                        + "\(conflict). An export can be imported only into a database without "
                        + "records, or with the same rates")
            }
            do {
                try old == nil ? connection.insert(rate) : connection.replace(rate)
            } catch let error as PostgresError where error.state.hasPrefix("23") {
                throw AdministrationFault(
                    "rate \(number) of the file, \(rate), is refused: \(error.message)")
            }
        }
        try self.init(connection)
        self.newRates = newRates
    }
}

extension TokenPrice: FieldValue {
    static func sql(_ expression: String) -> String { Int64.sql(expression) }
    static func read(_ row: some RowReader, _ column: Int) -> TokenPrice {
        TokenPrice(hundredthsPerMillion: .read(row, column))
    }
}

/// The columns of rates in a statement.
struct RateFields {
    private let effectiveFrom: Field<Timestamp?>
    private let model: Field<String?>
    private let tokenizer: Field<String?>
    private let prices: [Field<TokenPrice>]
    private let minimum: Field<Credits>
    private let recordCount: Field<Int64>

    /// Adds them to `list`; `recordCount` is an SQL expression.
    init(_ list: inout SelectList, of table: String = "credit_rate", recordCount: String = "0") {
        effectiveFrom = list.add(
            "CASE WHEN isfinite(\(table).effective_from) THEN \(table).effective_from END")
        model = list.add("\(table).model")
        tokenizer = list.add("\(table).tokenizer")
        prices = Pricing.prices.map { list.add("\(table).\($0)") }
        minimum = list.add("\(table).minimum_hundredths")
        self.recordCount = list.add(recordCount)
    }

    /// The rate in a row of a join; nil if there is none.
    func joined(_ row: QueryReader) -> CreditRate? { row[tokenizer] == nil ? nil : rate(row) }

    /// The rate in a row.
    func rate(_ row: QueryReader) -> CreditRate {
        CreditRate(
            effectiveFrom: row[effectiveFrom], model: row[model], tokenizer: row[tokenizer] ?? "",
            prices: TokenPrices(
                input: row[prices[0]], output: row[prices[1]], cacheRead: row[prices[2]],
                cacheCreation: row[prices[3]]),
            minimum: row[minimum], recordCount: row[recordCount])
    }
}

extension Connection {
    /// Adds a rate to the price list.
    func insert(_ rate: CreditRate) throws {
        var bindings = Bindings()
        let (from, model) = bindings.key(of: rate)
        let terms = bindings.terms(of: rate)
        let columns = ["effective_from", "model"] + terms.map(\.column)
        let values = [from, model] + terms.map(\.value)
        _ = try QueryReader(
            self, "add_rate",
            """
            INSERT INTO credit_rate (\(columns.joined(separator: ", ")))
            SELECT \(values.joined(separator: ", "))
            """, bindings.values)
    }

    /// Replaces the rate for the same models with the same beginning as `rate`.
    func replace(_ rate: CreditRate) throws {
        var bindings = Bindings()
        let (from, model) = bindings.key(of: rate)
        let terms = bindings.terms(of: rate).map { "\($0.column) = \($0.value)" }
        _ = try QueryReader(
            self, "replace_rate",
            """
            UPDATE credit_rate SET \(terms.joined(separator: ", "))
            WHERE effective_from = \(from) AND model IS NOT DISTINCT FROM \(model)
            """, bindings.values)
    }
}

extension Bindings {
    /// The beginning and the model of a rate.
    fileprivate mutating func key(of rate: CreditRate) -> (from: String, model: String) {
        (
            rate.effectiveFrom.map { bind($0) } ?? "'-infinity'::timestamptz",
            rate.model.map { bind($0, as: "text") } ?? "NULL::text"
        )
    }

    /// The columns and values of a rate's terms.
    fileprivate mutating func terms(of rate: CreditRate) -> [(column: String, value: String)] {
        let prices = [
            rate.prices.input, rate.prices.output, rate.prices.cacheRead, rate.prices.cacheCreation,
        ].map { bind($0.hundredthsPerMillion) }
        return [("tokenizer", bind(rate.tokenizer, as: "text"))]
            + zip(Pricing.prices, prices).map { ($0, $1) }
            + [("minimum_hundredths", bind(rate.minimum.hundredths))]
    }
}
