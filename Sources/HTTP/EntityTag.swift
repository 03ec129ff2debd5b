/// The ETags of the responses that a client has cached (`If-None-Match`, RFC 9110, section 13.1.2).
public struct EntityTagCondition: Sendable {
    /// Whether any ETag matches: `*`.
    public let isAny: Bool

    private let tags: Set<String>

    /// Parses the field's value; everything that is not a tag is ignored.
    public init(_ field: String?) {
        let field = field ?? ""
        isAny = field.trimmingBlanks == "*"
        var tags: Set<String> = []
        // A tag may contain a comma, so the quotes separate tags.
        let parts = field.split(separator: "\"", omittingEmptySubsequences: false)
        for index in stride(from: 1, to: parts.count - 1, by: 2) {
            tags.insert(String(parts[index]))
        }
        self.tags = tags
    }

    /// Whether `tag`, the text between its quotes, is one of them, including the forms that
    /// compressing proxies write.
    ///
    /// nginx makes a tag weak, so `W/"x"` equals `"x"`; Apache and others append the coding, as in
    /// `"x-gzip"`.
    public func contains(_ tag: String) -> Bool {
        if tags.isEmpty { return false }
        return tags.contains(tag) || Self.suffixes.contains { tags.contains(tag + $0) }
    }

    /// Apache's mod_deflate and mod_brotli, lighttpd and Caddy write `-`, Jetty `--`, others `;`.
    private static let suffixes = ["-", "--", ";"].flatMap { separator in
        ["gzip", "br", "zstd", "deflate"].map { separator + $0 }
    }
}

extension StringProtocol {
    /// The text without blanks and tabs at its ends.
    public var trimmingBlanks: String {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        let bytes = Array(utf8)
        guard let first = bytes.firstIndex(where: { !isBlank($0) }),
            let last = bytes.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return String(decoding: bytes[first...last], as: UTF8.self)
    }
}
