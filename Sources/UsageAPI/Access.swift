import APIKeys
public import HTTP
public import Usage
import UsageStore

/// The identity behind a request, its scopes, and the records that it may see.
public struct Principal: Sendable {
    /// The kinds of identities.
    public enum Identity: Equatable, Sendable {
        /// An API key, by its public part and its name.
        case key(id: String, name: String)
        /// A user that the web server has authenticated.
        case user(String)
        /// An anonymous client, where no key is required.
        case anybody
    }

    /// The identity.
    public let identity: Identity

    /// The scopes: `usage:read`, `usage:write`, `usage:correct`.
    public let scopes: [String]

    /// The bounds of the records that it may see and record.
    public let bounds: Bounds

    /// Makes a principal; without `bounds` it sees all records.
    public init(_ identity: Identity, scopes: [String], bounds: Bounds = Bounds()) {
        self.identity = identity
        self.scopes = scopes
        self.bounds = bounds
    }
}

/// The scope that every key and every user has whom the web server has authenticated.
let anyScope = ""

extension Service {
    private static let readScope = "usage:read"

    /// The principal of the request; throws a 401 or a 403 unless it has `scope`.
    ///
    /// A nil scope needs no key. Whether reading needs one is a setting; writing always does. A key
    /// that is sent counts also where none is needed: otherwise, whoever has a bound key would see
    /// all records as soon as it ends. One that was revoked before the request arrived is rejected.
    public func authorise(_ request: Request, _ scope: String?) throws -> Principal {
        guard let scope else { return Principal(.anybody, scopes: []) }
        let isOpen = scope == Self.readScope && !isKeyed
        let isForAll = isOpen || scope == anyScope
        if !request.sendsKey {
            if isOpen { return Principal(.anybody, scopes: [scope]) }
            if scope == Self.readScope || isForAll, let user = request.remoteUser {
                return Principal(.user(user), scopes: [Self.readScope])
            }
        }
        let principal = try keyHolder(request)
        guard isForAll || principal.scopes.contains(scope) else {
            throw refusal(
                .forbidden, "The API key does not have the scope \(scope).",
                #", error="insufficient_scope", scope="\#(scope)""#)
        }
        return principal
    }

    /// The holder of the key of the request; throws a 401.
    private func keyHolder(_ request: Request) throws -> Principal {
        guard let authorization = request.authorization else {
            throw refusal(.unauthorized, "An API key is required.")
        }
        guard let key = try validKey(authorization) else {
            throw refusal(
                .unauthorized, "The API key is not valid.", #", error="invalid_token""#)
        }
        return Principal(
            .key(id: key.keyID, name: key.name), scopes: key.scopes, bounds: key.bounds)
    }

    /// The key in the field `Authorization`; nil if it is unknown, expired or revoked.
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

    private func refusal(_ status: Status, _ detail: String, _ error: String = "") -> Problem {
        let challenge = #"Bearer realm="orbital-usage""# + error
        return Problem(status, detail, fields: [("WWW-Authenticate", challenge)])
    }
}

extension Request {
    /// Whether a word of `Authorization` begins as our keys do; other credentials are for others.
    fileprivate var sendsKey: Bool {
        (authorization ?? "").split { $0 == " " || $0 == "\t" }.contains {
            $0.hasPrefix(APIKey.prefix)
        }
    }
}

/// The keys that one worker has read, valid until any key changes; the caller checks the expiry.
final class KeyCache {
    private var revision = Int64.min
    private var since = ContinuousClock.now
    private var keys: [String: StoredKey] = [:]

    /// It is also cleared after a second, in case a key changed while its triggers were disabled.
    private static let lifetime = Duration.seconds(1)

    /// The maximum number of entries; a full cache is cleared.
    private static let countLimit = 64

    /// The key with this public part, cached at `revision` or read by `find`; nil if there is none.
    ///
    /// `revision` must be read before the key: a cached key may be newer than it, never older.
    func key(
        _ keyID: String, at revision: Int64, _ find: () throws -> StoredKey?
    ) rethrows -> StoredKey? {
        if self.revision != revision || since + Self.lifetime < .now {
            keys.removeAll()
            since = .now
        }
        self.revision = revision
        if let key = keys[keyID] { return key }
        let key = try find()
        if keys.count >= Self.countLimit { keys.removeAll() }
        keys[keyID] = key
        return key
    }
}
