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
