import Synchronization
import Threads

/// The state of items that many callers have at once and some of them hand over for all.
///
/// Pure, as `CoalescedQuery` is. While two batches are under way, the items that come form the next
/// one: while one of the two is written to disk, the other is worked on.
package struct CoalescedBatches<Caller: Equatable> {
    private var waiting: [Caller] = []
    private var runningCount = 0

    private static var runningLimit: Int { 2 }

    /// Starts with nothing to do.
    package init() {}

    /// A caller has an item: true if it must call `begin` and run a batch; otherwise it waits.
    package mutating func enter(_ caller: Caller) -> Bool {
        if runningCount < Self.runningLimit {
            runningCount += 1
            return true
        }
        waiting.append(caller)
        return false
    }

    /// Those whose items the batch of `caller` contains: its own, and all that wait.
    package mutating func begin(_ caller: Caller) -> [Caller] {
        defer { waiting = [] }
        return [caller] + waiting
    }

    /// A batch has ended; the caller that must run the next one.
    package mutating func end() -> Caller? {
        guard waiting.isEmpty else { return waiting.removeFirst() }
        runningCount -= 1
        return nil
    }

    /// A caller waits no longer; false if a batch has its item, or it is to run one.
    package mutating func withdraw(_ caller: Caller) -> Bool {
        let count = waiting.count
        waiting.removeAll { $0 == caller }
        return waiting.count < count
    }
}

/// Batches that the threads of a process hand over together.
public final class BatchCoalescer<Item: Sendable, Outcome: Sendable>: Sendable {
    private enum Turn {
        case run
        case take(Result<Outcome, any Error>)
    }

    private struct Member: Equatable {
        let item: Item
        let deadline: ContinuousClock.Instant
        let turn = Handoff<Turn>()

        static func == (left: Member, right: Member) -> Bool { left.turn == right.turn }
    }

    private let state = Mutex(CoalescedBatches<Member>())

    /// Starts with nothing to do.
    public init() {}

    /// What became of `item`, by this thread's `run` or by another's.
    ///
    /// `run` gets at least one item and the earliest deadline of its members, and returns as many
    /// outcomes; its error is that of all its items, done or not. An item that was handed over is
    /// never given up; any other one is at `deadline`.
    public func outcome(
        of item: Item, until deadline: ContinuousClock.Instant,
        _ run: ([Item], _ deadline: ContinuousClock.Instant) throws -> [Outcome]
    ) throws -> Outcome {
        let member = Member(item: item, deadline: deadline)
        if !state.withLock({ $0.enter(member) }) {
            let given = member.turn.wait(until: deadline) {
                state.withLock { $0.withdraw(member) }
            }
            guard let given else { throw PostgresError.timeout("a coalesced batch") }
            if case .take(let outcome) = given { return try outcome.get() }
        }
        let batch = state.withLock { $0.begin(member) }
        let earliest = batch.map(\.deadline).min() ?? deadline
        let outcomes = Result { try run(batch.map(\.item), earliest) }
        state.withLock { $0.end() }?.turn.give(.run)
        // Never tried again after an error: some of it may have been done.
        for (index, other) in batch.enumerated().dropFirst() {
            other.turn.give(.take(outcomes.map { $0[index] }))
        }
        return try outcomes.get()[0]
    }
}
