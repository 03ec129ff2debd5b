import Glibc

/// An existing settings file.
struct SettingsFile {
    private let path: String
    private let file: EnvironmentFile

    /// Reads the first of `paths` that exists; nil when none does.
    init?(first paths: [String]) throws(SettingsError) {
        for path in paths {
            guard let text = try contents(of: path) else { continue }
            self.path = path
            file = EnvironmentFile(text)
            return
        }
        return nil
    }

    /// The faults of its lines and keys, each with file and line.
    var faults: [String] {
        let known = Set(
            SettingsKey.all.map(\.name) + SettingsKey.removed.map(\.name) + LibpqVariables.all)
        let unknown = file.assignments.filter { !known.contains($0.key) }.map { key, assignment in
            (line: assignment.line, text: "\(key) is not a known setting")
        }
        return (file.faults + unknown).sorted { $0.line < $1.line }
            .map { "\(place($0.line)): \($0.text)" }
    }

    /// The value of `key` and its line; nil if it is not set or empty.
    func value(_ key: String) -> (value: String, place: String)? {
        guard let assignment = file.assignments[key], !assignment.value.isEmpty else { return nil }
        return (assignment.value, place(assignment.line))
    }

    /// The file and line of `key`, even if its value is empty; nil if it is not set.
    func place(of key: String) -> String? { file.assignments[key].map { place($0.line) } }

    private func place(_ line: Int) -> String { "\(path) line \(line)" }
}

/// The text of a file of less than 64 KiB; nil if it does not exist.
private func contents(of path: String) throws(SettingsError) -> String? {
    guard let file = fopen(path, "re") else {
        if errno == ENOENT || isOutOfSight(path) { return nil }
        let remedy = errno == EACCES ? "; run this as root or as the user orbital-usage" : ""
        throw SettingsError(faults: ["\(path): \(String(cString: strerror(errno)))\(remedy)"])
    }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 64 * 1024)
    let count = fread(&bytes, 1, bytes.count, file)
    guard ferror(file) == 0, count < bytes.count else {
        throw SettingsError(faults: ["\(path): not a text file of less than 64 KiB"])
    }
    return String(decoding: bytes.prefix(count), as: UTF8.self)
}

/// Whether `path` is relative to a current directory without search permission, as after `sudo -u`.
private func isOutOfSight(_ path: String) -> Bool {
    !path.hasPrefix("/") && errno == EACCES && access(path, F_OK) != 0 && errno == EACCES
}

/// A file of `KEY=value` lines, read as a shell reads them.
struct EnvironmentFile: Sendable {
    /// The values by key, without quotes and comment, and the numbers of their lines, from 1; the
    /// last value of a repeated key.
    private(set) var assignments: [String: (value: String, line: Int)] = [:]

    /// The faults, with line numbers; they never repeat a line.
    private(set) var faults: [(line: Int, text: String)] = []

    /// Reads `text`.
    ///
    /// A byte order mark, blank lines, lines that start with `#`, and `export` before a key are
    /// ignored. One pair of quotes around a value is removed; a comment after the value starts with
    /// whitespace and `#`.
    init(_ text: String) {
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
