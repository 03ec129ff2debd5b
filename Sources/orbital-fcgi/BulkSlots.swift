import Synchronization

/// The workers that full reads may take; the others stay free for short requests.
final class BulkSlots: Sendable {
    private let free: Atomic<Int>

    init(_ count: Int) { free = Atomic(count) }

    /// Takes a slot; false when none is free.
    func take() -> Bool {
        if free.subtract(1, ordering: .acquiring).newValue >= 0 { return true }
        giveBack()
        return false
    }

    func giveBack() { free.add(1, ordering: .releasing) }
}
