import Glibc
import Encoding
import Logging

extension LogEvent {
    /// The event as one JSON object, for programs that read logs.
    var jsonLine: [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("time", utcTime())
            json.member("level", level.rawValue)
            json.member("logger", logLabel)
            json.member("message", message.description)
            for (name, value) in sortedMetadata {
                if case .stringConvertible(let number as Int) = value {
                    json.member(name, literal: String(number))
                } else {
                    json.member(name, value.description)
                }
            }
        }
        return json.bytes + [UInt8(ascii: "\n")]
    }

    /// The event as text for people.
    var textLine: [UInt8] {
        let values = sortedMetadata.map { " \($0)=\(onOneLine($1.description))" }.joined()
        let head = "\(localTime()) \(level) \(logLabel):"
        return Array("\(head)\(values) [\(source)] \(message)\n".utf8)
    }

    private var sortedMetadata: [(key: String, value: Logger.MetadataValue)] {
        (metadata ?? [:]).sorted { $0.key < $1.key }
    }
}

/// The local time with its offset from UTC, to the second.
private func localTime() -> String {
    var now = time(nil)
    var parts = tm()
    localtime_r(&now, &parts)
    return formatted(parts, "%FT%T%z")
}

/// The time in UTC, to the millisecond.
private func utcTime() -> String {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    var parts = tm()
    gmtime_r(&now.tv_sec, &parts)
    let milliseconds = String(now.tv_nsec / 1_000_000)
    let zeros = String(repeating: "0", count: 3 - milliseconds.count)
    return formatted(parts, "%FT%T.\(zeros)\(milliseconds)Z")
}

private func formatted(_ parts: tm, _ format: String) -> String {
    var parts = parts
    var text = [CChar](repeating: 0, count: 64)
    let count = strftime(&text, text.count, format, &parts)
    return String(decoding: text[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// `text` with its control characters escaped: a client's path must not start a line that looks
/// like one of ours.
private func onOneLine(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: \.breaksLines) else { return text }
    var escaped = ""
    for scalar in text.unicodeScalars {
        if scalar.breaksLines {
            escaped += "\\u{\(String(scalar.value, radix: 16))}"
        } else {
            escaped.unicodeScalars.append(scalar)
        }
    }
    return escaped
}

extension Unicode.Scalar {
    fileprivate var breaksLines: Bool {
        [.control, .lineSeparator, .paragraphSeparator].contains(properties.generalCategory)
    }
}
