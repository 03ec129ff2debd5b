import Threads

/// The state machine of coalescing: one caller runs a query for all that need its result.
///
/// Free of side effects: each call is an event, its result the action of the caller. A caller never
/// gets the result of a run that began before it arrived.
package struct CoalescedQuery<Answer, Caller: Equatable> {
    /// The action of a caller.
    package enum Action {
        /// Use this result.
        case deliver(Answer)
        /// Call `begin`, run the query, then call `end`.
        case run
        /// Wait until `end` returns it.
        case wait
    }

    private enum Phase {
        case idle
        /// A caller is about to run the query.
        case starting
        case running(since: ContinuousClock.Instant)
    }

    private var phase = Phase.idle
    private var last: (answer: Answer, since: ContinuousClock.Instant)?
    /// The callers that get the result of the current run.
    private var sharing: [Caller] = []
    /// The callers that arrived after it began and need the next run.
    private var waiting: [Caller] = []

    /// Starts without a result.
    package init() {}

    /// A caller needs the result of a run that began at `instant` or later.
    package mutating func ask(
        since instant: ContinuousClock.Instant, _ caller: Caller
    ) -> Action {
        if let last, last.since >= instant { return .deliver(last.answer) }
        switch phase {
        case .idle:
            phase = .starting
            return .run
        case .running(let since) where since >= instant: sharing.append(caller)
        case .starting, .running: waiting.append(caller)
        }
        return .wait
    }

    /// The run begins; all waiting callers share it.
    package mutating func begin(at now: ContinuousClock.Instant) {
        phase = .running(since: now)
        swap(&sharing, &waiting)
    }

    /// The run has ended: with a result, with a shared error (nil), or abandoned, which concerns
    /// only its own caller.
    ///
    /// Returns the callers that get its outcome, and the caller that must run the query next.
    package mutating func end(
        _ answer: Answer?, isAbandoned: Bool = false
    ) -> (served: [Caller], next: Caller?) {
        if case .running(let since) = phase, let answer { last = (answer, since) }
        var served = sharing
        sharing = []
        if isAbandoned {
            waiting = served + waiting
            served = []
        }
        phase = waiting.isEmpty ? .idle : .starting
        return (served, waiting.isEmpty ? nil : waiting.removeFirst())
    }

    /// A caller stops waiting; false if it must run the query, or if an outcome is being delivered.
    package mutating func withdraw(_ caller: Caller) -> Bool {
        let count = sharing.count + waiting.count
        sharing.removeAll { $0 == caller }
        waiting.removeAll { $0 == caller }
        return sharing.count + waiting.count < count
    }
}

/// Coalesces a query of many threads.
public final class QueryCoalescer<Answer: Sendable>: Sendable {
    private enum Turn {
        case run
        case take(Result<Answer, any Error>)
    }

    private let state = Lock(CoalescedQuery<Answer, Handoff<Turn>>())

    /// Starts without a result.
    public init() {}

    /// The result of `run`, or of another thread's `run` that began at `instant` or later.
    ///
    /// Waits for a run until `deadline`. Errors are shared, too, except `QueryAbandoned`, which
    /// concerns only one thread's client.
    public func answer(
        since instant: ContinuousClock.Instant = .now,
        until deadline: ContinuousClock.Instant, _ run: () throws -> Answer
    ) throws -> Answer {
        let turn = Handoff<Turn>()
        switch state.withLock({ $0.ask(since: instant, turn) }) {
        case .deliver(let answer): return answer
        case .run: break
        case .wait:
            let given = turn.wait(until: deadline) { state.withLock { $0.withdraw(turn) } }
            guard let given else { throw PostgresError.timeout("a coalesced query") }
            if case .take(let outcome) = given { return try outcome.get() }
        }
        state.withLock { $0.begin(at: .now) }
        let outcome = Result { try run() }
        let (served, next) = state.withLock { state in
            switch outcome {
            case .success(let answer): state.end(answer)
            case .failure(let error): state.end(nil, isAbandoned: error is QueryAbandoned)
            }
        }
        next?.give(.run)
        for thread in served { thread.give(.take(outcome)) }
        return try outcome.get()
    }
}
