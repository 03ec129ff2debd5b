import Usage

/// The statement that sums usage records by bucket and by report name.
///
/// Each bucket is a range of the time index, summed by report name; everything else is a sum of
/// those sums, so that no two of them can disagree.
struct SummaryStatement {
    /// The statement; its columns are kind, bucket, report name, messages, reports and credits.
    let text: String

    /// Its values.
    let bindings: Bindings

    /// Makes the statement for `buckets`, which follow on one another.
    init(_ filter: UsageFilter, buckets: [Range<Timestamp>]) {
        var bindings = Bindings()
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
            SELECT CASE GROUPING(bucket, report_name) WHEN 3 THEN 0 WHEN 1 THEN 1 ELSE 2 END
                    ::bigint AS kind,
                bucket, report_name, coalesce(sum(messages), 0)::bigint,
                coalesce(sum(reports), 0)::bigint,
                (coalesce(sum(hundredths), 0) * 0.01)::text
            FROM part
            GROUP BY GROUPING SETS ((), (bucket), (report_name))
            ORDER BY kind, bucket, report_name IS NULL, sum(hundredths) DESC, report_name
            """
        self.bindings = bindings
    }
}
