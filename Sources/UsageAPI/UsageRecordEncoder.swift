import HTTP
import Usage
import UsageStore

/// Encodes usage records as JSON straight into the output buffer, with nothing in between.
///
/// The order of the keys and the absence of blanks are part of the contract.
struct UsageRecordEncoder {
    private let writer: BodyWriter
    private var day = DayPrefix()

    /// The longest record without its report name: names, digits, punctuation.
    private static let fixedLength = 160

    /// The most bytes that JSON makes of one: `\u001f`.
    private static let escapeLength = 6

    init(writer: BodyWriter) { self.writer = writer }

    /// Appends the record that `rows` read last.
    mutating func append(_ rows: UsageRows) throws {
        try rows.withReportName { name in
            try writer.makeRoom(Self.fixedLength + Self.escapeLength * (name?.count ?? 0))
            writer.buffer.withUnsafeMutableBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return }
                var cursor = Cursor(base + writer.count)
                cursor.put(#"{"message_id":"#)
                cursor.put(integer: rows.messageID)
                cursor.put(#","timestamp":""#)
                put(rows.timestamp, &cursor)
                cursor.put("\"")
                if let name {
                    cursor.put(#","report_name":""#)
                    name.withUnsafeBufferPointer { cursor.put(escaping: $0) }
                    cursor.put("\"")
                }
                cursor.put(#","credits_used":"#)
                put(rows.credits, &cursor)
                cursor.put("}")
                writer.count = cursor.position - base
            }
        }
    }

    private func put(_ credits: Credits, _ cursor: inout Cursor) {
        let (whole, rest) = credits.hundredths.quotientAndRemainder(dividingBy: 100)
        cursor.put(integer: whole)
        cursor.put(".")
        cursor.put(twoDigits: Int(rest))
    }

    private mutating func put(_ timestamp: Timestamp, _ cursor: inout Cursor) {
        let microseconds = day.offset(of: timestamp)
        cursor.put(day.text)
        let seconds = Int(microseconds / 1_000_000)
        cursor.put(twoDigits: seconds / 3600)
        cursor.put(":")
        cursor.put(twoDigits: seconds / 60 % 60)
        cursor.put(":")
        cursor.put(twoDigits: seconds % 60)
        let fraction = Int(microseconds % 1_000_000)
        if fraction != 0 {
            cursor.put(".")
            cursor.put(twoDigits: fraction / 10_000)
            cursor.put(twoDigits: fraction / 100 % 100)
            cursor.put(twoDigits: fraction % 100)
        }
        cursor.put("Z")
    }
}

/// The text of the last day that was written; in order of time it rarely changes.
private struct DayPrefix {
    private(set) var text: [UInt8] = []
    private var startMicroseconds = Int64.max

    private static let dayMicroseconds: Int64 = 86_400_000_000

    /// Microseconds from the start of its day to `timestamp`; `text` is then that day's.
    mutating func offset(of timestamp: Timestamp) -> Int64 {
        let offset = timestamp.microseconds.subtractingReportingOverflow(startMicroseconds)
        if !offset.overflow, (0..<Self.dayMicroseconds).contains(offset.partialValue) {
            return offset.partialValue
        }
        let written = timestamp.wholeSeconds.description
        text = Array(written.utf8.prefix("2024-01-15T".utf8.count))
        let remainder = timestamp.microseconds % Self.dayMicroseconds
        let sinceMidnight = remainder < 0 ? remainder + Self.dayMicroseconds : remainder
        startMicroseconds = timestamp.microseconds - sinceMidnight
        return sinceMidnight
    }
}

/// A position in the output buffer; the caller has made sure that there is room.
private struct Cursor {
    private(set) var position: UnsafeMutablePointer<UInt8>

    init(_ position: UnsafeMutablePointer<UInt8>) { self.position = position }

    mutating func put(_ text: StaticString) {
        position.update(from: text.utf8Start, count: text.utf8CodeUnitCount)
        position += text.utf8CodeUnitCount
    }

    mutating func put(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { put($0[...]) }
    }

    private mutating func put(_ bytes: UnsafeBufferPointer<UInt8>.SubSequence) {
        let bytes = UnsafeBufferPointer(rebasing: bytes)
        guard let base = bytes.baseAddress else { return }
        position.update(from: base, count: bytes.count)
        position += bytes.count
    }

    mutating func put(twoDigits number: Int) {
        position[0] = 0x30 + UInt8(truncatingIfNeeded: number / 10)
        position[1] = 0x30 + UInt8(truncatingIfNeeded: number % 10)
        position += 2
    }

    mutating func put(integer: Int64) {
        if integer < 0 { put("-") }
        var rest = integer.magnitude
        var end = position
        var limit: UInt64 = 10
        // Nineteen digits at the most: the limit of the nineteenth still fits.
        while rest >= limit, end - position < 18 {
            limit *= 10
            end += 1
        }
        let next = end + 1
        while end >= position {
            end.pointee = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
            end -= 1
        }
        position = next
    }

    /// Copies runs of plain bytes; a byte that JSON cannot hold becomes its escape.
    mutating func put(escaping bytes: UnsafeBufferPointer<UInt8>) {
        var start = 0
        for index in bytes.indices where isSpecial(bytes[index]) {
            put(bytes[start..<index])
            if let escape = jsonEscape(bytes[index]) { put(Array(escape.utf8)) }
            start = index + 1
        }
        put(bytes[start...])
    }

    private func isSpecial(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x22 || byte == 0x5c }
}
