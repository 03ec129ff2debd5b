/// Writes CSV rows (RFC 4180) that can be read back: CRLF at their end, quotes only where needed.
public struct CSVWriter {
    /// What has been written.
    public private(set) var bytes: [UInt8] = []

    /// Starts with nothing written.
    public init() {}

    /// Writes one row, after fields that are encoded already; `nil` is an empty field.
    public mutating func row(after encoded: [UInt8] = [], _ fields: [String?]) {
        bytes += encoded
        for (index, field) in fields.enumerated() {
            if index > 0 || !encoded.isEmpty { bytes.append(UInt8(ascii: ",")) }
            write(field ?? "")
        }
        bytes += [0x0d, 0x0a]
    }

    private mutating func write(_ text: String) {
        guard text.utf8.contains(where: needsCSVQuotes) else {
            bytes += text.utf8
            return
        }
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") { bytes.append(byte) }
            bytes.append(byte)
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

/// Whether a CSV field that contains the byte must be quoted.
@inlinable public func needsCSVQuotes(_ byte: UInt8) -> Bool {
    byte == 0x22 || byte == 0x2c || byte == 0x0a || byte == 0x0d
}
