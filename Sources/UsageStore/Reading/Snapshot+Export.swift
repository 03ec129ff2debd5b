import Postgres
public import Usage

extension Snapshot {
    /// The rates, by beginning, then by model; `forEachMessage` numbers them from 1.
    public func creditRates() throws -> [CreditRate] {
        try reportingUnavailability { try PriceList(connection).rates }
    }

    /// Reads all open records for an export, with their texts and how the credits were calculated; with
    /// `isClosing`, those that are being closed.
    public func forEachMessage(
        isClosing: Bool = false, _ body: (UsageRecord) throws -> Void
    ) throws {
        try reportingUnavailability {
            let prices = try PriceList(connection)
            // A join would sort all records again.
            let attributions = try attributions()
            let columns = UsageRecord.Column.columns(of: .file)
                .filter { $0.isStored && $0.table == .record && $0 != .textDigest }
            var list = SelectList()
            let fields = list.add(columns + [.attributionID])
            let digest = list.add("encode(text_digest, 'hex')", as: String?.self)
            let rows = try CopyReader(
                connection, "export",
                """
                COPY (
                    SELECT \(list.sql) FROM usage_record \(condition(isClosing: isClosing))
                    ORDER BY "timestamp", message_id
                ) TO STDOUT (FORMAT binary)
                """, columns: list.columns.count)
            while try rows.next() {
                var record = prices.numbered(rows[fields])
                record.textDigest = rows[digest]
                if let id = record.attributionID, let attribution = attributions[id] {
                    record.attribution = attribution
                }
                try body(record)
            }
        }
    }

    private func condition(isClosing: Bool) -> String {
        guard let closedBefore else { return isClosing ? "WHERE false" : "" }
        return "WHERE \"timestamp\" \(isClosing ? "<" : ">=") '\(closedBefore)'"
    }

    /// All attributions by their numbers.
    private func attributions() throws -> [Int64: UsageRecord.Attribution] {
        var list = SelectList()
        let fields = list.add([.attributionID] + UsageRecord.Column.ofAttributions)
        let rows = try QueryReader(
            connection, "all_attributions",
            "SELECT \(list.sql) FROM \(attributionRows) AS attribution", isStreamed: true)
        var attributions: [Int64: UsageRecord.Attribution] = [:]
        while try rows.next() {
            let record = rows[fields]
            if let id = record.attributionID { attributions[id] = record.attribution }
        }
        return attributions
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
