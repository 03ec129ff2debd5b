import Logging

/// What is logged, and how.
struct LogOptions {
    /// The least severe level.
    var level: Logger.Level

    /// Whether lines are JSON objects, or text for people.
    var isJSON: Bool
}

/// Makes the process's log: lines on standard error, as the options want it at that moment.
func makeLog(_ options: @escaping @Sendable () -> LogOptions) -> Logger {
    var log = Logger(label: "orbital-fcgi") { SwitchedLogHandler(label: $0, options: options) }
    // The handler asks for the level itself; nothing is to be dropped before it.
    log.logLevel = .trace
    return log
}

/// A log handler whose level and format can change while loggers hold copies of it.
private struct SwitchedLogHandler: LogHandler {
    private let options: @Sendable () -> LogOptions
    private var text: StreamLogHandler
    private var json: JSONLogHandler

    init(label: String, options: @escaping @Sendable () -> LogOptions) {
        self.options = options
        text = .standardError(label: label)
        text.logLevel = .trace
        json = JSONLogHandler(label: label)
    }

    var logLevel: Logger.Level {
        get { options().level }
        set {}
    }

    var metadata: Logger.Metadata {
        get { text.metadata }
        set {
            text.metadata = newValue
            json.metadata = newValue
        }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { text[metadataKey: key] }
        set {
            text[metadataKey: key] = newValue
            json[metadataKey: key] = newValue
        }
    }

    func log(event: LogEvent) {
        if options().isJSON { json.log(event: event) } else { text.log(event: event.onOneLine) }
    }
}

extension LogEvent {
    /// The event without control characters in its values: a path is what a client wrote, and must
    /// not begin a line that looks like ours.
    fileprivate var onOneLine: LogEvent {
        var event = self
        event.metadata = metadata?.mapValues { value in
            let text = value.description
            guard text.unicodeScalars.contains(where: \.breaksLines) else { return value }
            var escaped = ""
            for scalar in text.unicodeScalars {
                if scalar.breaksLines {
                    escaped += "\\u{\(String(scalar.value, radix: 16))}"
                } else {
                    escaped.unicodeScalars.append(scalar)
                }
            }
            return .string(escaped)
        }
        return event
    }
}

extension Unicode.Scalar {
    fileprivate var breaksLines: Bool {
        [.control, .lineSeparator, .paragraphSeparator].contains(properties.generalCategory)
    }
}
