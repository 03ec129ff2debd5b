/// The parameters of a query string, decoded (URL Standard, `application/x-www-form-urlencoded`).
public struct QueryString: Sendable {
    /// A `name=value`, or a `name` alone with an empty value.
    public struct Parameter: Equatable, Sendable {
        /// The decoded name, truncated if it is long; nil if its encoding is invalid.
        public let name: String?
        /// The decoded value; nil if its percent-encoding or UTF-8 is invalid.
        public let value: String?
        /// The undecoded text.
        public let raw: String
    }

    /// The length to which a name is truncated; no known name is as long.
    ///
    /// Swift compares strings by canonical equivalence: for many marks on a letter, this takes
    /// quadratic time.
    private static let nameLimit = 100

    /// The parameters in the order they were sent.
    public let parameters: [Parameter]

    /// Parses the text after the question mark; empty parts are ignored.
    public init(_ text: String) {
        // By bytes: a combining mark after a separator must not hide the separator.
        parameters = text.utf8.split(separator: UInt8(ascii: "&")).map { part in
            let pair = part.split(
                separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            return Parameter(
                name: decoded(pair[0]).map(Self.shortened),
                value: pair.count == 2 ? decoded(pair[1]) : "",
                raw: String(decoding: part, as: UTF8.self))
        }
    }

    private static func shortened(_ name: String) -> String {
        let end = name.unicodeScalars.prefix(nameLimit).endIndex
        return end == name.endIndex ? name : String(name.unicodeScalars[..<end]) + "…"
    }
}

private func decoded(_ text: Substring.UTF8View) -> String? {
    var bytes: [UInt8] = []
    var rest = text
    while let byte = rest.popFirst() {
        switch byte {
        case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
        case UInt8(ascii: "%"):
            guard let high = rest.popFirst().flatMap(hexValue),
                let low = rest.popFirst().flatMap(hexValue)
            else { return nil }
            bytes.append(high << 4 | low)
        default: bytes.append(byte)
        }
    }
    return String(validating: bytes, as: UTF8.self)
}

private func hexValue(_ byte: UInt8) -> UInt8? {
    Character(UnicodeScalar(byte)).hexDigitValue.map { UInt8($0) }
}

/// Text for URLs (RFC 3986, section 2).
public enum URLText {
    /// Whether a byte may appear unencoded anywhere in a URL.
    public static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: "-._~".utf8.contains(byte)
        }
    }

    /// `text` with every byte percent-encoded unless it is unreserved or in `kept`.
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
