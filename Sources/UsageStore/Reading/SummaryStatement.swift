import Postgres
import Usage

/// The statement that sums usage records by bucket and by group.
///
/// Each bucket is a range of the time index, summed by report name or attribution; all other sums are
/// sums of these, so they always agree. A filter of attributions would be evaluated again for each
/// bucket, so their records are read once, and each is assigned to its bucket.
struct SummaryStatement {
    /// The statement.
    let text: String

    /// Its columns.
    let fields: SummaryFields

    /// Its values.
    let bindings: Bindings

    /// Makes the statement for `buckets`, which must be contiguous, and at least one; without
    /// `grouping`, the groups are report names, and have no series.
    init(_ filter: UsageFilter, buckets: [Range<Timestamp>], grouping: SummaryGrouping?) {
        let parts = grouping?.parts ?? [.reportName]
        let names = SummaryFields.names(parts.count)
        let sums = SumFields.Columns.all
        let group = names.joined(separator: ", ")
        let order = Self.order(isReport: grouping == nil, names)
        self.init(partCount: parts.count) { bindings in
            var unused = Bindings()
            let isOfSome = !filter.attributionConditions(&unused).isEmpty
            let keys = Set(parts.map(\.key)).sorted().joined(separator: ", ")
            let part = (isOfSome ? Self.once : Self.byBucket)(keys, filter, buckets, &bindings)
            let values = zip(parts, names).map {
                "coalesce(\($0.sql(&bindings)), '') AS \($1)"
            }
            let join = "LEFT JOIN usage_attribution USING (attribution_id)"
            let isShown = grouping.map { "WHERE rank <= \(bindings.bind(Int64($0.top)))" } ?? ""
            let series = """
                UNION ALL
                SELECT \(SummaryFields.row(.series, parts.count, bucket: "bucket", rank: "rank")),
                    \(sums.list(of: "cell"))
                FROM cell JOIN shown USING (\(group))
                """
            return """
                WITH part AS MATERIALIZED (\(part)), cell AS MATERIALIZED (
                    SELECT bucket, \(values.joined(separator: ", ")), \(sums.ofSums())
                    FROM part \(parts.contains { $0 != .reportName } ? join : "")
                    GROUP BY bucket, \(group)
                ), shown AS MATERIALIZED (
                    SELECT * FROM (
                        SELECT *, row_number() OVER (ORDER BY \(order)) AS rank,
                            count(*) OVER () AS groups
                        FROM (SELECT \(group), \(sums.ofSums()) FROM cell GROUP BY \(group)) AS sums
                    ) AS ranked
                    \(isShown)
                )
                SELECT \(SummaryFields.row(.bucket, parts.count, bucket: "bucket")), \(sums.ofSums())
                FROM cell GROUP BY bucket
                UNION ALL
                SELECT \(SummaryFields.row(.group, parts.count, rank: "rank", groups: "groups", isNamed: true)),
                    \(sums.list())
                FROM shown
                \(grouping == nil ? "" : series)
                """
        }
    }

    /// Makes the statement of the rows that `write` returns, in their order.
    init(partCount: Int, _ write: (inout Bindings) -> String) {
        var bindings = Bindings()
        var list = SelectList()
        fields = SummaryFields(&list, partCount: partCount)
        text = """
            SELECT \(list.sql) FROM (\(write(&bindings))) AS sums ORDER BY kind, rank, bucket
            """
        self.bindings = bindings
    }

    /// The order of groups.
    static func order(isReport: Bool, _ names: [String]) -> String {
        let most = "credit_hundredths DESC"
        let byValue = names.map { "\($0) = '', \($0)" }.joined(separator: ", ")
        // `by_report` has the records without a name last, whatever their credits.
        return isReport ? "value_1 = '', \(most), value_1" : "\(most), \(byValue)"
    }

