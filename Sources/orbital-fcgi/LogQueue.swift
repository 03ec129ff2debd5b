/// The lines that wait to be written, in bounded memory, and the counts of repeated errors.
struct LogQueue {
    /// Makes the line of an event; `repeated` is how many more times it occurred.
    typealias Form = @Sendable (_ repeated: Int?) -> [UInt8]

    /// The lines to write next.
    struct Batch {
        /// The lines.
        var lines: [[UInt8]] = []

        /// How many lines were dropped since the previous batch.
        var dropped = 0
    }

    /// The most bytes that may wait; a line beyond them is dropped.
    ///
    /// The batch that is being written may have as many.
    private static let byteLimit = 256 << 10

    /// The lines about the same error that may be written within a second.
    private static let perSecond = 5

    /// How many different errors are counted within a second; others are not limited.
    private static let errorLimit = 64

    private var next = Batch()
    private var byteCount = 0
    private var errors: [String: (count: Int, form: Form)] = [:]

    /// The end of the current counting second; nil while no errors are counted.
    private(set) var secondEnds: ContinuousClock.Instant?

    /// Whether a line about `error` is to be written; counts it in any case.
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

    /// Queues a line; false if it is dropped, because too many bytes wait.
    mutating func add(_ line: [UInt8]) -> Bool {
        guard byteCount + line.count <= Self.byteLimit else {
            next.dropped += 1
            return false
        }
        next.lines.append(line)
        byteCount += line.count
        return true
    }

    /// Counts lines that were taken from the queue and not written.
    mutating func lose(_ count: Int) { next.dropped += count }

    /// Removes and returns the waiting lines; `isLast` also ends the current second.
    mutating func take(at now: ContinuousClock.Instant, isLast: Bool) -> Batch {
        var batch = next
        if let secondEnds, isLast || now >= secondEnds { batch.lines += countedLines() }
        // Dropped lines are reported together with the next line that can be written.
        if batch.lines.isEmpty { return Batch() }
        next = Batch()
        byteCount = 0
        return batch
    }

    /// Ends the second: returns one line for each error that exceeded its limit.
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
