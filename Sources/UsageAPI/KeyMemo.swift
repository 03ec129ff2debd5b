import UsageStore

/// The keys that one worker has looked up within the last second.
///
/// So a client that sends one message after another does not cost two queries each time, and a key
/// that was revoked is refused after a second.
final class KeyMemo {
    private var keys: [String: (key: StoredKey, since: ContinuousClock.Instant)] = [:]

    private static let lifetime = Duration.seconds(1)

    /// It is cleared when it exceeds this size.
    private static let countLimit = 64

    /// The key with this public part, remembered or found by `find`; nil when there is none.
    func key(_ keyID: String, _ find: () throws -> StoredKey?) rethrows -> StoredKey? {
        let now = ContinuousClock.now
        if let known = keys[keyID], now - known.since < Self.lifetime { return known.key }
        if keys.count >= Self.countLimit { keys.removeAll() }
        let key = try find()
        keys[keyID] = key.map { ($0, now) }
        return key
    }
}
