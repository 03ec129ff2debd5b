import HTTP
import Threads

/// The parts of a response that depend on the normalised query only, not on the request.
struct Representation<Body> {
    /// The value of `Content-Type`.
    let contentType: String

    /// Header fields about the records, such as `X-Total-Count`.
    var fields: [(name: String, value: String)] = []

    /// The cursor of the next page.
    var nextCursor: String?

    /// The body.
    var body: Body

    /// A copy with another body.
    func with<Other>(body: Other) -> Representation<Other> {
        Representation<Other>(
            contentType: contentType, fields: fields, nextCursor: nextCursor, body: body)
    }
}

extension Representation: Sendable where Body: Sendable {}

/// A complete response in memory.
typealias CachedResponse = Representation<[UInt8]>

/// Responses to queries, valid while the revision stays the same; thread-safe.
public final class ResponseCache: Sendable {
    private struct Entry {
        let response: CachedResponse
        let byteCount: Int
        var lastUse: UInt64
    }

    private struct State {
        var revision = Int64.min
        var entries: [[UInt8]: Entry] = [:]
        var byteCount = 0
        var uses: UInt64 = 0
    }

    /// The maximum size in bytes.
    public let byteLimit: Int
    private let state = Lock(State())

    /// The maximum length of a cached body.
    static let bodyLimit = 256 * 1024

    /// The assumed size of an entry without key, body and cursor; header fields are short.
    private static let entryOverhead = 1024

    /// Makes a cache of at most `byteLimit` bytes; 0 disables it.
    public init(byteLimit: Int) { self.byteLimit = byteLimit }

    /// Whether the cache is enabled.
    var isOn: Bool { byteLimit > 0 }

    /// The current size in bytes.
    public var byteCount: Int { state.withLock { $0.byteCount } }

    /// Evicts all responses.
    public func empty() { state.withLock { $0 = State() } }

    /// The response that was cached for `key` at `revision`.
    ///
    /// A different revision evicts all responses, whether it is newer or, after a backup was
    /// restored, older.
    func response(for key: [UInt8], at revision: Int64) -> CachedResponse? {
        state.withLock { state in
            if state.revision != revision { state = State(revision: revision) }
            state.uses += 1
            state.entries[key]?.lastUse = state.uses
            return state.entries[key]?.response
        }
    }

    /// Caches a response unless the revision has changed; evicts the least recently used ones.
    func add(_ response: CachedResponse, for key: [UInt8], at revision: Int64) {
        // A cursor has up to 3 KB.
        let cursorCount = response.nextCursor?.utf8.count ?? 0
        let byteCount = key.count + response.body.count + cursorCount + Self.entryOverhead
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
            state.entries[key] = Entry(
                response: response, byteCount: byteCount, lastUse: state.uses)
        }
    }
}
