/// A value for a prepared statement.
public enum Parameter: Sendable {
    /// A value in PostgreSQL's text form; its type is that of the statement.
    case text(String)
    /// A value in binary form.
    case binary([UInt8])
    /// NULL.
    case null

    var isBinary: Bool {
        if case .binary = self { true } else { false }
    }

    var byteCount: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .binary(let bytes): bytes.count
        case .null: 0
        }
    }

    /// An `int8[]`; nil stands for NULL.
    public static func array(_ values: [Int64?]) -> Parameter {
        array(values, elementType: 20, byteCount: 8 * values.count) { value, bytes in
            append(value, to: &bytes)
        }
    }

    /// A `timestamptz[]` of microseconds since 2000; nil stands for NULL.
    public static func array(timestamps values: [Int64?]) -> Parameter {
        array(values, elementType: 1184, byteCount: 8 * values.count) { value, bytes in
            append(value, to: &bytes)
        }
    }

    /// A `text[]`; nil stands for NULL.
    public static func array(_ values: [String?]) -> Parameter {
        let byteCount = values.reduce(0) { $0 + ($1?.utf8.count ?? 0) }
        return array(values, elementType: 25, byteCount: byteCount) { $1 += $0.utf8 }
    }

    /// The binary form of an array with one dimension (`array_recv` in PostgreSQL's arrayfuncs.c).
    private static func array<Value>(
        _ values: [Value?], elementType: Int32, byteCount: Int,
        _ append: (Value, inout [UInt8]) -> Void
    ) -> Parameter {
        var bytes: [UInt8] = []
        // Texts may be 8 MiB: growing step by step would take twice that.
        bytes.reserveCapacity(byteCount + 4 * values.count + 20)
        for number in [values.isEmpty ? 0 : 1, 1, elementType] { Self.append(number, to: &bytes) }
        if !values.isEmpty {
            for number in [Int32(values.count), 1] { Self.append(number, to: &bytes) }
        }
        for value in values {
            let start = bytes.count
            Self.append(Int32(-1), to: &bytes)
            guard let value else { continue }
            append(value, &bytes)
            let length = Int32(bytes.count - start - 4)
            withUnsafeBytes(of: length.bigEndian) { length in
                for index in 0..<4 { bytes[start + index] = length[index] }
            }
        }
        return .binary(bytes)
    }

    private static func append<Number: FixedWidthInteger>(
        _ number: Number, to bytes: inout [UInt8]
    ) {
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
