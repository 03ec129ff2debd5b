import CCrypto

/// The SHA-256 digest of `bytes`, 32 bytes (FIPS 180-4), by OpenSSL.
func sha256(_ bytes: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) { digest, count in
        SHA256(bytes, bytes.count, digest.baseAddress)
        count = Int(SHA256_DIGEST_LENGTH)
    }
}

/// Bytes that nobody can guess, from OpenSSL's generator.
///
/// Traps when the system has no randomness to give.
func randomBytes(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { bytes, initialized in
        guard RAND_bytes(bytes.baseAddress, Int32(count)) == 1 else {
            preconditionFailure("the system has no random bytes")
        }
        initialized = count
    }
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
}
