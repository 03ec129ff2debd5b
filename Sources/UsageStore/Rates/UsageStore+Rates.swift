import Postgres
public import Usage

extension UsageStore {
    /// The rates, by beginning, then by model.
    public func creditRates() throws -> [CreditRate] {
        try reportingUnavailability {
            var list = SelectList()
            let fields = RateFields(&list, recordCount: "coalesce(record_count, 0)")
            let reader = try QueryReader(
                try connected(), "rates",
                """
                SELECT \(list.sql)
                FROM credit_rate
                LEFT JOIN (
                    SELECT credit_rate_id, count(*) AS record_count
                    FROM usage_record GROUP BY credit_rate_id
                ) AS counts USING (credit_rate_id)
                ORDER BY effective_from, model NULLS FIRST
                """)
            var rates: [CreditRate] = []
            while try reader.next() { rates.append(fields.rate(reader)) }
            return rates
        }
    }

    /// Adds a rate; throws `AdministrationFault` unless it begins after every rate for the same models
    /// and after every record that it matches.
    public func add(_ rate: CreditRate) throws {
        try reportingUnavailability {
            do {
                try connected().insert(rate)
            } catch let error as PostgresError where error.state.hasPrefix("23") {
                let last = try PriceList(connected()).rates.last { $0.hasModel(of: rate) }
                guard let last, !rate.begins(after: last) else {
                    throw AdministrationFault("\(error.message); the rate must begin after it")
                }
                throw AdministrationFault(
                    "the rate must begin after the last one for the same models: \(last)")
            }
        }
    }

    /// Replaces the first rate; throws `AdministrationFault` if there are records.
    public func replaceFirstRate(_ rate: CreditRate) throws {
        try reportingUnavailability {
            do {
                try connected().replace(rate)
            } catch let error as PostgresError where error.state.hasPrefix("23") {
                throw AdministrationFault(
                    "messages are already recorded, so the first rate cannot be replaced; "
                        + "add a later one with: orbitalctl rates add")
            }
        }
    }

    /// The records dated more than five minutes ahead that keep their credits although `rate` begins
    /// before them: their number, and the first five ids.
    public func recordsAhead(of rate: CreditRate) throws -> (count: Int64, ids: [Int64]) {
        try reportingUnavailability {
            var bindings = Bindings()
            var list = SelectList()
            let id = list.add("message_id", as: Int64.self)
            let count = list.add("count(*) OVER ()", as: Int64.self)
            let reader = try QueryReader(
                try connected(), "records_ahead",
                """
                SELECT \(list.sql)
                FROM usage_record LEFT JOIN usage_attribution USING (attribution_id)
                WHERE "timestamp" > usage_timestamp_last()
                    AND "timestamp" >= \(bindings.bind(rate.effectiveFrom ?? .now))
                    AND credit_rate_matches(
                        \(rate.model.map { bindings.bind($0, as: "text") } ?? "NULL"), model)
                ORDER BY "timestamp", message_id LIMIT 5
                """, bindings.values)
            var ahead: (count: Int64, ids: [Int64]) = (0, [])
            while try reader.next() {
                ahead.count = reader[count]
                ahead.ids.append(reader[id])
            }
            return ahead
        }
    }
}
