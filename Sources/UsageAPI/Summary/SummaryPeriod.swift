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
        let outline = query.period(from: start, to: end, edges)
        var count = 0
        for granularity in query.granularity.map({ [$0] }) ?? Self.choices {
            count = outline.estimatedCount(granularity)
            // A clock change may remove an hour or a day; far more buckets are certainly too many.
            guard count <= granularity.bucketLimit + 2 else { continue }
            let offsets =
                granularity == .total
                ? edges : try snapshot.offsets(of: query.zone, from: start, to: end)
            let buckets = query.period(from: start, to: end, offsets).buckets(granularity)
            count = buckets.count
            guard count <= granularity.bucketLimit else { continue }
            self.granularity = granularity
            self.buckets = buckets
            self.offsets = offsets
            return
        }
        throw Self.tooMany(count, query.granularity ?? .total, outline)
    }

    /// The instant with the zone's offset at that time.
    func text(of instant: Timestamp) -> String { offsets.text(of: instant) }

    /// The local date at the start of `bucket`.
    func date(of bucket: Range<Timestamp>) -> String {
        offsets.date(at: bucket.lowerBound).description
    }

    private static func ends(
        _ query: SummaryQuery, _ snapshot: Snapshot
    ) throws -> Range<Timestamp>? {
        let from = query.filter.from
        let to = query.filter.to
        if let from, let to { return from..<to }
        guard let extent = try snapshot.extent(query.filter, zone: query.zone) else {
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

/// The period before that of a summary, and its sum.
struct PreviousPeriod {
    /// Its start in local time; it ends where the summary's period starts.
    let start: String

    /// The sum of all records in it.
    let totals: UsageSum

    /// Determines and sums the period before `period`; nil unless `query` requests it.
    init?(_ query: SummaryQuery, _ period: SummaryPeriod?, _ snapshot: Snapshot) throws {
        guard query.hasPrevious, let period else { return nil }
        let earliest = Timestamp(
            microseconds: 2 * period.start.microseconds - period.end.microseconds)
        let offsets = try snapshot.offsets(
            of: query.zone, from: earliest, to: query.isInDays ? period.end : earliest)
        let range = query.period(from: period.start, to: period.end, offsets)
            .previous(inDays: query.isInDays)
        start = offsets.text(of: range.lowerBound)
        guard !range.isEmpty else {
            totals = .zero
            return
        }
        var filter = query.filter
        filter.from = range.lowerBound
        filter.to = range.upperBound
        totals = try snapshot.total(filter)
    }
}

extension ZoneOffsets {
    fileprivate func text(of instant: Timestamp) -> String {
        instant.description(offsetSeconds: offsetSeconds(at: instant))
    }
}

extension SummaryQuery {
    fileprivate func period(
        from start: Timestamp, to end: Timestamp, _ offsets: ZoneOffsets
    ) -> ReportingPeriod {
        ReportingPeriod(
            from: start, to: end, offsets: offsets, monthStart: monthStart, weekStart: weekStart)
    }
}
