import APIKeys
public import HTTP
import Usage
import UsageStore

extension Service {
    private static let readScope = "usage:read"

    /// Throws a 401 or a 403 unless the client may do what `scope` says; nil allows everybody.
    ///
    /// Who may read is a matter of configuration; whoever writes needs a key, always.
    public func authorise(_ request: Request, _ scope: String?) throws {
        guard let scope else { return }
        let isReading = scope == Self.readScope
        if isReading && !isKeyed { return }
        if isReading && request.remoteUser != nil { return }
        guard let authorization = request.authorization else {
            throw unauthorised("An API key is needed.", challenge: #"Bearer realm="orbital-usage""#)
        }
        guard let key = try validKey(authorization) else {
            throw unauthorised(
                "The API key is not valid.",
                challenge: #"Bearer realm="orbital-usage", error="invalid_token""#)
        }
        guard key.scopes.contains(scope) else {
            throw Problem(
                .forbidden, "The API key does not have the scope \(scope).",
                fields: [
                    (
                        "WWW-Authenticate",
                        #"Bearer realm="orbital-usage", error="insufficient_scope", scope="\#(scope)""#
                    )
                ])
        }
    }

    /// The key in the field `Authorization`, if it is known, neither expired nor revoked.
    private func validKey(_ authorization: String) throws -> StoredKey? {
        let words = authorization.split(separator: " ", omittingEmptySubsequences: true)
        guard words.count == 2, words[0].lowercased() == "bearer",
            let key = APIKey(String(words[1]))
        else { return nil }
        let revision = try store.revisions().keys
        let stored = try keys.key(key.keyID, at: revision) { try store.key(key.keyID) }
        guard key.matches(stored?.digest), let stored, stored.isValid(at: Timestamp.now) else {
            return nil
        }
        return stored
    }

    private func unauthorised(_ detail: String, challenge: String) -> Problem {
        Problem(.unauthorized, detail, fields: [("WWW-Authenticate", challenge)])
    }
}

/// The keys that one worker has read, valid while no key changes.
///
/// So a request with a key costs no query of its own. Expiry is checked by the clock each time.
final class KeyCache {
    private var revision = Int64.min
    private var keys: [String: StoredKey] = [:]

    /// It is cleared when it has more.
    private static let countLimit = 64

    /// The key with this public part, cached at `revision` or found by `find`; nil if there is none.
    ///
    /// `revision` must have been read before `find` reads: a key may be newer than it, never older.
    func key(
        _ keyID: String, at revision: Int64, _ find: () throws -> StoredKey?
    ) rethrows -> StoredKey? {
        if self.revision != revision { keys.removeAll() }
        self.revision = revision
        if let key = keys[keyID] { return key }
        let key = try find()
        if keys.count >= Self.countLimit { keys.removeAll() }
        keys[keyID] = key
        return key
    }
}
