import CCrypto
import Encoding

/// A key as programs send it: `orb_<key id>_<secret>`.
public struct APIKey: Sendable, CustomStringConvertible {
    /// The public part: 12 hexadecimal digits.
    public let keyID: String

    /// The secret part: 256 random bits as base64url.
    private let secret: String

    private static let secretLength = 43

    /// The beginning of every key.
    public static let prefix = "orb_"

    /// Generates a random key.
    public init() {
        keyID = randomBytes(6).map { byte in
            (byte < 0x10 ? "0" : "") + String(byte, radix: 16)
        }.joined()
        secret = Base64URL.text(randomBytes(32))
    }

    /// Parses a key; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "_", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "orb", parts[1].utf8.count == 12,
            parts[1].utf8.allSatisfy(isHexadecimal), parts[2].utf8.count == Self.secretLength
        else { return nil }
        keyID = String(parts[1])
        secret = String(parts[2])
    }

    /// The key as it is sent; secret.
    public var description: String { "\(Self.prefix)\(keyID)_\(secret)" }

    /// The stored form of the secret: its SHA-256, 32 bytes.
    public var digest: [UInt8] { sha256(Array(secret.utf8)) }

    /// Whether `digest` is that of this key.
    ///
    /// Takes constant time; pass nil if there is no stored key.
    public func matches(_ digest: [UInt8]?) -> Bool {
        let none = [UInt8](repeating: 0, count: 32)
        return areEqual(self.digest, digest ?? none) && digest != nil
    }
}

private func isHexadecimal(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
}

/// The SHA-256 digest of `bytes`, 32 bytes (FIPS 180-4), by OpenSSL.
func sha256(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) { digest, count in
        SHA256(bytes, bytes.count, digest.baseAddress)
        count = Int(SHA256_DIGEST_LENGTH)
    }
}

/// The HMAC with SHA-256 of a text (RFC 2104), 32 bytes, by OpenSSL.
public func messageAuthenticationCode(_ text: String, key: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) { code, count in
        let bytes = Array(text.utf8)
        HMAC(EVP_sha256(), key, Int32(key.count), bytes, bytes.count, code.baseAddress, nil)
        count = Int(SHA256_DIGEST_LENGTH)
    }
}

/// Cryptographically random bytes from OpenSSL; traps if the system has none.
func randomBytes(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { bytes, initialized in
        guard RAND_bytes(bytes.baseAddress, Int32(count)) == 1 else {
            preconditionFailure("the system has no random bytes")
        }
        initialized = count
    }
}

/// Whether two byte strings are equal, in a time that only depends on their lengths.
func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
}
