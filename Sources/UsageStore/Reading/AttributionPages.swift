import Postgres
import Usage

/// Pages of some attributions in the order of time.
///
/// In `usage_record_attribution_idx` the records of each attribution are one range in the order of
/// time, and those without one are a range in `usage_record_unattributed_idx`. PostgreSQL does not
/// merge many ranges, and would read and sort all of their records.
struct AttributionPages {
    /// The filter of the records.
    let filter: UsageFilter

    /// Whether the newest records come first.
    let isDescending: Bool

    /// The position after which the page begins.
    let cursor: PageCursor?

    /// The maximum number of records.
    let limit: Int

    /// The fields of the records.
    let fields: [UsageRecord.Column]

    /// The maximum number of attributions whose ranges are merged, at 5 µs each.
    static let rangeLimit = 20_000

    /// Above this number of attributions, a short walk along the index of time may be cheaper.
    static let walkMinimum = 1000

    /// The maximum number of records that a walk reads for one record of the page.
    private static let walkFactor = 20

    /// Nil for other orders, and for a filter without a condition on attributions.
    init?(
        _ filter: UsageFilter, sort: SortOrder, after cursor: PageCursor?, limit: Int,
        fields: [UsageRecord.Column]
    ) {
        var bindings = Bindings()
        let terms = sort.terms
        guard terms.map(\.column) == [.timestamp, .messageID], !terms[1].isDescending,
            !filter.attributionConditions(&bindings).isEmpty
        else { return nil }
        self.filter = filter
        isDescending = terms[0].isDescending
        self.cursor = cursor
        self.limit = limit
        self.fields = fields
    }

    private var direction: String { isDescending ? "DESC" : "ASC" }

    private var order: String { "\"timestamp\" \(direction), message_id" }

    /// The range of time, after the cursor.
    private func timeConditions(_ bindings: inout Bindings) -> [String] {
        let range = filter.timeConditions(&bindings)
        guard case .integer(let microseconds)? = cursor?.values.first,
            case .integer(let messageID)? = cursor?.values.last
        else { return range }
        let time = bindings.bind(Timestamp(microseconds: microseconds))
        let id = bindings.bind(messageID)
        guard isDescending else {
            return range + ["(\"timestamp\", message_id) > (\(time), \(id))"]
        }
        return range + [
            "\"timestamp\" <= \(time)", "(\"timestamp\" < \(time) OR message_id > \(id))",
        ]
    }

    /// The statement that looks for the page among the next records of all attributions.
    ///
    /// If it finds fewer than `limit` records, the page may have others.
    func walk(_ attributions: String) -> RecordsStatement {
        RecordsStatement(fields, order: [.timestamp, .messageID]) { list, columns, bindings in
            let time = whereClause(timeConditions(&bindings))
            let isOne = "attribution_id = ANY (\(bindings.bind(attributions, as: "integer[]")))"
            let isMatch =
                filter.valueConditions(&bindings) + [
                    filter.matchesUnattributed ? "(attribution_id IS NULL OR \(isOne))" : isOne
                ]
            let most = bindings.bind(Int64(limit * Self.walkFactor))
            let next = "SELECT * FROM usage_record \(time) ORDER BY \(order) LIMIT \(most)"
            let source = columns.source("(\(next)) AS page", name: "page")
            return """
                SELECT \(list) FROM \(source) \(whereClause(isMatch))
                ORDER BY \(order) LIMIT \(bindings.bind(Int64(limit)))
                """
        }
    }

    /// The statement that selects records in order, without a limit.
    private func range(_ conditions: [String]) -> String {
        """
        SELECT message_id, "timestamp" FROM usage_record \(whereClause(conditions))
        ORDER BY "timestamp" \(direction)
        """
    }

