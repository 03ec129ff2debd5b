import CCrypto

/// The SHA-256 digest of bytes that come in pieces (FIPS 180-4), by OpenSSL.
public final class StreamedDigest {
    private let context = EVP_MD_CTX_new()

    /// Begins without bytes.
    public init() { EVP_DigestInit_ex(context, EVP_sha256(), nil) }

    deinit { EVP_MD_CTX_free(context) }

    /// Adds bytes.
    public func add(_ bytes: some Collection<UInt8>) {
        _ = bytes.withContiguousStorageIfAvailable {
            EVP_DigestUpdate(context, $0.baseAddress, $0.count)
        }
    }

    /// The digest of all bytes, 64 hexadecimal digits; nothing can be added afterwards.
    public func end() -> String {
        let digest = [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) {
            digest, count in
            EVP_DigestFinal_ex(context, digest.baseAddress, nil)
            count = Int(SHA256_DIGEST_LENGTH)
        }
        return digest.map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
