import Synchronization

/// Whole answers to queries, kept in memory while the revision stands; safe to share.
public final class AnswerCache: Sendable {
    private struct Entry {
        let kept: KeptAnswer
        let byteCount: Int
        var lastUse: UInt64
    }

    private struct State {
        var revision = Int64.min
        var entries: [[UInt8]: Entry] = [:]
        var byteCount = 0
        var uses: UInt64 = 0
    }

    /// The most that it keeps.
    public let byteLimit: Int
    private let state = Mutex(State())

    /// The longest body that is kept.
    static let answerLimit = 256 * 1024

    /// What an entry costs beside its key and its body.
    private static let entryOverhead = 1024

    /// Makes a cache of at most `byteLimit` bytes; with 0 it keeps nothing.
    public init(byteLimit: Int) { self.byteLimit = byteLimit }

    /// Whether there is room for any answer at all.
    var isOn: Bool { byteLimit > 0 }

    /// What is kept, in bytes.
    public var byteCount: Int { state.withLock { $0.byteCount } }

    /// Forgets all that was kept.
    public func empty() { state.withLock { $0 = State() } }

    /// The answer that was kept for `key` at `revision`.
    ///
    /// Another revision than before ends all that was kept, be it newer or, after a backup was
    /// restored, older.
    func answer(for key: [UInt8], at revision: Int64) -> KeptAnswer? {
        state.withLock { state in
            if state.revision != revision { state = State(revision: revision) }
            state.uses += 1
            state.entries[key]?.lastUse = state.uses
            return state.entries[key]?.kept
        }
    }

    /// Keeps an answer, unless the revision has moved on; the least recently used make room.
    func keep(_ kept: KeptAnswer, for key: [UInt8], at revision: Int64) {
        let byteCount = key.count + kept.byteCount + Self.entryOverhead
        guard byteCount <= byteLimit else { return }
        state.withLock { state in
            guard state.revision == revision, state.entries[key] == nil else { return }
            while state.byteCount + byteCount > byteLimit,
                let oldest = state.entries.min(by: { $0.value.lastUse < $1.value.lastUse })
            {
                state.byteCount -= oldest.value.byteCount
                state.entries[oldest.key] = nil
            }
            state.uses += 1
            state.byteCount += byteCount
            state.entries[key] = Entry(kept: kept, byteCount: byteCount, lastUse: state.uses)
        }
    }
}
