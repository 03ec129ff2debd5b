/// A value for a prepared statement.
public enum Parameter: Sendable {
    /// A value in PostgreSQL's text form; its type follows from the statement.
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
    public static func array(_ values: [Int64?]) -> Parameter { array(values, elementType: 20) }

    /// A `timestamptz[]` of microseconds since 2000; nil stands for NULL.
    public static func array(timestamps values: [Int64?]) -> Parameter {
        array(values, elementType: 1184)
    }

    private static func array(_ values: [Int64?], elementType: Int32) -> Parameter {
        array(values, elementType: elementType, byteCount: { _ in 8 }) { value, bytes in
            bytes.storeBytes(of: value.bigEndian, as: Int64.self)
        }
    }

    /// A `text[]`; nil stands for NULL.
    public static func array(_ values: [String?]) -> Parameter {
        array(values, elementType: 25, byteCount: { $0.utf8.count }) { value, bytes in
            bytes.copyBytes(from: value.utf8)
        }
    }

    /// A `bytea[]`; nil stands for NULL.
    public static func array(bytes values: [[UInt8]?]) -> Parameter {
        array(values, elementType: 17, byteCount: { $0.count }) { value, bytes in
            bytes.copyBytes(from: value)
        }
    }

    /// The binary form of an array with one dimension (`array_recv` in PostgreSQL's arrayfuncs.c).
    private static func array<Value>(
        _ values: [Value?], elementType: Int32, byteCount: (Value) -> Int,
        _ write: (Value, UnsafeMutableRawBufferPointer) -> Void
    ) -> Parameter {
        let header =
            values.isEmpty ? [0, 1, elementType] : [1, 1, elementType, Int32(values.count), 1]
        // Texts may be 8 MiB: growing step by step would take twice that.
        let total = values.reduce(4 * header.count) { $0 + 4 + ($1.map(byteCount) ?? 0) }
        let array = [UInt8](unsafeUninitializedCapacity: total) { array, count in
            let bytes = UnsafeMutableRawBufferPointer(array)
            for number in header {
                bytes.storeBytes(of: number.bigEndian, toByteOffset: count, as: Int32.self)
                count += 4
            }
            for value in values {
                let length = value.map(byteCount) ?? -1
                bytes.storeBytes(of: Int32(length).bigEndian, toByteOffset: count, as: Int32.self)
                count += 4
                guard let value else { continue }
                write(value, .init(rebasing: bytes[count..<count + length]))
                count += length
            }
        }
        return .binary(array)
    }
}
