/// One file of `Migrations/`, in dbmate's format.
public struct Migration: Sendable {
    /// The number at the start of the file name: the migration's key and position.
    public let version: String

    /// The file name.
    public let fileName: String

    /// The whole text, over which the checksum is calculated.
    public let text: String

    /// One direction of a migration.
    public struct Script: Sendable {
        /// The statements.
        public let statements: String
        /// False after the option `transaction:false`.
        public let usesTransaction: Bool
    }

    /// What `migrate up` runs.
    public let up: Script

    /// What `migrate down` runs; nil if the file has no such section.
    public let down: Script?

    /// Reads a migration; throws a fault that names the file.
    public init(fileName: String, text: String) throws(AdministrationFault) {
        version = String(fileName.prefix { $0.isASCII && $0.isNumber })
        guard !version.isEmpty, fileName.hasSuffix(".sql") else {
            throw AdministrationFault("\(fileName): the file name must be NUMBER_words.sql")
        }
        self.fileName = fileName
        self.text = text
        var sections: [String: (options: Substring, lines: [Substring])] = [:]
        var current = ""
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            guard let (direction, options) = marker(line) else {
                sections[current]?.lines.append(line)
                continue
            }
            guard sections[direction] == nil else {
                throw AdministrationFault("\(fileName): more than one migrate:\(direction) section")
            }
            sections[direction] = (options, [])
            current = direction
        }
        let scripts = sections.mapValues { section in
            Script(
                statements: section.lines.joined(separator: "\n"),
                usesTransaction: !section.options.contains("transaction:false"))
        }
        guard let up = scripts["up"] else {
            throw AdministrationFault("\(fileName): the line \"-- migrate:up\" is missing")
        }
        self.up = up
        down = scripts["down"]
    }
}

/// Why an administrator's command is refused, such as a migration that cannot be run, or a rate.
public struct AdministrationFault: Error, CustomStringConvertible {
    /// A sentence without a full stop.
    public let description: String

    /// Makes a fault with that description.
    public init(_ description: String) { self.description = description }
}

/// The direction and the options of a `-- migrate:up` line; nil for other lines.
private func marker(_ line: Substring) -> (direction: String, options: Substring)? {
    guard line.hasPrefix("--") else { return nil }
    let words = line.dropFirst(2).split(maxSplits: 1, whereSeparator: \.isWhitespace)
    for direction in ["up", "down"] where words.first == "migrate:\(direction)" {
        return (direction, words.count == 2 ? words[1] : "")
    }
    return nil
}
