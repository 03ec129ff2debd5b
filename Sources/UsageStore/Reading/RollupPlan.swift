import Usage

/// Stored buckets (`id`) and records (nil) that add up to a range, with their cost.
struct RollupPieces {
    struct Piece {
        let id: Int64?
        let range: Range<Timestamp>
        var isSubtracted = false
    }

    var list: [Piece] = []

    /// The microseconds of records that cost as much.
    var cost: Int64 = 0

    mutating func add(_ other: RollupPieces) {
        list += other.list
        cost = min(cost + other.cost, 1 << 61)
    }

    mutating func subtract(_ other: RollupPieces) {
        list += other.list.map { piece in
            Piece(id: piece.id, range: piece.range, isSubtracted: !piece.isSubtracted)
        }
        cost = min(cost + other.cost, 1 << 61)
    }
}

/// Chooses the pieces of a cover.
struct RollupPlan {
    /// The sums of one bucket cost as much as the records of this time: some thousand.
    static let bucketCost: Int64 = 30 * 60_000_000

    /// More than all buckets, and far from an overflow.
    private static let closedCost: Int64 = 1 << 60

    let stored: [[RollupBucket]]

    /// Before it, all records are in stored buckets; nil if nothing is closed, or if quarters have them, too.
    let closedBefore: Timestamp?

    /// Whether the part of a bucket may be the bucket minus the rest.
    let mayExceed: (_ part: Range<Timestamp>) -> Bool

    /// The pieces of `range`, from the coarsest of `levels`; the parts between buckets have few records.
    func pieces(
        _ range: Range<Timestamp>, _ levels: ArraySlice<[RollupBucket]>, isBetween: Bool = false
    ) -> RollupPieces {
        guard !range.isEmpty else { return RollupPieces() }
        guard let buckets = levels.first else { return records(range, isBetween: isBetween) }
        let finer = levels.dropFirst()
        var sum = RollupPieces()
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
    private func records(_ range: Range<Timestamp>, isBetween: Bool) -> RollupPieces {
        let line = closedBefore ?? range.lowerBound
        let start = isBetween ? max(range.lowerBound, line) : range.lowerBound
        guard start < range.upperBound else { return RollupPieces() }
        let length = range.upperBound.microseconds - start.microseconds
        let cost = start < line ? Self.closedCost : length
        return RollupPieces(
            list: [RollupPieces.Piece(id: nil, range: start..<range.upperBound)],
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
    ) -> RollupPieces {
        let whole = RollupPieces(
            list: [RollupPieces.Piece(id: bucket.id, range: bucket.range)], cost: Self.bucketCost)
        if part == bucket.range { return whole }
        let inside = pieces(part, finer)
        guard mayExceed(part) else { return inside }
        var rest = whole
        rest.subtract(pieces(bucket.range.lowerBound..<part.lowerBound, finer))
        rest.subtract(pieces(part.upperBound..<bucket.range.upperBound, finer))
        return rest.cost < inside.cost ? rest : inside
    }
}
