import HTTP
import Usage
import UsageStore

/// The period of a summary and its buckets.
struct SummaryPeriod {
    let start: Timestamp
    let end: Timestamp
    let granularity: Granularity
    let buckets: [Range<Timestamp>]
    let offsets: ZoneOffsets

    /// The granularities for a query without one, the finest first; `total` always fits.
    private static let choices: [Granularity] = [.day, .week, .month, .total]

    /// Determines the period of `query`; nil if it has no range and there are no records.
    ///
    /// A missing bound is the start of the first record's local day, or the end of the last one's.
    /// Throws a 400 if the requested granularity gives too many buckets.
    init?(_ query: SummaryQuery, _ snapshot: Snapshot) throws {
        guard let ends = try Self.ends(query, snapshot) else { return nil }
        start = ends.lowerBound
        end = ends.upperBound
        let atStart = try snapshot.offsets(of: query.zone, from: start, to: start)
        let atEnd = try snapshot.offsets(of: query.zone, from: end, to: end)
        let edges = ZoneOffsets(atStart.segments + atEnd.segments)
        let outline = ReportingPeriod(from: start, to: end, offsets: edges)
        var count = 0
        for granularity in query.granularity.map({ [$0] }) ?? Self.choices {
            count = outline.estimatedCount(granularity)
            // A clock change may remove an hour or a day; far more buckets are certainly too many.
            guard count <= granularity.bucketLimit + 2 else { continue }
            let offsets =
                granularity == .total
                ? edges : try snapshot.offsets(of: query.zone, from: start, to: end)
            let period = ReportingPeriod(from: start, to: end, offsets: offsets)
            let buckets = period.buckets(granularity)
            count = buckets.count
            guard count <= granularity.bucketLimit else { continue }
            self.granularity = granularity
            self.buckets = buckets
            self.offsets = offsets
            return
        }
        throw Self.tooMany(count, query.granularity ?? .total, outline)
    }

    private static func ends(
        _ query: SummaryQuery, _ snapshot: Snapshot
    ) throws -> Range<Timestamp>? {
        let from = query.filter.from
        let to = query.filter.to
        if let from, let to { return from..<to }
        guard let extent = try snapshot.extent(query.filter) else {
            return (from ?? to).map { $0..<$0 }
        }
        let first = extent.lowerBound
        let last = extent.upperBound
        let atFirst = try snapshot.offsets(of: query.zone, from: first, to: first)
        let atLast = try snapshot.offsets(of: query.zone, from: last, to: last)
        let start = from ?? atFirst.start(of: atFirst.date(at: first))
        return max(
            start, Timestamp.representable.lowerBound)..<(to ?? atLast.startOfDay(after: last))
    }

    private static func tooMany(
        _ count: Int, _ granularity: Granularity, _ period: ReportingPeriod
    ) -> Problem {
        let fitting =
            Granularity.allCases.first {
                $0.bucketLimit < granularity.bucketLimit
                    && period.estimatedCount($0) <= $0.bucketLimit
            } ?? .total
        return Problem(
            .badRequest, "The range has too many buckets.",
            faults: [
                Problem.Fault(
                    in: "query", name: "granularity", code: .tooManyBuckets,
                    message: """
                        granularity=\(granularity.rawValue) gives \(count) buckets, more than \
                        \(granularity.bucketLimit); use granularity=\(fitting.rawValue).
                        """)
            ])
    }
}
