import Postgres
public import Usage

/// How much was used: messages, those of them with a report name, and the sum of credits.
public struct UsageSum: Sendable {
    /// The number of messages.
    public let messages: Int64

    /// The number of messages with a report name.
    public let reports: Int64

    /// The credits with two decimals, exact however many they are.
    public let creditsUsed: String

    /// Nothing.
    public static let zero = UsageSum(messages: 0, reports: 0, creditsUsed: "0.00")
}

/// The sums of one period: in all, by bucket, and by report name.
public final class Summary {
    /// The sum of everything.
    public private(set) var totals = UsageSum.zero

    /// The sums of the buckets that were asked for, in their order.
    public private(set) var buckets: [UsageSum]

    private let reader: QueryReader
    private var isAtReport = false

    private static let totalsKind: Int64 = 0
    private static let bucketKind: Int64 = 1

    fileprivate init(_ reader: QueryReader, bucketCount: Int) throws {
        self.reader = reader
        buckets = Array(repeating: .zero, count: bucketCount)
        while try reader.next() {
            switch reader.integer(0) {
            case Self.totalsKind: totals = reader.sum
            case Self.bucketKind: buckets[Int(reader.integer(1)) - 1] = reader.sum
            default:
                isAtReport = true
                return
            }
        }
    }

    /// The next report name and its sum, the dearest first and those without a name last.
    public func nextReport() throws -> (reportName: String?, sum: UsageSum)? {
        guard isAtReport else { return nil }
        let report = (reader.string(2), reader.sum)
        isAtReport = try reportingUnavailability { try reader.next() }
        return report
    }
}

extension Snapshot {
    /// The sums of the records that `filter` lets through, for each of `buckets`, which follow on
    /// one another.
    public func summary(_ filter: UsageFilter, buckets: [Range<Timestamp>]) throws -> Summary {
        try reportingUnavailability {
            let statement = SummaryStatement(filter, buckets: buckets)
            let reader = try QueryReader(
                connection, statement.text, statement.bindings.values, isStreamed: true)
            return try Summary(reader, bucketCount: buckets.count)
        }
    }

    /// The first and the last instant of the records that `filter` lets through; nil without any.
    public func extent(_ filter: UsageFilter) throws -> ClosedRange<Timestamp>? {
        try reportingUnavailability {
            var bindings = Bindings()
            let conditions = filter.conditions(&bindings)
            let reader = try QueryReader(
                connection,
                """
                SELECT min("timestamp"), max("timestamp")
                FROM usage_record \(whereClause(conditions))
                """, bindings.values, isStreamed: false)
            guard try reader.next(), !reader.isNull(0) else { return nil }
            let first = Timestamp(postgresMicroseconds: reader.integer(0))
            return first...Timestamp(postgresMicroseconds: reader.integer(1))
        }
    }
}

extension QueryReader {
    fileprivate var sum: UsageSum {
        UsageSum(messages: integer(3), reports: integer(4), creditsUsed: string(5) ?? "0.00")
    }
}
