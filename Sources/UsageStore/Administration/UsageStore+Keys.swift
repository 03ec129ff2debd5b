import Postgres
public import Usage

/// An API key as it is stored.
public struct StoredKey: Sendable {
    /// Its public part.
    public let keyID: String
    /// Its purpose.
    public let name: String
    /// The SHA-256 of its secret part, 32 bytes.
    public let digest: [UInt8]
    /// Its scopes: `usage:read`, `usage:write`, `usage:correct`.
    public let scopes: [String]
    /// The bounds of the records that it may see and record.
    public let bounds: Bounds
    /// When it was created.
    public let createdAt: Timestamp
    /// When it expires; nil if never.
    public let expiresAt: Timestamp?
    /// When it was revoked.
    public let revokedAt: Timestamp?

    /// Whether it is neither expired nor revoked.
    public func isValid(at instant: Timestamp) -> Bool {
        revokedAt == nil && expiresAt.map { $0 > instant } ?? true
    }
}

extension UsageStore {
    private static let keyColumns = """
        key_id, name, secret_sha256, array_to_string(scopes, ' '), created_at, expires_at, revoked_at,
        bound_user_id, bound_team_id, usage_tags_text(bound_tags)
        """

    /// The key with this public part; nil if there is none.
    public func key(_ keyID: String) throws -> StoredKey? {
        try keys("SELECT \(Self.keyColumns) FROM api_key WHERE key_id = $1::text", [keyID]).first
    }

    /// All keys, oldest first.
    public func keys() throws -> [StoredKey] {
        try keys("SELECT \(Self.keyColumns) FROM api_key ORDER BY created_at, key_id", [])
    }

    /// Stores a new key.
    public func addKey(
        _ keyID: String, name: String, digest: [UInt8], scopes: [String], bounds: Bounds,
        expiresAt: Timestamp?
    ) throws {
        try reportingUnavailability {
            _ = try QueryReader(
                try connected(), "add_key",
                """
                INSERT INTO api_key (key_id, name, secret_sha256, scopes, expires_at, bound_user_id,
                    bound_team_id, bound_tags)
                SELECT $1::text, $2::text, $3::bytea, $4::text[], ($5::timestamptz[])[1],
                    ($6::text[])[1], ($6::text[])[2], ($6::text[])[3]::jsonb
                """,
                [
                    .text(keyID), .text(name), .binary(digest),
                    .array(scopes.map { Optional($0) }),
                    .array(timestamps: [expiresAt?.postgresMicroseconds]),
                    .array([
                        bounds.userID, bounds.teamID, UsageRecord.Attribution.text(of: bounds.tags),
                    ]),
                ])
        }
    }

    /// Revokes a key; false if none has this public part.
    public func revokeKey(_ keyID: String) throws -> Bool {
        try reportingUnavailability {
            let reader = try QueryReader(
                try connected(), "revoke_key",
                """
                UPDATE api_key SET revoked_at = coalesce(revoked_at, now())
                WHERE key_id = $1::text RETURNING 1
                """, [keyID])
            return reader.count > 0
        }
    }

    private func keys(_ statement: String, _ values: [String]) throws -> [StoredKey] {
        try reportingUnavailability {
            let reader = try QueryReader(try connected(), "key", statement, values)
            var keys: [StoredKey] = []
            while try reader.next() {
                keys.append(
                    StoredKey(
                        keyID: reader.string(0) ?? "", name: reader.string(1) ?? "",
                        digest: .read(reader, 2),
                        scopes: (reader.string(3) ?? "").split(separator: " ").map(String.init),
                        bounds: reader.bounds(7), createdAt: reader.timestamp(4) ?? .now,
                        expiresAt: reader.timestamp(5), revokedAt: reader.timestamp(6)))
            }
            return keys
        }
    }
}

extension QueryReader {
    /// Clamps times to the years 1 to 9999, infinity included.
    fileprivate func timestamp(_ column: Int) -> Timestamp? {
        if isNull(column) { return nil }
        let years = Timestamp.representable
        let value = max(integer(column), years.lowerBound.postgresMicroseconds)
        return Timestamp(
            postgresMicroseconds: min(value, years.upperBound.postgresMicroseconds - 1))
    }

    /// The bounds in three columns from `column`.
    fileprivate func bounds(_ column: Int) -> Bounds {
        var bounds = Bounds()
        bounds.userID = string(column)
        bounds.teamID = string(column + 1)
        var attribution = UsageRecord.Attribution()
        attribution.tags = string(column + 2)
        bounds.tags = attribution.tagPairs
        return bounds
    }
}
