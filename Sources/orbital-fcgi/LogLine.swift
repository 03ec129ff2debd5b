import Glibc
import Encoding
import Logging

extension LogEvent {
    /// The event as one JSON object, for programs that read logs.
    var jsonLine: [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("time", Self.utcTime)
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
        let head = "\(Self.localTime) \(level) \(logLabel):"
        return Array("\(head)\(values) [\(source)] \(message)\n".utf8)
    }

    private var sortedMetadata: [(key: String, value: Logger.MetadataValue)] {
        (metadata ?? [:]).sorted { $0.key < $1.key }
    }

    /// The local time with its offset from UTC, to the second.
    private static var localTime: String {
        var now = time(nil)
        var parts = tm()
        localtime_r(&now, &parts)
        let offset = abs(parts.tm_gmtoff) / 60
        return date(parts) + (parts.tm_gmtoff < 0 ? "-" : "+")
            + padded(offset / 60, 2) + padded(offset % 60, 2)
    }

    /// The time in UTC, to the millisecond.
    private static var utcTime: String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        gmtime_r(&now.tv_sec, &parts)
        return date(parts) + "." + padded(now.tv_nsec / 1_000_000, 3) + "Z"
    }

    private static func date(_ parts: tm) -> String {
        let date = [Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday)]
        let time = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { padded(Int($0), 2) }
        return date.map { padded($0, 2) }.joined(separator: "-") + "T"
            + time.joined(separator: ":")
    }
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

/// `number` with zeros before it, up to `length` digits.
private func padded(_ number: Int, _ length: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, length - digits.count)) + digits
}
