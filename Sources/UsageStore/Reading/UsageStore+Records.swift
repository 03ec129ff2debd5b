import Postgres
public import Usage

extension UsageStore {
    /// The number of usage records.
    public func recordCount() throws -> Int {
        try reportingUnavailability {
            Int(try connected().query("SELECT count(*) FROM usage_record")[0, 0] ?? "") ?? 0
        }
    }
}

extension Snapshot {
    /// The rates, by beginning, then by model; `forEachMessage` numbers them from 1.
    public func creditRates() throws -> [CreditRate] {
        try reportingUnavailability { try PriceList(connection).rates }
    }

    /// Reads all records for an export, with their texts and how the credits were calculated.
    public func forEachMessage(_ body: (UsageRecord) throws -> Void) throws {
        try reportingUnavailability {
            let prices = try PriceList(connection)
            let columns = UsageRecord.Column.columns(of: .file).filter(\.isStored)
            var list = SelectList()
            let record = list.add(columns)
            let rows = try CopyReader(
                connection, "export",
                """
                COPY (
                    SELECT \(list.sql) FROM usage_record ORDER BY "timestamp", message_id
                ) TO STDOUT (FORMAT binary)
                """, columns: columns.count)
            while try rows.next() { try body(prices.numbered(rows[record])) }
        }
    }
}

extension PriceList {
    /// `record` with the number of its rate instead of the id.
    fileprivate func numbered(_ record: UsageRecord) -> UsageRecord {
        var numbered = record
        numbered.rate = record.rate.flatMap(number)
        if record.tokenCount == nil, !record.reportsTokens, let rate = numbered.rate {
            numbered.isEstimated = rates[Int(rate) - 1].tokenizer != "characters"
        }
        return numbered
    }
}
