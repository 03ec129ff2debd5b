import Usage

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
