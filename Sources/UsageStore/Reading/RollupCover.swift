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

    /// Where the levels take the place of records, and deltas have to be added; in order, disjoint.
    private(set) var covered: [Part] = []

    /// The microseconds of records to read, without the few between stored buckets.
    private(set) var recordMicroseconds: Int64 = 0

    /// Covers contiguous `ranges` with quarters of an hour, and with the records at their edges.
    init(quartersOf ranges: [Range<Timestamp>]) {
        for (index, range) in ranges.enumerated() {
            let start = Self.quarter(range.lowerBound, plus: Self.quarter - 1)
            let end = Self.quarter(range.upperBound, plus: 0)
            guard start < end else {
                append(records: range, index + 1)
                continue
            }
            append(records: range.lowerBound..<start, index + 1)
            covered.append(Part(range: start..<end, number: index + 1))
            append(records: end..<range.upperBound, index + 1)
        }
        covered = Self.joined(covered)
    }

    /// Covers contiguous `ranges` with those of the stored `buckets`, and with other records.
    ///
    /// One range may be a larger bucket minus parts of it. Before `closedBefore` there are sums only.
    init(
        _ ranges: [Range<Timestamp>], with buckets: [RollupBucket], closedBefore: Timestamp? = nil
    ) {
        let stored = RollupUnit.allCases.map { unit in
            // The sums of a bucket over the start of 2000 lack what is before it.
            buckets.filter { $0.unit == unit && $0.range.lowerBound >= Self.start }
                .sorted { $0.range.lowerBound < $1.range.lowerBound }
        }
        let plan = Plan(
            stored: stored, mayExceed: ranges.count == 1,
            closedBefore: closedBefore ?? Timestamp.representable.lowerBound)
        for (index, range) in ranges.enumerated() {
            add(plan.pieces(range, stored[...]), index + 1, plan.closedBefore)
        }
        records = Self.joined(records)
        subtracted = Self.joined(subtracted)
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

    private mutating func append(records range: Range<Timestamp>, _ number: Int) {
        if !range.isEmpty { records.append(Part(range: range, number: number)) }
    }

    private mutating func add(_ pieces: Pieces, _ number: Int, _ closedBefore: Timestamp) {
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
                    isClosed: piece.range.lowerBound < closedBefore,
                    isOpen: piece.range.upperBound > closedBefore))
            recordMicroseconds -= Plan.bucketCost
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

/// Stored buckets (`id`) and records (nil) that add up to a range, with their cost.
private struct Pieces {
    struct Piece {
        let id: Int64?
        let range: Range<Timestamp>
        var isSubtracted = false
    }

    var list: [Piece] = []

    /// The microseconds of records that cost as much.
    var cost: Int64 = 0

    mutating func add(_ other: Pieces) {
        list += other.list
        cost = min(cost + other.cost, 1 << 61)
    }

    mutating func subtract(_ other: Pieces) {
        list += other.list.map { piece in
            Piece(id: piece.id, range: piece.range, isSubtracted: !piece.isSubtracted)
        }
        cost = min(cost + other.cost, 1 << 61)
    }
}

/// Chooses pieces.
private struct Plan {
    /// The sums of one bucket cost as much as the records of this time: some thousand.
    static let bucketCost: Int64 = 30 * 60_000_000

    /// More than all buckets, and far from an overflow.
    private static let closedCost: Int64 = 1 << 60

    let stored: [[RollupBucket]]
    let mayExceed: Bool
    let closedBefore: Timestamp

    /// The pieces of `range`, from the coarsest of `levels`; the parts between buckets have few records.
    func pieces(
        _ range: Range<Timestamp>, _ levels: ArraySlice<[RollupBucket]>, isBetween: Bool = false
    ) -> Pieces {
        guard !range.isEmpty else { return Pieces() }
        guard let buckets = levels.first else { return records(range, isBetween: isBetween) }
        let finer = levels.dropFirst()
        var sum = Pieces()
        var start = range.lowerBound
        for bucket in buckets[Self.first(after: range.lowerBound, buckets)...] {
            guard bucket.range.lowerBound < range.upperBound else { break }
            let part = bucket.range.clamped(to: range)
            // Overlapping buckets are impossible; but no record may count twice.
            guard start <= part.lowerBound else { continue }
            sum.add(pieces(start..<part.lowerBound, finer, isBetween: true))
            sum.add(pieces(part, of: bucket, finer))
            start = part.upperBound
        }
        sum.add(pieces(start..<range.upperBound, finer, isBetween: true))
        return sum
    }

    /// The records of `range`; closed ones have no place between buckets.
    private func records(_ range: Range<Timestamp>, isBetween: Bool) -> Pieces {
        let start = isBetween ? max(range.lowerBound, closedBefore) : range.lowerBound
        guard start < range.upperBound else { return Pieces() }
        let length = range.upperBound.microseconds - start.microseconds
        let cost = start < closedBefore ? Self.closedCost : length
        return Pieces(
            list: [Pieces.Piece(id: nil, range: start..<range.upperBound)],
            cost: isBetween ? 0 : cost)
    }

    /// The index of the first of some sorted buckets that ends after `instant`.
    private static func first(after instant: Timestamp, _ buckets: [RollupBucket]) -> Int {
        var bounds = 0..<buckets.count
        while !bounds.isEmpty {
            let middle = (bounds.lowerBound + bounds.upperBound) / 2
            if buckets[middle].range.upperBound > instant {
                bounds = bounds.lowerBound..<middle
            } else {
                bounds = middle + 1..<bounds.upperBound
            }
        }
        return bounds.lowerBound
    }

    /// The pieces of a part of `bucket`.
    private func pieces(
        _ part: Range<Timestamp>, of bucket: RollupBucket, _ finer: ArraySlice<[RollupBucket]>
    ) -> Pieces {
        let whole = Pieces(
            list: [Pieces.Piece(id: bucket.id, range: bucket.range)], cost: Self.bucketCost)
        if part == bucket.range { return whole }
        let inside = pieces(part, finer)
        guard mayExceed else { return inside }
        var rest = whole
        rest.subtract(pieces(bucket.range.lowerBound..<part.lowerBound, finer))
        rest.subtract(pieces(part.upperBound..<bucket.range.upperBound, finer))
        return rest.cost < inside.cost ? rest : inside
    }
}
