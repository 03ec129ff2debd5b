import Usage

/// A local year, month or day that has sums, with the bounds that it had when they were calculated.
struct RollupBucket: Equatable {
    let id: Int64
    let unit: RollupUnit
    let range: Range<Timestamp>
}

/// Which sums and which records add up to all records of some ranges of time.
///
/// Every sum is exact for the bounds of its bucket, and is used only for a range that contains them. So
/// sums of another time zone, or of one whose clock changes have changed since, cost time, not accuracy.
struct RollupCover: Equatable {
    /// A part of a range, numbered from 1.
    struct Part: Equatable {
        let range: Range<Timestamp>
        let number: Int
    }

    /// The sum of a stored bucket, added to or subtracted from a range.
    struct Level: Equatable {
        let id: Int64
        let number: Int
        let isSubtracted: Bool

        /// Whether records of it are closed, or open; both for the month in which the line is.
        let isClosed, isOpen: Bool
    }

    /// The sums of local years, months and days.
    private(set) var levels: [Level] = []

    /// The records to add.
    private(set) var records: [Part] = []

    /// The records to subtract.
    private(set) var subtracted: [Part] = []

    /// The sums of quarters of an hour to add, and to subtract.
    private(set) var quarters: [Part] = []
    private(set) var subtractedQuarters: [Part] = []

    /// Where the levels take the place of records, and deltas have to be added; in order, disjoint.
    private(set) var covered: [Part] = []

    /// The microseconds of records to read, without the few between stored buckets.
    private(set) var recordMicroseconds: Int64 = 0

    /// Covers contiguous `ranges` with those of the stored `buckets`, then with quarters of an hour if
    /// `hasQuarters`, and with other records.
    ///
    /// A range may be a larger bucket minus parts of it: one alone, or with quarters each that is on their
    /// grid. Before `closedBefore` there are sums only.
    init(
        _ ranges: [Range<Timestamp>], with buckets: [RollupBucket] = [], hasQuarters: Bool = false,
        closedBefore: Timestamp? = nil
    ) {
        let stored = RollupUnit.allCases.map { unit in
            // The sums of a bucket over the start of 2000 lack what is before it.
            buckets.filter { $0.unit == unit && $0.range.lowerBound >= Self.start }
                .sorted { $0.range.lowerBound < $1.range.lowerBound }
        }
        let plan = RollupPlan(
            stored: stored, closedBefore: hasQuarters ? nil : closedBefore,
            mayExceed: { hasQuarters ? Self.isOnGrid($0) : ranges.count == 1 })
        for (index, range) in ranges.enumerated() {
            add(plan.pieces(range, stored[...]), index + 1, closedBefore)
        }
        records = Self.joined(records)
        subtracted = Self.joined(subtracted)
        if hasQuarters { addQuarters(ranges) }
        covered = Self.joined(covered)
    }

    /// Whether it has records before `line`; none are closed before 2000.
    func needsRecords(before line: Timestamp) -> Bool {
        (records + subtracted).contains {
            $0.range.lowerBound < line && $0.range.upperBound > Self.start
        }
    }

    /// The first instant of the levels.
    private static let start = Timestamp(microseconds: 946_684_800_000_000)
    private static let quarter: Int64 = 900_000_000

    /// The start of the quarter of an hour, not before that of the levels.
    private static func quarter(_ instant: Timestamp, plus microseconds: Int64) -> Timestamp {
        let number = (max(instant, start).microseconds + microseconds) / quarter
        return Timestamp(microseconds: number * quarter)
    }

    private static func isOnGrid(_ range: Range<Timestamp>) -> Bool {
        range.lowerBound.microseconds % quarter == 0 && range.upperBound.microseconds % quarter == 0
    }

    /// Replaces records by quarters of an hour, except at the edges of `ranges`.
    private mutating func addQuarters(_ ranges: [Range<Timestamp>]) {
        let parts = records
        records = []
        subtractedQuarters = subtracted
        subtracted = []
        for part in parts {
            let start = Self.quarter(part.range.lowerBound, plus: Self.quarter - 1)
            let end = Self.quarter(part.range.upperBound, plus: 0)
            guard start < end else {
                records.append(part)
                continue
            }
            quarters.append(Part(range: start..<end, number: part.number))
            for edge in [part.range.lowerBound..<start, end..<part.range.upperBound] {
                if !edge.isEmpty { records.append(Part(range: edge, number: part.number)) }
            }
        }
        covered = ranges.enumerated().flatMap { index, range in
            let edges = records.filter { $0.number == index + 1 }.map(\.range)
            let starts = [range.lowerBound] + edges.map(\.upperBound)
            let ends = edges.map(\.lowerBound) + [range.upperBound]
            return zip(starts, ends).compactMap { start, end in
                start < end ? Part(range: start..<end, number: index + 1) : nil
            }
        }
    }

    private mutating func add(_ pieces: RollupPieces, _ number: Int, _ closedBefore: Timestamp?) {
        var changes: [(at: Timestamp, by: Int)] = []
        // Closed records cost almost the largest number.
        recordMicroseconds = min(recordMicroseconds + pieces.cost, 1 << 61)
        for piece in pieces.list {
            let part = Part(range: piece.range, number: number)
            guard let id = piece.id else {
                if piece.isSubtracted { subtracted.append(part) } else { records.append(part) }
                continue
            }
            levels.append(
                Level(
                    id: id, number: number, isSubtracted: piece.isSubtracted,
                    isClosed: closedBefore.map { piece.range.lowerBound < $0 } ?? false,
                    isOpen: closedBefore.map { piece.range.upperBound > $0 } ?? true))
            recordMicroseconds -= RollupPlan.bucketCost
            let sign = piece.isSubtracted ? -1 : 1
            changes += [(piece.range.lowerBound, sign), (piece.range.upperBound, -sign)]
        }
        changes.sort { $0.at < $1.at }
        var depth = 0
        for (change, next) in zip(changes, changes.dropFirst()) {
            depth += change.by
            if depth > 0, change.at < next.at {
                covered.append(Part(range: change.at..<next.at, number: number))
            }
        }
    }

    /// Joins parts that touch.
    private static func joined(_ parts: [Part]) -> [Part] {
        var joined: [Part] = []
        for part in parts.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            if let last = joined.last, last.number == part.number,
                last.range.upperBound == part.range.lowerBound
            {
                joined[joined.count - 1] = Part(
                    range: last.range.lowerBound..<part.range.upperBound, number: part.number)
            } else {
                joined.append(part)
            }
        }
        return joined
    }
}
