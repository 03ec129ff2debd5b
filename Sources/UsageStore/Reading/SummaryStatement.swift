import Postgres
import Usage

/// The statement that sums usage records by bucket and by report name.
///
/// Each bucket is a range of the time index, summed by report name; all other sums are sums of these,
/// so they always agree.
struct SummaryStatement {
    /// The statement.
    let text: String

    /// Its columns.
    let fields: SummaryFields

    /// Its values.
    let bindings: Bindings

    /// Makes the statement for `buckets`, which must be contiguous.
    init(_ filter: UsageFilter, buckets: [Range<Timestamp>]) {
        var bindings = Bindings()
        var list = SelectList()
        fields = SummaryFields(&list)
        let starts = bindings.bind(buckets.map(\.lowerBound))
        let ends = bindings.bind(buckets.map(\.upperBound))
        let inBucket = [#""timestamp" >= bucket_start"#, #""timestamp" < bucket_end"#]
        let conditions = inBucket + filter.conditions(&bindings)
        text = """
            WITH part AS MATERIALIZED (
                SELECT bucket, report_name, messages, reports, hundredths
                FROM unnest(\(starts), \(ends)) WITH ORDINALITY
                        AS period(bucket_start, bucket_end, bucket),
                    LATERAL (
                        SELECT report_name, count(*) AS messages,
                            count(report_name) AS reports, sum(credit_hundredths) AS hundredths
                        FROM usage_record \(whereClause(conditions))
                        GROUP BY report_name
                    ) AS sums
            )
            SELECT \(list.sql)
            FROM part
            GROUP BY GROUPING SETS ((), (bucket), (report_name))
            ORDER BY \(SummaryFields.kind), bucket, report_name IS NULL, sum(hundredths) DESC, report_name
            """
        self.bindings = bindings
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
