import Foundation
import JSON
import MessageReader
import Usage

/// The rows of a CSV file (RFC 4180) whose header names the columns, in any order.
struct CSVSource: MessageSource {
    private let reader: CSVReader
    private var columns: [String] = []

    /// Finds the delimiter in the header unless it is given, or a first line such as `sep=;` has it.
    init(_ input: Input, delimiter: CSVDelimiter?) throws {
        var delimiter = delimiter
        if let named = try Self.takeSeparatorLine(input) { delimiter = delimiter ?? named }
        let found = try delimiter ?? Self.delimiter(of: input.peekLine())
        reader = CSVReader(input, delimiter: found)
        guard let header = try reader.row() else { return }
        columns = header.fields.map { String($0.trimmingCharacters(in: .whitespaces)) }
        let unknown = columns.filter { !MessageForm.allowedInFile.contains($0) }
        let missing = MessageForm.requiredInFile.filter { !columns.contains($0) }
        guard unknown.isEmpty, missing.isEmpty else {
            throw Self.refusal(
                "has the columns \(columns.map { "\"\($0)\"" }.joined(separator: ", ")), "
                    + "separated by \(found.words)"
                    + (missing.isEmpty ? "" : "; missing: \(missing.joined(separator: ", "))")
                    + (unknown.isEmpty ? "" : "; unknown: \(unknown.joined(separator: ", "))"))
        }
        guard Set(columns).count == columns.count else {
            throw Self.refusal("names a column twice")
        }
    }

    private static func refusal(_ what: String) -> Failure {
        Failure(
            message: "the CSV header \(what). Expected are the columns "
                + MessageForm.requiredInFile.joined(separator: ", ")
                + ", and optionally "
                + MessageForm.allowedInFile.filter { !MessageForm.requiredInFile.contains($0) }
                .joined(separator: ", ") + ", separated by a comma, semicolon or tab (--delimiter)",
            status: EX_DATAERR)
    }

    mutating func next() throws -> SourceItem? {
        while true {
            let line = reader.line
            guard let row = try reader.row() else { return nil }
            // Spreadsheets leave such rows behind the last one.
            if row.isEmpty { continue }
            return SourceItem(line: line, raw: row.raw.bytes, content: message(row))
        }
    }

    private func message(_ row: CSVReader.Row) -> MessageItem {
        guard !row.raw.isTooLong else { return MessageItem(SourceItem.tooLong) }
        if row.isMisquoted {
            return MessageItem(
                MessageFault("", .malformed, "Text follows a closing quote."))
        }
        guard row.isUTF8 else {
            return MessageItem(MessageFault("", .malformed, "The row is not UTF-8."))
        }
        guard row.fields.count == columns.count else {
            return MessageItem(
                MessageFault(
                    "", .malformed,
                    "The row must have the \(columns.count) fields of the header."))
        }
        let members = zip(columns, row.fields).map { ($0, Self.value($1, of: $0)) }
        return MessageItem(.object(JSONMembers(members)), .file)
    }

    /// A cell as JSON; an empty one is absent, but for the text, which may be empty.
    private static func value(_ cell: String, of column: String) -> JSONValue {
        if cell.isEmpty { return column == "message_text" ? .string("") : .null }
        switch column {
        case "message_id", "credits_used", "token_count", "rate":
            return JSONNumber(cell).map { .number($0) } ?? .string(cell)
        case "estimated":
            return cell == "true" ? .bool(true) : cell == "false" ? .bool(false) : .string(cell)
        default: return .string(cell)
        }
    }

    /// Takes a first line such as `sep=;`, with which spreadsheets are told the delimiter.
    private static func takeSeparatorLine(_ input: Input) throws -> CSVDelimiter? {
        let line = try input.peekLine().filter { $0 != UInt8(ascii: "\r") }
        guard line.count == 5, line.starts(with: "sep=".utf8),
            let delimiter = CSVDelimiter.allCases.first(where: { $0.byte == line.last })
        else { return nil }
        try input.read(until: { $0 == UInt8(ascii: "\n") }, { _ in })
        _ = try input.next()
        return delimiter
    }

    /// The delimiter that makes known names of a header.
    private static func delimiter(of header: ArraySlice<UInt8>) -> CSVDelimiter {
        let marks: [UInt8] = [0x20, 0x0d, UInt8(ascii: "\"")]
        func knownCount(_ delimiter: CSVDelimiter) -> Int {
            header.split(separator: delimiter.byte).count { cell in
                let name = String(decoding: cell.filter { !marks.contains($0) }, as: UTF8.self)
                return MessageForm.allowedInFile.contains(name)
            }
        }
        // The first of those that are alike, which is the comma.
        return CSVDelimiter.allCases.reversed().max { knownCount($0) < knownCount($1) } ?? .comma
    }
}
