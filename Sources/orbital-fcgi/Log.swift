import Logging

/// Makes the process's log: lines on standard error, at the level that holds at that moment.
func makeLog(level: @escaping @Sendable () -> Logger.Level) -> Logger {
    var log = Logger(label: "orbital-fcgi") { label in
        LevelledLogHandler(
            base: StreamLogHandler.standardError(label: label), currentLevel: level)
    }
    // The handler asks for the level itself; nothing is to be dropped before it.
    log.logLevel = .trace
    return log
}

/// A log handler whose level can change while loggers hold copies of it.
private struct LevelledLogHandler: LogHandler {
    var base: StreamLogHandler
    let currentLevel: @Sendable () -> Logger.Level

    var logLevel: Logger.Level {
        get { currentLevel() }
        set { base.logLevel = .trace }
    }

    var metadata: Logger.Metadata {
        get { base.metadata }
        set { base.metadata = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { base[metadataKey: key] }
        set { base[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) { base.log(event: event) }
}
