import Usage
import UsageStore

/// The keys that one worker has looked up within the last second.
///
/// So a client that sends one message after another does not cost two queries each time, and a key
/// that was revoked is refused after a second.
final class KeyMemo {
    private var keys: [String: (key: StoredKey, since: Timestamp)] = [:]

    private static let lifeMicroseconds: Int64 = 1_000_000

    /// More are forgotten all at once.
    private static let countLimit = 64

    /// The key with this public part, remembered or found by `find`; nil when there is none.
    func key(_ keyID: String, at now: Timestamp, _ find: () throws -> StoredKey?) rethrows
        -> StoredKey?
    {
        if let known = keys[keyID],
            (0..<Self.lifeMicroseconds).contains(now.microseconds - known.since.microseconds)
        {
            return known.key
        }
        if keys.count >= Self.countLimit { keys.removeAll() }
        let key = try find()
        keys[keyID] = key.map { ($0, now) }
        return key
    }
}
