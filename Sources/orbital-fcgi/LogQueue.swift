/// The lines that wait to be written, in bounded memory, and the errors that repeat.
struct LogQueue {
    /// Makes the line of an event; with a number for one that was left out so many times.
    typealias Form = @Sendable (_ repeated: Int?) -> [UInt8]

    /// What is to be written next.
    struct Batch {
        /// The lines.
        var lines: [[UInt8]] = []

        /// How many were dropped since the batch before.
        var dropped = 0
    }

    /// The most bytes that wait; a line beyond them is dropped.
    ///
    /// As many may be in the writer's hands.
    private static let byteLimit = 256 << 10

    /// The lines about the same error that may be written within a second.
    private static let perSecond = 5

    /// The different errors that are told apart within a second; others are not limited.
    private static let errorLimit = 64

    private var next = Batch()
    private var byteCount = 0
    private var errors: [String: (count: Int, form: Form)] = [:]

    /// The end of the second in which errors are counted; nil while there are none.
    private(set) var secondEnds: ContinuousClock.Instant?

    /// Whether a line about `error` is to be written; if not, it is counted.
    mutating func admits(
        _ error: String, at now: ContinuousClock.Instant, _ form: @escaping Form
    ) -> Bool {
        if let secondEnds, now >= secondEnds { countedLines().forEach { _ = add($0) } }
        if secondEnds == nil { secondEnds = now + .seconds(1) }
        let count = (errors[error]?.count ?? 0) + 1
        if count == 1, errors.count == Self.errorLimit { return true }
        errors[error] = (count, form)
        return count <= Self.perSecond
    }

    /// Takes a line; false when it is dropped, because too many wait.
    mutating func add(_ line: [UInt8]) -> Bool {
        guard byteCount + line.count <= Self.byteLimit else {
            next.dropped += 1
            return false
        }
        next.lines.append(line)
        byteCount += line.count
        return true
    }

    /// Counts lines that were taken and not written.
    mutating func lose(_ count: Int) { next.dropped += count }

    /// Gives away what waits; if `isLast`, also what would wait for the end of the second.
    mutating func take(at now: ContinuousClock.Instant, isLast: Bool) -> Batch {
        var batch = next
        if let secondEnds, isLast || now >= secondEnds { batch.lines += countedLines() }
        // What was dropped is told with the next line that can be written.
        if batch.lines.isEmpty { return Batch() }
        next = Batch()
        byteCount = 0
        return batch
    }

    /// Ends the second: one line for each error that was left out in it.
    private mutating func countedLines() -> [[UInt8]] {
        defer {
            errors = [:]
            secondEnds = nil
        }
        return errors.sorted { $0.key < $1.key }.compactMap { _, error in
            let repeated = error.count - Self.perSecond
            return repeated > 0 ? error.form(repeated) : nil
        }
    }
}