    /// The sums by bucket and keys: a query of the records for each bucket.
    private static func byBucket(
        _ keys: String, _ filter: UsageFilter, _ buckets: [Range<Timestamp>],
        _ bindings: inout Bindings
    ) -> String {
        let starts = bindings.bind(buckets.map(\.lowerBound))
        let ends = bindings.bind(buckets.map(\.upperBound))
        let inBucket = [#""timestamp" >= bucket_start"#, #""timestamp" < bucket_end"#]
        return """
            SELECT bucket, sums.*
            FROM unnest(\(starts), \(ends)) WITH ORDINALITY
                    AS period(bucket_start, bucket_end, bucket),
                LATERAL (
                    SELECT \(keys), \(SumFields.Columns.all.ofRecords()) FROM usage_record
                    \(whereClause(inBucket + filter.conditions(&bindings)))
                    GROUP BY \(keys)
                ) AS sums
            """
    }

    /// The same by one query of the records.
    private static func once(
        _ keys: String, _ filter: UsageFilter, _ buckets: [Range<Timestamp>],
        _ bindings: inout Bindings
    ) -> String {
        let starts = bindings.bind(buckets.map(\.lowerBound))
        var period = UsageFilter()
        period.from = buckets.first?.lowerBound
        period.to = buckets.last?.upperBound
        return """
            SELECT width_bucket("timestamp", \(starts)) AS bucket, \(keys), \(SumFields.Columns.all.ofRecords())
            FROM usage_record \(whereClause(filter.and(period).conditions(&bindings)))
            GROUP BY bucket, \(keys)
            """
    }
}

extension GroupPart {
    /// The column of records that determines the value.
    var key: String {
        switch self {
        case .reportName: UsageRecord.Column.reportName.sql
        case .attribution: UsageRecord.Column.attributionID.sql
        }
    }

    /// The value; NULL or empty for records without one.
    func sql(_ bindings: inout Bindings) -> String {
        switch self {
        case .reportName: key
        case .attribution(let part): part.sql(&bindings)
        }
    }
}

extension AttributionPart {
    /// The value in the table of attributions; empty without one.
    func sql(_ bindings: inout Bindings) -> String {
        switch self {
        case .column(let column): column.sql
        case .tag(let key): "coalesce(tags ->> \(bindings.bind(key, as: "text")), '') COLLATE \"C\""
        }
    }
}

/// The columns of a summary's statement.
struct SummaryFields {
    private let kind: Field<Int64>
    private let bucket: Field<Int64?>
    private let rank: Field<Int64?>
    private let groups: Field<Int64?>
    private let values: [Field<String?>]
    private let sums: SumFields

    /// Adds the columns to `list`.
    init(_ list: inout SelectList, partCount: Int) {
        kind = list.add("kind")
        bucket = list.add("bucket")
        rank = list.add("rank")
        groups = list.add("groups")
        values = Self.names(partCount).map { list.add("nullif(\($0), '')") }
        sums = SumFields(&list)
    }

    /// The names of the values of so many parts.
    static func names(_ partCount: Int) -> [String] {
        (0..<partCount).map { "value_\($0 + 1)" }
    }

    /// The columns of a row before its sums.
    static func row(
        _ kind: SummaryRow.Kind, _ partCount: Int, bucket: String = "NULL::bigint",
        rank: String = "NULL::bigint", groups: String = "NULL::bigint", isNamed: Bool = false
    ) -> String {
        let values = names(partCount).map { isNamed ? $0 : "NULL::text AS \($0)" }
        let numbers = [
            "\(kind.rawValue) AS kind", "\(bucket) AS bucket", "\(rank) AS rank",
            "\(groups) AS groups",
        ]
        return (numbers + values).joined(separator: ", ")
    }

    /// The row.
    func row(_ row: QueryReader) -> SummaryRow {
        SummaryRow(
            kind: SummaryRow.Kind(rawValue: row[kind]) ?? .bucket, bucket: Int(row[bucket] ?? 0),
            rank: row[rank] ?? 0, groupCount: row[groups] ?? 0, values: values.map { row[$0] },
            sum: sums.sum(row))
    }
}

/// A row of a summary's statement.
struct SummaryRow {
    /// What the sum is of, in the order of the rows.
    enum Kind: Int64 {
        /// All records of a bucket.
        case bucket
        /// All records of a group.
        case group
        /// All records of a bucket, or of all, that have a value.
        case named
        /// The records of a group in a bucket.
        case series
    }

    let kind: Kind

    /// The number of the bucket, from 1.
    var bucket = 0

    /// The number of the group, from 1.
    var rank: Int64 = 0

    /// The number of all groups.
    var groupCount: Int64 = 0

    /// The values of the group's parts; nil without one.
    let values: [String?]

    let sum: UsageSum

    /// The same group with another number.
    func numbered(_ rank: Int64) -> SummaryRow {
        var row = self
        row.rank = rank
        return row
    }
}

/// The rows of a summary, streamed: buckets, then groups, then the series of each group in turn.
final class SummaryRows {
    private let reader: QueryReader
    private let fields: SummaryFields

    init(_ reader: QueryReader, _ fields: SummaryFields) {
        self.reader = reader
        self.fields = fields
    }

    /// The next row; nil after the last one.
    func next() throws -> SummaryRow? { try reader.next() ? fields.row(reader) : nil }
}
