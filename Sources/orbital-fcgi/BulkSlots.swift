import Synchronization

/// The workers that full reads may take; the others stay free for short requests.
final class BulkSlots: Sendable {
    private let free: Atomic<Int>

    init(_ count: Int) { free = Atomic(count) }

    /// Takes a slot; false when none is free.
    func take() -> Bool {
        var current = free.load(ordering: .relaxed)
        while current > 0 {
            let (isTaken, found) = free.weakCompareExchange(
                expected: current, desired: current - 1, ordering: .acquiring)
            if isTaken { return true }
            current = found
        }
        return false
    }

    func giveBack() { free.add(1, ordering: .releasing) }
}
