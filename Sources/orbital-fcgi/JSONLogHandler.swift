import Glibc
import HTTP
import Logging

/// A log handler that writes each line as one JSON object, for programs that read logs.
struct JSONLogHandler: LogHandler {
    let label: String
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]

    init(label: String) { self.label = label }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var json = JSONWriter()
        json.object { json in
            json.member("time", Self.now)
            json.member("level", event.level.rawValue)
            json.member("logger", label)
            json.member("message", event.message.description)
            let all = metadata.merging(event.metadata ?? [:]) { $1 }
            for (name, value) in all.sorted(by: { $0.key < $1.key }) {
                if case .stringConvertible(let number as Int) = value {
                    json.member(name, literal: String(number))
                } else {
                    json.member(name, value.description)
                }
            }
        }
        // One call for one line: lines of several threads do not mix.
        let line = json.bytes + [UInt8(ascii: "\n")]
        _ = write(STDERR_FILENO, line, line.count)
    }

    /// The time in UTC, to the millisecond.
    private static var now: String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        gmtime_r(&now.tv_sec, &parts)
        let date = [Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday)]
        let time = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { padded(Int($0), 2) }
        return date.map { padded($0, 2) }.joined(separator: "-") + "T"
            + time.joined(separator: ":") + "." + padded(now.tv_nsec / 1_000_000, 3) + "Z"
    }
}

/// `number` with zeros before it, up to `length` digits.
private func padded(_ number: Int, _ length: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, length - digits.count)) + digits
}
