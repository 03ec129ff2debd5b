import Postgres
public import Usage

/// The sum of the records that have one value of a part of attributions.
public struct AttributionSum: Sendable {
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
        try reportingUnavailability {
            let statement = AttributionSumsStatement(
                of: part, prefix: prefix, filter.and(bounds), limit: limit)
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
}

/// The statement that sums records by a part of attributions: by attribution first, which compares
/// numbers instead of texts.
struct AttributionSumsStatement {
    /// The statement.
    let text: String

    /// Its parameters.
    let bindings: Bindings

    fileprivate let value: Field<String>
    fileprivate let messages: Field<Int64>
    fileprivate let creditsUsed: Field<String>

    /// Makes the statement for at most `limit` values.
    init(of part: AttributionPart, prefix: String, _ filter: UsageFilter, limit: Int) {
        var bindings = Bindings()
        let expression = part.sql(&bindings)
        let isValue = ["\(expression) <> ''"]
        let start =
            prefix.isEmpty
            ? [] : ["starts_with(\(expression), \(bindings.bind(prefix, as: "text")))"]
        let attributions = isValue + start + filter.attributionConditions(&bindings)
        let records =
            ["attribution_id IN (\(selectAttributions(attributions)))"]
            + filter.timeConditions(&bindings) + filter.valueConditions(&bindings)
        var list = SelectList()
        value = list.add("\"value\"")
        messages = list.add("sum(messages)")
        creditsUsed = list.add("sum(hundredths) * 0.01")
        text = """
            SELECT \(list.sql)
            FROM (
                SELECT attribution_id, count(*) AS messages, sum(credit_hundredths) AS hundredths
                FROM usage_record \(whereClause(records)) GROUP BY attribution_id
            ) AS part
            JOIN (
                SELECT attribution_id, \(expression) AS "value" FROM usage_attribution
            ) AS attribution USING (attribution_id)
            GROUP BY "value" ORDER BY sum(hundredths) DESC, "value"
            LIMIT \(bindings.bind(Int64(limit)))
            """
        self.bindings = bindings
    }
}
