import Synchronization

/// A number that only grows; thread-safe and lock-free.
public final class Counter: Sendable {
    private let count = Atomic(0)

    /// Starts at 0.
    public init() {}

    /// Adds `more`.
    public func add(_ more: Int = 1) { count.add(more, ordering: .relaxed) }

    /// The current value.
    public var total: Int { count.load(ordering: .relaxed) }
}

/// The distribution of durations in fixed buckets; thread-safe.
public final class Histogram: Sendable {
    /// The upper bounds of the buckets, in microseconds; one more bucket counts longer durations.
    ///
    /// They cover everything from a cached response to an export of millions of records.
    public static let boundsMicroseconds = [
        500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
        2_500_000, 5_000_000, 10_000_000, 30_000_000,
    ]

    private let buckets: InlineArray<16, Atomic<Int>>
    private let microseconds = Counter()

    /// Starts empty.
    public init() {
        buckets = InlineArray { _ in Atomic(0) }
        precondition(buckets.count == Self.boundsMicroseconds.count + 1, "one for the rest")
    }

    /// Counts `duration`.
    public func add(_ duration: Duration) {
        let taken = duration.microseconds
        // Most durations are short, so the search begins with the lowest bound.
        let bucket = Self.boundsMicroseconds.firstIndex { taken <= $0 }
        buckets[bucket ?? Self.boundsMicroseconds.count].add(1, ordering: .relaxed)
        microseconds.add(taken)
    }

    /// The number of durations up to each bound, and the total number.
    var cumulativeCounts: [Int] {
        var sum = 0
        return buckets.indices.map { index in
            sum += buckets[index].load(ordering: .relaxed)
            return sum
        }
    }

    /// The number of durations.
    var count: Int { cumulativeCounts.last ?? 0 }

    /// The sum of all durations.
    var seconds: Double { Double(microseconds.total) / 1_000_000 }
}

extension Duration {
    /// The duration in whole microseconds, rounded down.
    public var microseconds: Int {
        let (seconds, attoseconds) = components
        return Int(seconds) * 1_000_000 + Int(attoseconds / 1_000_000_000_000)
    }
}
