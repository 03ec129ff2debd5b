/// Writes JSON in order, without building a tree (RFC 8259); no blanks.
public struct JSONWriter {
    /// What has been written.
    public private(set) var bytes: [UInt8] = []

    private var needsComma = false

    /// Starts with nothing written.
    public init() {}

    /// Writes `{`, the members that `body` writes, and `}`.
    public mutating func object(_ body: (inout JSONWriter) -> Void) {
        container("{", "}", body)
    }

    /// Writes `[`, the elements that `body` writes, and `]`.
    public mutating func array(_ body: (inout JSONWriter) -> Void) {
        container("[", "]", body)
    }

    /// Writes a member's name; its value must follow.
    public mutating func name(_ name: String) {
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes a member with a string.
    public mutating func member(_ name: String, _ value: String) {
        self.name(name)
        string(value)
    }

    /// Writes a member whose value is already JSON, such as `15.60`.
    public mutating func member(_ name: String, literal: String) {
        self.name(name)
        self.literal(literal)
    }

    /// Writes a member with a string, or with JSON that is not quoted; nothing for nil.
    public mutating func member(_ name: String, _ value: String?, isQuoted: Bool) {
        guard let value else { return }
        if isQuoted { member(name, value) } else { member(name, literal: value) }
    }

    /// Writes an element that is already JSON.
    public mutating func literal(_ json: String) {
        comma()
        bytes += json.utf8
    }

    /// Writes a string.
    public mutating func string(_ value: String) {
        comma()
        bytes.append(UInt8(ascii: "\""))
        if value.utf8.contains(where: needsJSONEscape) {
            for byte in value.utf8 {
                if let escape = jsonEscape(byte) {
                    bytes += escape.utf8
                } else {
                    bytes.append(byte)
                }
            }
        } else {
            bytes += value.utf8
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func container(
        _ open: Unicode.Scalar, _ close: Unicode.Scalar, _ body: (inout JSONWriter) -> Void
    ) {
        comma()
        bytes.append(UInt8(ascii: open))
        needsComma = false
        body(&self)
        bytes.append(UInt8(ascii: close))
        needsComma = true
    }

    private mutating func comma() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }
}

/// Whether a JSON string can contain the byte only as an escape.
@inlinable public func needsJSONEscape(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == 0x22 || byte == 0x5c
}

/// The escape of a byte that needs one; nil for all others.
public func jsonEscape(_ byte: UInt8) -> String? {
    switch byte {
    case 0x22: return "\\\""
    case 0x5c: return "\\\\"
    case 0x08: return "\\b"
    case 0x0c: return "\\f"
    case 0x0a: return "\\n"
    case 0x0d: return "\\r"
    case 0x09: return "\\t"
    case 0..<0x20:
        let digits = String(byte, radix: 16)
        return "\\u00" + (byte < 0x10 ? "0" : "") + digits
    default: return nil
    }
}
