/// Text for URLs (RFC 3986, section 2).
public enum URLText {
    /// Whether a byte stands for itself anywhere in a URL.
    public static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: "-._~".utf8.contains(byte)
        }
    }

    /// `text` with every byte percent-encoded that is neither unreserved nor in `kept`.
    public static func encoded(_ text: String, keeping kept: String) -> String {
        text.utf8.map { byte in
            if isUnreserved(byte) || kept.utf8.contains(byte) {
                return String(UnicodeScalar(byte))
            }
            let digits = String(byte, radix: 16, uppercase: true)
            return "%" + (byte < 0x10 ? "0" : "") + digits
        }.joined()
    }
}
