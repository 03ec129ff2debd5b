import Postgres
import Usage

/// Pages of some attributions in the order of time.
///
/// In `usage_record_attribution_idx` the records of each attribution are one range in the order of
/// time. PostgreSQL does not merge many ranges, and would read and sort all of their records.
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

    /// Nil for other orders, and for a filter that also matches records without an attribution.
    init?(
        _ filter: UsageFilter, sort: SortOrder, after cursor: PageCursor?, limit: Int,
        fields: [UsageRecord.Column]
    ) {
        var bindings = Bindings()
        let terms = sort.terms
        guard terms.map(\.column) == [.timestamp, .messageID], !terms[1].isDescending,
            !filter.attributionConditions(&bindings).isEmpty, !filter.matchesUnattributed
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
            let isMatch =
                filter.valueConditions(&bindings) + [
                    "attribution_id = ANY (\(bindings.bind(attributions, as: "integer[]")))"
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
            func range(of table: String, _ more: [String]) -> String {
                let isOwn = "attribution_id = \(table).attribution_id"
                return """
                    SELECT message_id, "timestamp" FROM usage_record
                    \(whereClause([isOwn] + more + conditions)) ORDER BY "timestamp" \(direction)
                    """
            }
            return """
                WITH sample AS MATERIALIZED (
                    SELECT attribution_id, "timestamp"
                    FROM unnest(\(numbers)) AS matched (attribution_id),
                        LATERAL (\(range(of: "matched", [])) LIMIT \(sample)) AS range
                ), bound AS MATERIALIZED (
                    SELECT coalesce((
                        SELECT "timestamp" FROM sample
                        ORDER BY "timestamp" \(direction) OFFSET \(most) - 1 LIMIT 1
                    ), '\(isDescending ? "-" : "")infinity') AS bound
                ), page AS (
                    SELECT message_id
                    FROM (SELECT DISTINCT attribution_id FROM sample WHERE \(within)) AS near,
                        LATERAL (
                            \(range(of: "near", [within])) FETCH FIRST (\(most)) ROWS WITH TIES
                        ) AS range
                    ORDER BY \(order) LIMIT \(most)
                )
                SELECT \(list) FROM \(columns.source("page JOIN usage_record USING (message_id)"))
                ORDER BY \(order)
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
