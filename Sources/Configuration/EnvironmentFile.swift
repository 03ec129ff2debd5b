/// A file of `KEY=value` lines that systemd, Docker and a shell read alike.
public struct EnvironmentFile: Sendable {
    /// The values by key; of a key that stands twice, the last.
    public private(set) var values: [String: String] = [:]

    /// The lines that are no assignment.
    public private(set) var faults: [String] = []

    /// Reads `text`: blank lines and lines that start with `#` count for nothing, and one pair of
    /// quotes around a value is taken off.
    public init(_ text: String) {
        for (index, line) in text.split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline
        ).enumerated() {
            let line = trimmed(line)
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let equals = line.firstIndex(of: "="), equals > line.startIndex else {
                faults.append("line \(index + 1) is not KEY=value")
                continue
            }
            let value = trimmed(line[line.index(after: equals)...])
            values[String(line[..<equals])] = String(unquoted(value))
        }
    }
}

private func trimmed(_ text: Substring) -> Substring {
    var text = text
    while text.first?.isWhitespace == true { text.removeFirst() }
    while text.last?.isWhitespace == true { text.removeLast() }
    return text
}

private func unquoted(_ text: Substring) -> Substring {
    guard text.count >= 2, let quote = text.first, quote == "\"" || quote == "'",
        text.last == quote
    else { return text }
    return text.dropFirst().dropLast()
}
