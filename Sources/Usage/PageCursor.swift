import Encoding

/// A cursor of keyset pagination: the position after one usage record in a sorted list.
///
/// It contains the record's values in the columns of the order, so that the next page begins after
/// this record, even if records were added or removed in the meantime.
public struct PageCursor: Equatable, Sendable {
    /// One value of the record.
    public enum Value: Equatable, Sendable {
        /// A message's id, hundredths of a credit, or microseconds since 1970.
        case integer(Int64)
        /// A text; nil if the record has none.
        case text(String?)
    }

    /// The values, in the order of the terms.
    public let values: [Value]

    /// Makes a cursor.
    public init(_ values: [Value]) { self.values = values }

    /// The position after `record`, which has the columns of `sort`.
    public init(_ record: UsageRecord, _ sort: SortOrder) {
        values = sort.terms.map { term in
            switch term.column.kind {
            case .integer(let place): .integer(place.get(record) ?? 0)
            case .timestamp(let place): .integer(place.get(record)?.microseconds ?? 0)
            case .text(let place, _): .text(place.get(record))
            case .credits(let place): .integer(place.get(record)?.hundredths ?? 0)
            case .flag(let place): .integer(place.get(record) ? 1 : 0)
            case .tags(let place): .text(place.get(record))
            }
        }
    }

    private static let version: UInt8 = 1
    private static let integerTag: UInt8 = 0
    private static let textTag: UInt8 = 1
    private static let absentTag: UInt8 = 2

    /// The cursor as opaque text, bound to the query with `fingerprint`: base64url without padding.
    public func text(fingerprint: UInt64) -> String {
        var bytes = [Self.version] + bigEndian(fingerprint)
        for value in values {
            switch value {
            case .integer(let number): bytes += [Self.integerTag] + bigEndian(number)
            case .text(nil): bytes.append(Self.absentTag)
            case .text(let text?):
                bytes += [Self.textTag] + bigEndian(UInt16(clamping: text.utf8.count)) + text.utf8
            }
        }
        return Base64URL.text(bytes)
    }

    /// Whether `text` is a cursor, of any query.
    public static func isWellFormed(_ text: String) -> Bool {
        guard var rest = content(of: text) else { return false }
        guard let _: UInt64 = number(&rest) else { return false }
        while let tag = rest.first {
            let column: UsageRecord.Column = tag == integerTag ? .messageID : .reportName
            guard value(&rest, of: column) != nil else { return false }
        }
        return true
    }

    /// The bytes after the version; nil if `text` cannot be decoded.
    private static func content(of text: String) -> ArraySlice<UInt8>? {
        guard text.utf8.count <= 4096, let bytes = Base64URL.bytes(text) else { return nil }
        return bytes.first == version ? bytes.dropFirst() : nil
    }

    /// Parses a cursor of the order `sort`; nil for anything else, and for a cursor with another
    /// fingerprint.
    public init?(_ text: String, fingerprint: UInt64, sort: SortOrder) {
        guard var rest = Self.content(of: text), let bound: UInt64 = number(&rest),
            bound == fingerprint
        else { return nil }
        var values: [Value] = []
        for term in sort.terms {
            guard let value = Self.value(&rest, of: term.column) else { return nil }
            values.append(value)
        }
        guard rest.isEmpty else { return nil }
        self.values = values
    }

    private static func value(
        _ bytes: inout ArraySlice<UInt8>, of column: UsageRecord.Column
    ) -> Value? {
        switch (bytes.popFirst(), column.kind) {
        case (absentTag, .text) where column.isOptional: return .text(nil)
        case (textTag, .text):
            guard let count: UInt16 = number(&bytes), bytes.count >= Int(count),
                let text = String(validating: bytes.prefix(Int(count)), as: UTF8.self),
                !text.utf8.contains(0)
            else { return nil }
            bytes = bytes.dropFirst(Int(count))
            return .text(text)
        case (integerTag, .timestamp):
            guard let microseconds: Int64 = number(&bytes),
                Timestamp.representable.contains(Timestamp(microseconds: microseconds))
            else { return nil }
            return .integer(microseconds)
        case (integerTag, .integer), (integerTag, .credits):
            return number(&bytes).map { .integer($0) }
        default: return nil
        }
    }
}

private func bigEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    stride(from: Number.bitWidth - 8, through: 0, by: -8).map {
        UInt8(truncatingIfNeeded: number >> Number($0))
    }
}

private func number<Number: FixedWidthInteger>(_ bytes: inout ArraySlice<UInt8>) -> Number? {
    let count = Number.bitWidth / 8
    guard bytes.count >= count else { return nil }
    defer { bytes = bytes.dropFirst(count) }
    return bytes.prefix(count).reduce(0) { $0 << 8 | Number($1) }
}
