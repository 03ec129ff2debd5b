import Threads

/// The state machine of batching: items of many callers are combined and run by some of them.
///
/// Free of side effects, like `CoalescedQuery`. At most two batches run at once, so that one can
/// execute while the other is flushed to disk; items that arrive meanwhile form the next batch.
package struct CoalescedBatches<Caller: Equatable> {
    private var waiting: [Caller] = []
    private var runningCount = 0

    private static var runningLimit: Int { 2 }

    /// Starts without items.
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

    /// The callers whose items form the batch of `caller`: itself and all waiting callers.
    package mutating func begin(_ caller: Caller) -> [Caller] {
        defer { waiting = [] }
        return [caller] + waiting
    }

    /// A batch has ended; returns the caller that must run the next one.
    package mutating func end() -> Caller? {
        guard waiting.isEmpty else { return waiting.removeFirst() }
        runningCount -= 1
        return nil
    }

    /// The waiting callers stop waiting.
    package mutating func withdrawAll() -> [Caller] {
        defer { waiting = [] }
        return waiting
    }

    /// A caller stops waiting; false if a batch contains its item, or if it must run a batch.
    package mutating func withdraw(_ caller: Caller) -> Bool {
        let count = waiting.count
        waiting.removeAll { $0 == caller }
        return waiting.count < count
    }
}

/// Combines items of many threads into batches.
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

    private let state = Lock(CoalescedBatches<Member>())

    /// Starts without items.
    public init() {}

    /// The outcome of `item`, from this thread's `run` or from another thread's.
    ///
    /// `run` gets the items of a batch and their earliest deadline, and returns one outcome for
    /// each; its error is the outcome of all its items. An item that is not in a running batch yet
    /// times out at `deadline`; if a running batch waits for a lock in vain, so has this item.
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
        if case .failure(let error as PostgresError) = outcomes,
            error.state == PostgresError.lockNotAvailable
        {
            for other in state.withLock({ $0.withdrawAll() }) {
                other.turn.give(.take(.failure(error)))
            }
        }
        state.withLock { $0.end() }?.turn.give(.run)
        // Not retried after an error: some items may have been committed.
        for (index, other) in batch.enumerated().dropFirst() {
            other.turn.give(.take(outcomes.map { $0[index] }))
        }
        return try outcomes.get()[0]
    }
}
