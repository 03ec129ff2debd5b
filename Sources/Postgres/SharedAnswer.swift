import Synchronization
import Threads

/// A question that many threads ask at once and one of them puts to the server for all.
///
/// Everybody gets an answer to a question that was put after they needed it: never an older one.
public final class SharedAnswer<Answer: Sendable>: Sendable {
    private enum Turn {
        case ask
        case take(Result<Answer, any Error>)
    }

    private struct State {
        /// Whether a thread asks, or is about to.
        var isAsking = false
        /// Whether the question was put, and has no answer yet.
        var isPut = false
        var askedAt = ContinuousClock.now
        /// The last answer, and when its question was put.
        var last: (answer: Answer, askedAt: ContinuousClock.Instant)?
        /// Those who get the answer to the question that is under way.
        var asking: [Handoff<Turn>] = []
        /// Those who came after it was put, and need the next one.
        var waiting: [Handoff<Turn>] = []

        /// Makes it a thread's turn to ask; until it does, nobody is to think that the question is old.
        mutating func begin() {
            isAsking = true
            askedAt = .now
        }
    }

    private let patientLimit: Int
    private let state = Mutex(State())

    private static var patience: Duration { .milliseconds(500) }

    /// Starts with nothing known.
    ///
    /// Of the threads that ask, up to `patientLimit` wait however long it takes. The others give up
    /// when a question has been open for half a second, so that a silent server does not
    /// hold all of them.
    public init(patientLimit: Int = .max) { self.patientLimit = patientLimit }

    /// The answer that `ask` gives, or that another thread's `ask` gives, if it began after
    /// `instant`.
    ///
    /// Waits as long as one `ask` takes that is under way, and another one after it. An error is
    /// shared too, but for `QueryAbandoned`, which tells of one thread's client only. Throws
    /// `ServerSilent` in a thread that may not wait longer.
    public func answer(
        since instant: ContinuousClock.Instant = .now, _ ask: () throws -> Answer
    ) throws -> Answer {
        if case .take(let outcome) = try turn(since: instant) { return try outcome.get() }
        state.withLock { state in
            state.askedAt = .now
            state.isPut = true
            swap(&state.asking, &state.waiting)
        }
        let outcome = Result { try ask() }
        let (served, next) = state.withLock { state in
            if case .success(let answer) = outcome { state.last = (answer, state.askedAt) }
            state.isPut = false
            var served = state.asking
            state.asking = []
            if case .failure(is QueryAbandoned) = outcome {
                // This thread's client has gone; the others ask again.
                state.waiting = served + state.waiting
                served = []
            }
            state.isAsking = false
            guard !state.waiting.isEmpty else { return (served, Handoff<Turn>?.none) }
            state.begin()
            return (served, state.waiting.removeFirst())
        }
        next?.give(.ask)
        for thread in served { thread.give(.take(outcome)) }
        return try outcome.get()
    }

    /// What this thread is to do, once it is known.
    private func turn(since instant: ContinuousClock.Instant) throws(ServerSilent) -> Turn {
        let turn = Handoff<Turn>()
        let (atOnce, isPatient) = state.withLock { state -> (Turn?, Bool) in
            if let last = state.last, last.askedAt >= instant {
                return (.take(.success(last.answer)), true)
            }
            guard state.isAsking else {
                state.begin()
                return (.ask, true)
            }
            if state.isPut, state.askedAt >= instant {
                state.asking.append(turn)
            } else {
                state.waiting.append(turn)
            }
            // The one that asks waits as well.
            return (nil, state.asking.count + state.waiting.count < patientLimit)
        }
        if let atOnce { return atOnce }
        if isPatient { return turn.wait() }
        while let remaining = try patience(of: turn) {
            if let given = turn.wait(for: remaining) { return given }
        }
        return turn.wait()
    }

    /// Until when a thread waits; nil when its turn has come.
    ///
    /// Throws when the question under way is an old one, and the thread waits no longer.
    private func patience(of turn: Handoff<Turn>) throws(ServerSilent) -> Duration? {
        let remaining = state.withLock { state -> Duration? in
            guard (state.asking + state.waiting).contains(where: { $0 === turn }) else {
                return nil
            }
            let remaining = state.askedAt + Self.patience - .now
            if remaining <= .zero {
                state.asking.removeAll { $0 === turn }
                state.waiting.removeAll { $0 === turn }
            }
            return remaining
        }
        if let remaining, remaining <= .zero { throw ServerSilent() }
        return remaining
    }
}

/// The server has not answered for a while, and enough threads wait for it.
public struct ServerSilent: Error {}
