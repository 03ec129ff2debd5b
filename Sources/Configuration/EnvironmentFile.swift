/// A file of `KEY=value` lines, read as a shell reads them.
public struct EnvironmentFile: Sendable {
    /// The values by key, without quotes and comment, and the numbers of their lines, from 1; the
    /// last value of a repeated key.
    public private(set) var assignments: [String: (value: String, line: Int)] = [:]

    /// The faults, with line numbers; they never repeat a line.
    public private(set) var faults: [(line: Int, text: String)] = []

    /// Reads `text`.
    ///
    /// A byte order mark, blank lines, lines that start with `#`, and `export` before a key are
    /// ignored. One pair of quotes around a value is removed; a comment after the value starts with
    /// whitespace and `#`.
    public init(_ text: String) {
        let mark = text.unicodeScalars.prefix { $0 == "\u{feff}" }.count
        let lines = Substring(text.unicodeScalars.dropFirst(mark)).split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            let line = line.drop(while: \.isWhitespace)
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let (key, rest) = keyAndRest(line) else {
                faults.append((index + 1, "expected KEY=value"))
                continue
            }
            guard let value = value(rest) else {
                faults.append(
                    (index + 1, "the value of \(key) does not end with its closing quote"))
                continue
            }
            assignments[key] = (value, index + 1)
        }
    }
}

/// The key of an assignment and the text after the `=`; nil for any other line.
///
/// A key is in capitals: other text could be part of a secret, which must not be printed.
private func keyAndRest(_ line: Substring) -> (key: String, rest: Substring)? {
    guard let equals = line.firstIndex(of: "=") else { return nil }
    var key = withoutBlanks(line[..<equals])
    if key.hasPrefix("export"), key.dropFirst(6).first?.isWhitespace == true {
        key = withoutBlanks(key.dropFirst(6))
    }
    let isKey = key.allSatisfy {
        $0 == "_" || $0.isASCII && ($0.isUppercase || $0.isNumber)
    }
    return isKey && key.first?.isLetter == true
        ? (String(key), line[line.index(after: equals)...]) : nil
}

/// The value at the start of `text`; nil if its quotes are not closed, or are followed by anything
/// except a comment.
private func value(_ text: Substring) -> String? {
    let start = text.drop(while: \.isWhitespace)
    guard let quote = start.first, quote == "\"" || quote == "'" else {
        return String(withoutComment(text))
    }
    let inner = start.dropFirst()
    guard let end = inner.firstIndex(of: quote),
        withoutComment(inner[inner.index(after: end)...]).isEmpty
    else { return nil }
    return String(inner[..<end])
}

/// `text` without surrounding blanks, and without a comment, which starts with a blank and `#`.
private func withoutComment(_ text: Substring) -> Substring {
    var previous: Character?
    for index in text.indices {
        if text[index] == "#", previous?.isWhitespace == true {
            return withoutBlanks(text[..<index])
        }
        previous = text[index]
    }
    return withoutBlanks(text)
}

private func withoutBlanks(_ text: Substring) -> Substring {
    var text = text.drop(while: \.isWhitespace)
    while text.last?.isWhitespace == true { text.removeLast() }
    return text
}
