import Postgres
import Usage

/// Pages of some attributions in the order of time.
///
/// In `usage_record_attribution_idx` the records of each attribution are one range in the order of
/// time, and so are those without one in `usage_record_unattributed_idx`. PostgreSQL does not merge
/// many ranges, and would read and sort all of their records.
struct AttributionPages {
    /// The filter of the records.
    let filter: UsageFilter

    /// Whether the newest records come first.
    let isDescending: Bool

    /// The page begins after the time of this position.
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
    static let walkFactor = 20

    /// Above this number of attributions, a walk of as many records comes before the others are read: if
    /// many records match, the page is among these.
    static let fewAttributions = 200

    /// Whether the order is that of time, and the filter has conditions on attributions.
    static func isPossible(_ filter: UsageFilter, sort: SortOrder) -> Bool {
        var bindings = Bindings()
        return sort.terms.map(\.column) == [.timestamp, .messageID]
            && sort.terms.last?.isDescending == false
            && !filter.attributionConditions(&bindings).isEmpty
    }

    /// Makes the statements for a filter and an order for which they are possible.
    init(
        _ filter: UsageFilter, sort: SortOrder, after cursor: PageCursor?, limit: Int,
        fields: [UsageRecord.Column]
    ) {
        self.filter = filter
        isDescending = sort.terms.first?.isDescending == true
        self.cursor = cursor
        self.limit = limit
        self.fields = fields
    }

    private var direction: String { isDescending ? "DESC" : "ASC" }

    private var order: String { "\"timestamp\" \(direction), message_id" }

    /// The range of time, after that of the cursor.
    private func timeConditions(_ bindings: inout Bindings) -> [String] {
        let range = filter.timeConditions(&bindings)
        guard case .integer(let microseconds)? = cursor?.values.first else { return range }
        let time = bindings.bind(Timestamp(microseconds: microseconds))
        return range + ["\"timestamp\" \(isDescending ? "<" : ">") \(time)"]
    }

    /// The statement that looks for the page among the next `most` records of all attributions.
    ///
    /// If it finds fewer than `limit` records, the page may have others.
    func walk(_ most: Int) -> RecordsStatement {
        RecordsStatement(fields, order: [.timestamp, .messageID]) { list, columns, bindings in
            let time = whereClause(timeConditions(&bindings))
            // Each record's own attribution: to look it up among many thousand takes longer.
            let isOwn = ["attribution_id = page.attribution_id"]
            let conditions = isOwn + filter.attributionConditions(&bindings)
            let isOne = "(SELECT true FROM usage_attribution \(whereClause(conditions)))"
            let isOneOrNone = "(attribution_id IS NULL OR \(isOne))"
            let isMatch =
                filter.valueConditions(&bindings)
                + [filter.matchesUnattributed ? isOneOrNone : isOne]
            let most = bindings.bind(Int64(most))
            let next = "SELECT * FROM usage_record \(time) ORDER BY \(order) LIMIT \(most)"
            let source = columns.source("(\(next)) AS page", name: "page")
            return """
                SELECT \(list) FROM \(source) \(whereClause(isMatch))
                ORDER BY \(order) LIMIT \(bindings.bind(Int64(limit)))
                """
        }
    }

    /// Whether a record is not after the end, which a table of this name has.
    private func within(_ end: String) -> String {
        "\"timestamp\" \(isDescending ? ">=" : "<=") (SELECT \(end) FROM \(end))"
    }

    /// The time at a position, counted from 1; infinity if there are fewer records.
    private func time(in source: String, at position: String) -> String {
        """
        SELECT coalesce((
            SELECT "timestamp" FROM \(source)
            ORDER BY "timestamp" \(direction) OFFSET \(position) - 1 LIMIT 1
        ), '\(isDescending ? "-" : "")infinity')
        """
    }

    /// The statement that merges the ranges of `count` attributions, and that of records without one if
    /// they match.
    ///
    /// The record at position `limit` among some records of each range, whichever they are, bounds
    /// the page. With the bound, few ranges are left, and the record at this position among them
    /// ends the page. All of this is in the index, so only records of the page are read.
    func merge(_ attributions: String, count: Int) -> RecordsStatement {
        RecordsStatement(fields, order: [.timestamp, .messageID]) { list, columns, bindings in
            let numbers = bindings.bind(attributions, as: "integer[]")
            let conditions = timeConditions(&bindings) + filter.valueConditions(&bindings)
            let sample = bindings.bind(Int64(min(limit, 1 + 2 * limit / max(count, 1))))
            let most = bindings.bind(Int64(limit))
            /// The first records of each range in `source`, and of those without an attribution, whose
            /// index has the times only.
            func ranges(
                _ list: String, of source: String, _ end: String, _ more: [String] = [],
                numbers: (own: String, none: String) = ("", "")
            ) -> String {
                func range(_ list: String, _ isOwn: String) -> String {
                    """
                    SELECT \(list) FROM usage_record
                    \(whereClause([isOwn] + more + conditions)) ORDER BY "timestamp" \(direction) \(end)
                    """
                }
                let own = range(list, "attribution_id = matched.attribution_id")
                let all = "SELECT \(numbers.own)range.* FROM \(source), LATERAL (\(own)) AS range"
                guard filter.matchesUnattributed else { return all }
                return "\(all) UNION ALL (\(range(numbers.none + list, "attribution_id IS NULL")))"
            }
            let some = ranges(
                "\"timestamp\"", of: "unnest(\(numbers)) AS matched (attribution_id)",
                "LIMIT \(sample)", numbers: ("attribution_id, ", "NULL, "))
            let times = ranges("\"timestamp\"", of: "matched", "LIMIT \(most)", [within("bound")])
            let records = ranges(
                columns.ofRecords, of: "matched", "FETCH FIRST (\(most)) ROWS WITH TIES",
                [within("last")])
            return """
                WITH sample AS MATERIALIZED (\(some)), bound AS MATERIALIZED (
                    \(time(in: "sample", at: most)) AS bound
                ), matched AS MATERIALIZED (
                    SELECT DISTINCT attribution_id FROM sample WHERE \(within("bound"))
                ), last AS MATERIALIZED (
                    \(time(in: "(\(times)) AS times", at: most)) AS last
                ), page AS (
                    SELECT * FROM (\(records)) AS records ORDER BY \(order) LIMIT \(most)
                )
                SELECT \(list) FROM \(columns.source("page", name: "page")) ORDER BY \(order)
                """
        }
    }
}

extension Snapshot {
    /// The numbers of the attributions that match; nil if they are more than `most`.
    func attributions(_ filter: UsageFilter, atMost most: Int) throws -> [Int64]? {
        let numbers = try attributions(atMost: most + 1) { filter.attributionConditions(&$0) }
        return numbers.count > most ? nil : numbers
    }

    /// The numbers of the attributions that meet conditions.
    func attributions(
        atMost limit: Int = .max, where conditions: (inout Bindings) -> [String]
    ) throws -> [Int64] {
        var bindings = Bindings()
        let matched = selectAttributions(conditions(&bindings))
        let rows = try QueryReader(
            connection, "attributions",
            "SELECT attribution_id::bigint FROM (\(matched)) AS matched LIMIT \(limit)",
            bindings.values)
        var numbers: [Int64] = []
        while try rows.next() { numbers.append(rows.integer(0)) }
        return numbers
    }
}
