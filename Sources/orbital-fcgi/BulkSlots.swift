import HTTP
import Metrics
import Synchronization

/// The workers that full reads may take; the others stay free for short requests.
final class BulkSlots: Sendable {
    private let free: Atomic<Int>

    /// How many there are.
    let count: Int

    /// Requests that were refused because none was free.
    let refusals = Counter()

    init(_ count: Int) {
        self.count = count
        free = Atomic(count)
    }

    /// How many are taken.
    var takenCount: Int { count - free.load(ordering: .relaxed) }

    /// Takes a slot; false when none is free, or `limit` are taken.
    func take(upTo limit: Int) -> Bool {
        var current = free.load(ordering: .relaxed)
        while current > max(0, count - limit) {
            let (isTaken, found) = free.weakCompareExchange(
                expected: current, desired: current - 1, ordering: .acquiring)
            if isTaken { return true }
            current = found
        }
        return false
    }

    func giveBack() { free.add(1, ordering: .releasing) }
}

/// The slot of one worker, taken while it sends a long response.
final class BulkSlot {
    private let slots: BulkSlots
    private var isTaken = false

    init(of slots: BulkSlots) { self.slots = slots }

    /// Takes the slot; throws a 503 when none is free, or `limit` workers have one.
    func claim(upTo limit: Int) throws(Problem) {
        guard !isTaken else { return }
        guard slots.take(upTo: limit) else {
            slots.refusals.add()
            throw Problem.unavailable(
                "All workers for long answers are busy.", retryAfterSeconds: 1)
        }
        isTaken = true
    }

    /// Gives it back, if it was taken.
    func release() {
        if isTaken { slots.giveBack() }
        isTaken = false
    }
}
