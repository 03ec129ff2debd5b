import Encoding
import Usage

/// A position in the output buffer; the caller has made sure that there is room.
struct OutputCursor {
    private(set) var position: UnsafeMutablePointer<UInt8>

    init(_ position: UnsafeMutablePointer<UInt8>) { self.position = position }

    mutating func put(_ text: StaticString) {
        position.update(from: text.utf8Start, count: text.utf8CodeUnitCount)
        position += text.utf8CodeUnitCount
    }

    /// Writes all 32 bytes, of which those beyond the text are overwritten by what follows.
    mutating func put(_ text: ShortText) {
        UnsafeMutableRawPointer(position).storeBytes(of: text.bytes, as: SIMD32<UInt8>.self)
        position += text.count
    }

    mutating func put(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { put($0[...]) }
    }

    /// Copies bytes that are JSON already.
    mutating func put(json bytes: UnsafeBufferPointer<UInt8>) { put(bytes[...]) }

    /// Writes `{` over the comma at `start`, where the first member begins, if there is any.
    mutating func putBrace(at start: UnsafeMutablePointer<UInt8>) {
        if position == start { position += 1 }
        start.pointee = UInt8(ascii: "{")
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

    mutating func put(_ credits: Credits) {
        if credits.hundredths < 0 { put("-") }
        let (whole, rest) = credits.hundredths.magnitude.quotientAndRemainder(dividingBy: 100)
        put(integer: Int64(whole))
        put(".")
        put(twoDigits: Int(rest))
    }

    /// Writes a time in UTC; `day` remembers the text of its date.
    mutating func put(_ timestamp: Timestamp, _ day: inout DayPrefix) {
        let microseconds = day.offset(of: timestamp)
        put(day.text)
        let seconds = Int(microseconds / 1_000_000)
        put(twoDigits: seconds / 3600)
        put(":")
        put(twoDigits: seconds / 60 % 60)
        put(":")
        put(twoDigits: seconds % 60)
        let fraction = Int(microseconds % 1_000_000)
        if fraction != 0 {
            put(".")
            put(twoDigits: fraction / 10_000)
            put(twoDigits: fraction / 100 % 100)
            put(twoDigits: fraction % 100)
        }
        put("Z")
    }

    /// Copies runs of plain bytes; a byte that JSON cannot hold becomes its escape.
    mutating func put(jsonText bytes: UnsafeBufferPointer<UInt8>) {
        var start = 0
        for index in bytes.indices where needsJSONEscape(bytes[index]) {
            put(bytes[start..<index])
            if let escape = jsonEscape(bytes[index]) { put(Array(escape.utf8)) }
            start = index + 1
        }
        put(bytes[start...])
    }

    /// Copies bytes as a field of CSV (RFC 4180), with quotes only where they are needed.
    mutating func put(csvText bytes: UnsafeBufferPointer<UInt8>) {
        let needsQuotes = bytes.contains(where: needsCSVQuotes)
        if needsQuotes { put("\"") }
        putFormulaGuard(bytes.first)
        for byte in bytes {
            if byte == 0x22 { put("\"") }
            position.pointee = byte
            position += 1
        }
        if needsQuotes { put("\"") }
    }

    /// Writes `'` before a cell that a spreadsheet would run as a formula.
    mutating func putFormulaGuard(_ first: UInt8?) {
        if needsFormulaGuard(first) { put("'") }
    }
}

/// Whether a spreadsheet would run a cell that begins with `first` as a formula.
@inline(__always)
func needsFormulaGuard(_ first: UInt8?) -> Bool {
    switch first {
    case 0x3d, 0x2b, 0x2d, 0x40, 0x09, 0x0d: true
    default: false
    }
}

/// The text of the last day that was written; in order of time it rarely changes.
struct DayPrefix {
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
