import Postgres
public import Usage

/// The sum of the records that have one value of a part of attributions.
public struct AttributionSum: Equatable, Sendable {
    /// The value: a user, a team, a model, or a tag's value.
    public let value: String

    /// The number of messages.
    public let messages: Int64

    /// The credits with two decimals, exact at any size.
    public let creditsUsed: String
}

extension Snapshot {
    /// The values of `part` that begin with `prefix`, by code point, in the records that match
    /// `filter`: most credits first, among equals by value; at most `limit`.
    public func attributionSums(
        of part: AttributionPart, prefix: String, _ filter: UsageFilter, limit: Int
    ) throws -> [AttributionSum] {
        let all = filter.and(bounds)
        let parts = [GroupPart.attribution(part)]
        return try reportingUnavailability {
            let rollups = try rollups(all, by: parts)
            let ranges = rollups.map { $0.ranges([$0.filter.range]) } ?? []
            try requireSums(rollups, of: all, in: ranges, hasGroups: true)
            let isShort = rollups?.isShort(ranges, by: parts, hasSeries: false)
            try expect(
                isShort: isShort == true, hasManyRecords: rollups?.hasManyRecords(ranges) ?? true)
            let matching =
                try rollups?.filter.level(by: parts) == .attributions
                ? attributions { bindings in
                    let value = part.sql(&bindings)
                    return ["\(value) <> ''"] + startConditions(value, prefix, &bindings)
                        + all.attributionConditions(&bindings)
                } : nil
            let statement = AttributionSumsStatement(limit: limit) { bindings in
                rollups?.values(of: part, prefix: prefix, in: ranges, matching, &bindings)
                    ?? recordValues(of: part, prefix: prefix, all, &bindings)
            }
            return try attributionSums(statement)
        }
    }

    /// The values that the statement returns.
    func attributionSums(_ statement: AttributionSumsStatement) throws -> [AttributionSum] {
        let row = try QueryReader(
            connection, "attribution_sums", statement.text, statement.bindings.values)
        var sums: [AttributionSum] = []
        while try row.next() {
            sums.append(
                AttributionSum(
                    value: row[statement.value], messages: row[statement.messages],
                    creditsUsed: row[statement.creditsUsed]))
        }
        return sums
    }
}

extension Rollups {
    /// The query of the values of `part` that begin with `prefix`, and their sums.
    fileprivate func values(
        of part: AttributionPart, prefix: String, in ranges: [Range<Timestamp>],
        _ attributions: [Int64]?, _ bindings: inout Bindings
    ) -> String? {
        let part = GroupPart.attribution(part)
        let source = groups(ranges, by: [part], .few, matchesBlank: false, of: attributions) {
            value, bindings in
            startConditions(value, prefix, &bindings)
        }
        return (source?.sql(by: [part], &bindings)).map { source in
            """
            SELECT value_1 AS "value", messages, credit_hundredths AS hundredths
            FROM (\(source)) AS source WHERE \(SumFields.Columns.isUsed)
            """
        }
    }
}

/// The same from the records: by attribution first, which compares numbers instead of texts.
func recordValues(
    of part: AttributionPart, prefix: String, _ filter: UsageFilter, _ bindings: inout Bindings
) -> String {
    let expression = part.sql(&bindings)
    let attributions =
        ["\(expression) <> ''"] + startConditions(expression, prefix, &bindings)
        + filter.attributionConditions(&bindings)
    let records =
        ["attribution_id IN (\(selectAttributions(attributions)))"]
        + filter.timeConditions(&bindings) + filter.valueConditions(&bindings)
    return """
        SELECT "value", sum(messages) AS messages, sum(credit_hundredths) AS hundredths
        FROM (
            SELECT attribution_id, \(SumFields.Columns.few.ofRecords())
            FROM usage_record \(whereClause(records)) GROUP BY attribution_id
        ) AS part
        JOIN (
            SELECT attribution_id, \(expression) AS "value" FROM usage_attribution
        ) AS attribution USING (attribution_id)
        GROUP BY "value"
        """
}

private func startConditions(
    _ value: String, _ prefix: String, _ bindings: inout Bindings
) -> [String] {
    prefix.isEmpty ? [] : ["starts_with(\(value), \(bindings.bind(prefix, as: "text")))"]
}

/// The statement of the values that have most credits.
struct AttributionSumsStatement {
    /// The statement.
    let text: String

    /// Its parameters.
    let bindings: Bindings

    fileprivate let value: Field<String>
    fileprivate let messages: Field<Int64>
    fileprivate let creditsUsed: Field<String>

    /// Makes the statement for at most `limit` values; `write` returns the query of all.
    init(limit: Int, _ write: (inout Bindings) -> String) {
        var bindings = Bindings()
        var list = SelectList()
        value = list.add("\"value\"")
        messages = list.add("messages")
        creditsUsed = list.add("hundredths * 0.01")
        text = """
            SELECT \(list.sql) FROM (\(write(&bindings))) AS sums
            ORDER BY hundredths DESC, "value" LIMIT \(bindings.bind(Int64(limit)))
            """
        self.bindings = bindings
    }
}
