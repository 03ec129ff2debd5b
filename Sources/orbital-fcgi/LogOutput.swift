import Glibc
import Logging
import Metrics
import Synchronization
import Threads

/// Standard error, written by a separate thread, so that logging never waits for its reader.
final class LogOutput: Sendable {
    /// Lines that were dropped because standard error was not read in time.
    let dropped = Counter()

    /// The index of the minimum level among all.
    private let levelIndex: Atomic<Int>
    private let isJSON: Atomic<Bool>
    private let state = Lock(State())

    private struct State {
        var queue = LogQueue()
        var isStarted = false
        var isFinishing = false
        /// The writing thread, while it waits for lines.
        var writer: Handoff<Void>?
        /// The thread that waits until all lines are written.
        var finisher: Handoff<Void>?
    }

    init(_ options: LogOptions) {
        levelIndex = Atomic(options.levelIndex)
        isJSON = Atomic(options.isJSON)
    }

    /// The minimum level; does not lock, because every request reads it.
    var level: Logger.Level { Logger.Level.allCases[levelIndex.load(ordering: .relaxed)] }

    /// Applies new options to the lines from now on.
    func use(_ options: LogOptions) {
        levelIndex.store(options.levelIndex, ordering: .relaxed)
        isJSON.store(options.isJSON, ordering: .relaxed)
    }

    /// Queues the line of an event, unless the same error is at its limit for this second.
    func add(_ event: LogEvent) {
        let isJSON = isJSON.load(ordering: .relaxed)
        let form: LogQueue.Form = { repeated in
            var event = event
            if let repeated {
                let all = event.metadata ?? [:]
                // A line about several events must not name one request.
                event.metadata = all.filter { ["error", "cause"].contains($0.key) }
                event.metadata?["repeated"] = .stringConvertible(repeated)
            }
            return isJSON ? event.jsonLine : event.textLine
        }
        if let error = event.repeatedError {
            let isAdmitted = state.withLock { state in
                start(&state)
                return state.queue.admits(error, at: .now, form)
            }
            guard isAdmitted else { return }
        }
        add(form(nil))
    }

    /// Queues a whole line.
    func add(_ line: [UInt8]) {
        let writer = state.withLock { state in
            start(&state)
            if !state.queue.add(line) { dropped.add() }
            return state.writer.take()
        }
        writer?.give(())
    }

    /// Waits until all lines are written, at most for `duration`.
    func finish(within duration: Duration) {
        let turn = Handoff<Void>()
        let (isStarted, writer) = state.withLock { state in
            state.isFinishing = true
            state.finisher = turn
            return (state.isStarted, state.writer.take())
        }
        writer?.give(())
        if isStarted { _ = turn.wait(until: .now + duration) }
    }

    /// Starts the thread at the first line; if the system is at its thread limit, at a later one.
    private func start(_ state: inout State) {
        guard !state.isStarted else { return }
        state.isStarted = startThread { [self] in while true { write(nextBatch()) } } == 0
    }

    private func nextBatch() -> LogQueue.Batch {
        while true {
            let turn = Handoff<Void>()
            let (batch, end, finisher) = state.withLock { state in
                let batch = state.queue.take(at: .now, isLast: state.isFinishing)
                state.writer = batch.lines.isEmpty ? turn : nil
                let finisher = batch.lines.isEmpty ? state.finisher.take() : nil
                return (batch, state.queue.secondEnds, finisher)
            }
            if !batch.lines.isEmpty { return batch }
            finisher?.give(())
            if let end { _ = turn.wait(until: end) } else { turn.wait() }
        }
    }

    private func write(_ batch: LogQueue.Batch) {
        var lines = batch.lines[...]
        while let line = lines.first, writeWhole(line) { lines.removeFirst() }
        dropped.add(lines.count)
        var unreported = batch.dropped + lines.count
        if unreported > 0, lines.isEmpty, writeWhole(line(dropped: unreported)) { unreported = 0 }
        state.withLock { $0.queue.lose(unreported) }
    }

    private func line(dropped count: Int) -> [UInt8] {
        let event = LogEvent(
            level: .warning, message: "log lines dropped: standard error was not read in time",
            metadata: ["lines": .stringConvertible(count)], source: nil, file: #fileID,
            function: #function, line: #line)
        return isJSON.load(ordering: .relaxed) ? event.jsonLine : event.textLine
    }
}

/// Writes a line, waiting as long as necessary; false if it cannot be written.
///
/// Uses one call per line, so that lines of several processes do not interleave.
private func writeWhole(_ line: [UInt8]) -> Bool {
    var rest = line
    while !rest.isEmpty {
        let count = write(STDERR_FILENO, rest, rest.count)
        if count >= 0 {
            rest.removeFirst(count)
        } else if errno == EAGAIN {
            // Another process that shares the descriptor made it non-blocking.
            var wait = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
            poll(&wait, 1, -1)
        } else if errno != EINTR {
            return false
        }
    }
    return true
}

extension LogEvent {
    /// The key by which repetitions of an error are recognised; nil if it is not an error.
    fileprivate var repeatedError: String? {
        guard level >= .warning, let cause = metadata?["error"] ?? metadata?["cause"] else {
            return nil
        }
        return "\(message) \(cause)"
    }
}

/// The level and the format of log lines.
struct LogOptions {
    /// The minimum level.
    var level: Logger.Level

    /// Whether lines are JSON objects, or text for people.
    var isJSON: Bool

    fileprivate var levelIndex: Int { Logger.Level.allCases.firstIndex(of: level) ?? 0 }
}

/// The program's name in log lines.
let logLabel = "orbital-fcgi"

/// Makes the process's log, whose lines go to `output`.
func makeLog(_ output: LogOutput) -> Logger {
    var log = Logger(label: logLabel) { _ in LogHandlerOfOutput(output: output) }
    // The handler checks the level, which can change; the logger must not drop anything before.
    log.logLevel = .trace
    return log
}

private struct LogHandlerOfOutput: LogHandler {
    let output: LogOutput
    var metadata: Logger.Metadata = [:]

    var logLevel: Logger.Level {
        get { output.level }
        set {}
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var event = event
        event.metadata = metadata.merging(event.metadata ?? [:]) { $1 }
        output.add(event)
    }
}
