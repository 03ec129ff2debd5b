import Synchronization

/// A number that only grows; safe to share, and nobody waits for anybody.
public final class Counter: Sendable {
    private let count = Atomic(0)

    /// Starts at 0.
    public init() {}

    /// Counts one more, or `more`.
    public func add(_ more: Int = 1) { count.add(more, ordering: .relaxed) }

    /// What was counted so far.
    public var total: Int { count.load(ordering: .relaxed) }
}