    /// The statement that merges the ranges of `count` attributions.
    ///
    /// The record at position `limit` among some records of each range, whichever they are, bounds
    /// the page. With the bound, few ranges are left, and few records of them.
    func merge(_ attributions: String, count: Int) -> RecordsStatement {
        RecordsStatement(fields, order: [.timestamp, .messageID]) { list, columns, bindings in
            let numbers = bindings.bind(attributions, as: "integer[]")
            let conditions = timeConditions(&bindings) + filter.valueConditions(&bindings)
            let sample = bindings.bind(Int64(min(limit, 1 + 2 * limit / max(count, 1))))
            let most = bindings.bind(Int64(limit))
            let within = "\"timestamp\" \(isDescending ? ">=" : "<=") (SELECT bound FROM bound)"
            let whole = "FETCH FIRST (\(most)) ROWS WITH TIES"
            func others(_ columns: String, _ more: [String], _ end: String) -> String {
                guard filter.matchesUnattributed else { return "" }
                let part = range(["attribution_id IS NULL"] + more + conditions)
                return "UNION ALL SELECT \(columns) FROM (\(part) \(end)) AS unattributed"
            }
            let isMatched = ["attribution_id = matched.attribution_id"] + conditions
            let isNear = ["attribution_id = near.attribution_id", within] + conditions
            let found = "(SELECT message_id FROM page) AS page JOIN usage_record USING (message_id)"
            return """
                WITH sample AS MATERIALIZED (
                    SELECT attribution_id, "timestamp"
                    FROM unnest(\(numbers)) AS matched (attribution_id),
                        LATERAL (\(range(isMatched)) LIMIT \(sample)) AS range
                    \(others("NULL, \"timestamp\"", [], "LIMIT \(most)"))
                ), bound AS MATERIALIZED (
                    SELECT coalesce((
                        SELECT "timestamp" FROM sample
                        ORDER BY "timestamp" \(direction) OFFSET \(most) - 1 LIMIT 1
                    ), '\(isDescending ? "-" : "")infinity') AS bound
                ), page AS (
                    SELECT message_id, "timestamp"
                    FROM (SELECT DISTINCT attribution_id FROM sample WHERE \(within)) AS near,
                        LATERAL (\(range(isNear)) \(whole)) AS range
                    \(others("*", [within], whole))
                    ORDER BY \(order) LIMIT \(most)
                )
                SELECT \(list) FROM \(columns.source(found)) ORDER BY \(order)
                """
        }
    }
}

extension Snapshot {
    /// Runs the statement of a page: the merged ranges of attributions if that is possible.
    func page(
        _ filter: UsageFilter, sort: SortOrder, after cursor: PageCursor?, limit: Int,
        fields: [UsageRecord.Column]
    ) throws -> (rows: QueryReader, record: RecordFields) {
        func run(_ statement: RecordsStatement) throws -> (rows: QueryReader, record: RecordFields)
        {
            let rows = try QueryReader(
                connection, "page", statement.text, statement.bindings.values)
            return (rows, statement.record)
        }
        let pages = AttributionPages(
            filter, sort: sort, after: cursor, limit: limit, fields: fields)
        guard let pages, let numbers = try attributions(filter) else {
            return try run(
                RecordsStatement(filter, sort: sort, after: cursor, limit: limit, fields: fields))
        }
        let list = "{\(numbers.map(String.init).joined(separator: ","))}"
        if numbers.count >= AttributionPages.walkMinimum {
            let found = try run(pages.walk(list))
            if found.rows.count == limit { return found }
        }
        return try run(pages.merge(list, count: numbers.count))
    }

    /// The numbers of the attributions that match; nil if they are too many.
    private func attributions(_ filter: UsageFilter) throws -> [Int64]? {
        var bindings = Bindings()
        let conditions = filter.attributionConditions(&bindings)
        let rows = try QueryReader(
            connection, "attributions",
            """
            SELECT attribution_id::bigint FROM (\(selectAttributions(conditions))) AS matched
            LIMIT \(AttributionPages.rangeLimit + 1)
            """, bindings.values)
        guard rows.count <= AttributionPages.rangeLimit else { return nil }
        var numbers: [Int64] = []
        while try rows.next() { numbers.append(rows.integer(0)) }
        return numbers
    }
}
