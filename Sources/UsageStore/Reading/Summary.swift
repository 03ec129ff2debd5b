import Postgres
public import Usage

/// Sums of usage: messages, messages with a report name, and credits.
public struct UsageSum: Sendable {
    /// The number of messages.
    public let messages: Int64

    /// The number of messages with a report name.
    public let reports: Int64

    /// The credits with two decimals, exact at any size.
    public let creditsUsed: String

    /// Nothing.
    public static let zero = UsageSum(messages: 0, reports: 0, creditsUsed: "0.00")
}

/// The sums of one period: in total, by bucket, and by report name.
public final class Summary {
    /// The sum of all records.
    public private(set) var totals = UsageSum.zero

    /// The sums of the requested buckets, in order.
    public private(set) var buckets: [UsageSum]

    private let reader: QueryReader
    private let fields: SummaryFields
    private var isAtReport = false

    private static let totalsKind: Int64 = 0
    private static let bucketKind: Int64 = 1

    fileprivate init(
        _ reader: QueryReader, _ fields: SummaryFields, bucketCount: Int
    ) throws {
        self.reader = reader
        self.fields = fields
        buckets = Array(repeating: .zero, count: bucketCount)
        while try reader.next() {
            switch reader[fields.kind] {
            case Self.totalsKind: totals = fields.sum(reader)
            case Self.bucketKind: buckets[Int(reader[fields.bucket] ?? 1) - 1] = fields.sum(reader)
            default:
                isAtReport = true
                return
            }
        }
    }

    /// The next report name and its sum: most credits first, records without a name last.
    public func nextReport() throws -> (reportName: String?, sum: UsageSum)? {
        guard isAtReport else { return nil }
        let report = (reader[fields.reportName], fields.sum(reader))
        isAtReport = try reportingUnavailability { try reader.next() }
        return report
    }
}

extension Snapshot {
    /// The sums of the records that match `filter`, for each of `buckets`, which must be contiguous.
    public func summary(_ filter: UsageFilter, buckets: [Range<Timestamp>]) throws -> Summary {
        try reportingUnavailability {
            let statement = SummaryStatement(filter.and(bounds), buckets: buckets)
            let reader = try QueryReader(
                connection, "summary", statement.text, statement.bindings.values, isStreamed: true)
            return try Summary(reader, statement.fields, bucketCount: buckets.count)
        }
    }

    /// The first and the last instant of the records that match `filter`; nil without records.
    public func extent(_ filter: UsageFilter) throws -> ClosedRange<Timestamp>? {
        try reportingUnavailability {
            var bindings = Bindings()
            let conditions = filter.and(bounds).conditions(&bindings)
            var list = SelectList()
            let first = list.add("min(\"timestamp\")", as: Timestamp?.self)
            let last = list.add("max(\"timestamp\")", as: Timestamp?.self)
            let reader = try QueryReader(
                connection, "extent",
                "SELECT \(list.sql) FROM usage_record \(whereClause(conditions))",
                bindings.values)
            guard try reader.next(), let first = reader[first], let last = reader[last] else {
                return nil
            }
            return first...last
        }
    }
}

/// The statement that sums usage records by bucket and by report name.
///
/// Each bucket is a range of the time index, summed by report name; all other sums are sums of these,
/// so they always agree. A filter of attributions would be evaluated again for each bucket, so
/// their records are read once, and each is assigned to its bucket.
struct SummaryStatement {
    /// The statement.
    let text: String

    /// Its columns.
    let fields: SummaryFields

    /// Its values.
    let bindings: Bindings

    /// Makes the statement for `buckets`, which must be contiguous, and at least one.
    init(_ filter: UsageFilter, buckets: [Range<Timestamp>]) {
        var bindings = Bindings()
        var list = SelectList()
        fields = SummaryFields(&list)
        var unused = Bindings()
        let isOfSome = !filter.attributionConditions(&unused).isEmpty
        let part = (isOfSome ? Self.once : Self.byBucket)(filter, buckets, &bindings)
        text = """
            WITH part AS MATERIALIZED (\(part))
            SELECT \(list.sql)
            FROM part
            GROUP BY GROUPING SETS ((), (bucket), (report_name))
            ORDER BY \(SummaryFields.kind), bucket, report_name IS NULL, sum(hundredths) DESC, report_name
            """
        self.bindings = bindings
    }

    private static let sums = """
        report_name, count(*) AS messages, count(report_name) AS reports,
            sum(credit_hundredths) AS hundredths
        """

    /// The sums by bucket and report name: a query of the records for each bucket.
    private static func byBucket(
        _ filter: UsageFilter, _ buckets: [Range<Timestamp>], _ bindings: inout Bindings
    ) -> String {
        let starts = bindings.bind(buckets.map(\.lowerBound))
        let ends = bindings.bind(buckets.map(\.upperBound))
        let inBucket = [#""timestamp" >= bucket_start"#, #""timestamp" < bucket_end"#]
        return """
            SELECT bucket, report_name, messages, reports, hundredths
            FROM unnest(\(starts), \(ends)) WITH ORDINALITY
                    AS period(bucket_start, bucket_end, bucket),
                LATERAL (
                    SELECT \(sums) FROM usage_record
                    \(whereClause(inBucket + filter.conditions(&bindings)))
                    GROUP BY report_name
                ) AS sums
            """
    }

    /// The same by one query of the records.
    private static func once(
        _ filter: UsageFilter, _ buckets: [Range<Timestamp>], _ bindings: inout Bindings
    ) -> String {
        let starts = bindings.bind(buckets.map(\.lowerBound))
        var period = UsageFilter()
        period.from = buckets.first?.lowerBound
        period.to = buckets.last?.upperBound
        return """
            SELECT width_bucket("timestamp", \(starts)) AS bucket, \(sums)
            FROM usage_record \(whereClause(filter.and(period).conditions(&bindings)))
            GROUP BY 1, report_name
            """
    }
}

/// The columns of sums.
struct SummaryFields {
    /// The kind of a sum: 0 for the total, 1 for a bucket, 2 for a report name.
    static let kind =
        "CASE GROUPING(bucket, report_name) WHEN 3 THEN 0 WHEN 1 THEN 1 ELSE 2 END"

    let kind: Field<Int64>
    let bucket: Field<Int64?>
    let reportName: Field<String?>
    private let messages: Field<Int64>
    private let reports: Field<Int64>
    private let creditsUsed: Field<String>

    init(_ list: inout SelectList) {
        kind = list.add(Self.kind)
        bucket = list.add("bucket")
        reportName = list.add("report_name")
        messages = list.add("coalesce(sum(messages), 0)")
        reports = list.add("coalesce(sum(reports), 0)")
        creditsUsed = list.add("coalesce(sum(hundredths), 0) * 0.01")
    }

    /// The sum in a row.
    func sum(_ row: QueryReader) -> UsageSum {
        UsageSum(
            messages: row[messages], reports: row[reports], creditsUsed: row[creditsUsed])
    }
}
