import Synchronization
import Threads

/// The state of a query that many callers need at once and one of them runs for all.
///
/// Pure: a call is an event, its result is what the caller must do. A caller never gets an answer
/// of a run that began before it arrived.
package struct CoalescedQuery<Answer, Caller: Equatable> {
    /// What a caller must do.
    package enum Action {
        /// Take this answer.
        case deliver(Answer)
        /// Call `begin`, run the query, and call `end`.
        case run
        /// Wait until `end` names it.
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
    /// Those who get the answer of the current run.
    private var sharing: [Caller] = []
    /// Those who arrived after it began, and need the next one.
    private var waiting: [Caller] = []

    /// Starts without an answer.
    package init() {}

    /// A caller needs an answer of a run that began at `instant` or later.
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

    /// The run begins: everybody who waits shares it.
    package mutating func begin(at now: ContinuousClock.Instant) {
        phase = .running(since: now)
        swap(&sharing, &waiting)
    }

    /// The run has ended: with an answer, with an error that is shared (nil), or abandoned, which
    /// concerns its own caller only.
    ///
    /// Returns those who get its outcome, and the caller whose turn it is to run the query.
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

    /// A caller waits no longer; false if it is to run the query, or an outcome is on its way.
    package mutating func withdraw(_ caller: Caller) -> Bool {
        let count = sharing.count + waiting.count
        sharing.removeAll { $0 == caller }
        waiting.removeAll { $0 == caller }
        return sharing.count + waiting.count < count
    }
}

/// A query that the threads of a process run together.
public final class QueryCoalescer<Answer: Sendable>: Sendable {
    private enum Turn {
        case run
        case take(Result<Answer, any Error>)
    }

    private let state = Mutex(CoalescedQuery<Answer, Handoff<Turn>>())

    /// Starts without an answer.
    public init() {}

    /// The answer of `run`, or of another thread's `run` that began at `instant` or later.
    ///
    /// Waits for a run until `deadline`. An error is shared too, except `QueryAbandoned`, which
    /// concerns one thread's client only.
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
