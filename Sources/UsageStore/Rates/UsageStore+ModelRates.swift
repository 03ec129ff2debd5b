import Postgres

/// Of the records of `source`, how many have a model and were priced by a rate without one.
private func modelRecords(of source: String) -> String {
    """
    SELECT count(*)
    FROM \(source) AS record
    JOIN usage_attribution AS attribution USING (attribution_id)
    JOIN credit_rate AS rate USING (credit_rate_id)
    WHERE attribution.model <> '' AND rate.model IS NULL
    """
}

/// Their number is fixed, so that each query costs the same, however many records there are.
private let newest = """
    (SELECT attribution_id, credit_rate_id FROM usage_record WHERE recorded_at IS NOT NULL
     ORDER BY recorded_at DESC LIMIT 1000)
    """

extension UsageStore {
    /// How many records with a model were priced by a rate without one.
    ///
    /// Reads every record that has a model.
    public func modelRecordsWithoutModelRate() throws -> Int {
        let result = try connected().query(modelRecords(of: "usage_record"))
        return result[0, 0].flatMap(Int.init) ?? 0
    }

    /// How many of the newest 1,000 records have a model and were priced by a rate without one.
    ///
    /// Does not wait for a lock: other metrics are needed most while the table is locked.
    func newestWithoutModelRate() throws -> Int? {
        let connection = try connected()
        return try meter.within(Self.healthTimeout) {
            try connection.transaction {
                try connection.run("SET LOCAL lock_timeout = '10ms'")
                let count = try connection.query(modelRecords(of: newest))
                return count[0, 0].flatMap(Int.init)
            }
        }
    }
}

extension Snapshot {
    /// How many of the newest 1,000 records have a model and were priced by a rate without one; 0 if
    /// no rate has a model, and for a principal with bounds, who does not see all of them.
    public func newestWithoutModelRate() throws -> Int64 {
        guard bounds.fingerprint.isEmpty else { return 0 }
        return try reportingUnavailability {
            let hasModels = "EXISTS (SELECT FROM credit_rate WHERE model IS NOT NULL)"
            let row = try QueryReader(
                connection, "newest_without_model_rate",
                "\(modelRecords(of: newest)) AND \(hasModels)", [String](), isStreamed: false)
            return try row.next() ? row.integer(0) : 0
        }
    }
}
