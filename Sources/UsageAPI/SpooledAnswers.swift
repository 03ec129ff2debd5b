public import Spool
import Synchronization

/// Answers too long for the memory, as files that the web server sends while the revision stands;
/// safe to share.
///
/// What is asked for only once is not worth a file, and a short answer is sent sooner from memory.
public final class SpooledAnswers: Sendable {
    private struct State {
        var revision = Int64.min
        var answers: [[UInt8]: KeptAnswer] = [:]
        /// How often each was asked for.
        var asks: [[UInt8]: Int] = [:]
    }

    /// Where the files are.
    public let spool: Spool
    private let state = Mutex(State())

    /// The most queries whose asks are counted at one revision.
    private static let countedLimit = 256

    /// Makes a memory for files of `spool`.
    public init(_ spool: Spool) { self.spool = spool }

    /// The answer that was kept for `key` at `revision`; ends all that was kept at another one.
    func answer(for key: [UInt8], at revision: Int64) -> KeptAnswer? {
        // Its files are removed after the lock is free.
        var ended: State?
        let kept = state.withLock { state in
            if state.revision != revision {
                ended = state
                state = State(revision: revision)
            }
            return state.answers[key]
        }
        withExtendedLifetime(ended) {}
        return kept
    }

    /// Forgets all that was kept; the files go when nobody sends them any more.
    public func empty() {
        let ended = state.withLock { state in
            defer { state = State() }
            return state
        }
        withExtendedLifetime(ended) {}
    }

    /// A file for the answer, when it is asked for the second time at `revision`; nobody else gets
    /// one then.
    func writer(for key: [UInt8], at revision: Int64) throws(SpoolError) -> SpoolWriter? {
        let isDue = state.withLock { state in
            guard state.revision == revision,
                state.asks[key] != nil || state.asks.count < Self.countedLimit
            else { return false }
            state.asks[key, default: 0] += 1
            return state.asks[key] == 2
        }
        return isDue ? try spool.writer() : nil
    }

    /// Lets the next one who asks have a file.
    func giveUp(_ key: [UInt8], at revision: Int64) {
        state.withLock { state in
            if state.revision == revision { state.asks[key] = 1 }
        }
    }

    /// Keeps an answer, unless the revision has moved on.
    func keep(_ kept: KeptAnswer, for key: [UInt8], at revision: Int64) {
        state.withLock { state in
            guard state.revision == revision else { return }
            state.answers[key] = kept
        }
    }
}
