import Logging

/// The level and the format of log lines.
struct LogOptions {
    /// The minimum level.
    var level: Logger.Level

    /// Whether lines are JSON objects, or text for people.
    var isJSON: Bool
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
