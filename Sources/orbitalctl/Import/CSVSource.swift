import ArgumentParser
import Foundation
import Encoding
import MessageReader
import Usage

/// What separates the fields of a CSV row.
enum CSVDelimiter: String, CaseIterable, ExpressibleByArgument {
    case comma = ","
    case semicolon = ";"
    case tab

    init?(argument: String) { self.init(rawValue: argument == "\t" ? "tab" : argument) }

    var byte: UInt8 {
        switch self {
        case .comma: UInt8(ascii: ",")
        case .semicolon: UInt8(ascii: ";")
        case .tab: UInt8(ascii: "\t")
        }
    }
}

/// The rows of a CSV file (RFC 4180) whose header names the columns, in any order.
struct CSVSource: MessageSource {
    private let reader: CSVReader<Input>
    private let kind: Kind
    private var columns: [String] = []

    /// What a row contains: a message or a rate.
    enum Kind {
        case messages, rates

        var allowed: [String] {
            switch self {
            case .messages: MessageForm.file.allowed
            case .rates: RateItem.allowed
            }
        }

        var required: [String] {
            switch self {
            case .messages: MessageForm.file.required
            case .rates: RateItem.required
            }
        }
    }

    /// Whether its rows refer to rates, as those of an export do.
    var namesRates: Bool { columns.contains(UsageRecord.Column.rate.name) }

    /// Without `delimiter`, detects it from a first line such as `sep=;`, otherwise from the header.
    init(_ input: Input, delimiter: CSVDelimiter?, _ kind: Kind = .messages) throws {
        self.kind = kind
        var delimiter = delimiter
        if let named = try Self.takeSeparatorLine(input) { delimiter = delimiter ?? named }
        let found = try delimiter ?? Self.delimiter(of: input.peekLine(), kind.allowed)
        reader = CSVReader(input, delimiter: found.byte)
        guard let header = try row() else { return }
        columns = header.fields.map { String($0.trimmingCharacters(in: .whitespaces)) }
        let unknown = columns.filter { !kind.allowed.contains($0) }
        let missing = kind.required.filter { !columns.contains($0) }
        guard unknown.isEmpty, missing.isEmpty else {
            throw refusal(
                "has the columns \(columns.map { "\"\($0)\"" }.joined(separator: ", ")), "
                    + "separated by a \(found)"
                    + (missing.isEmpty ? "" : "; missing: \(missing.joined(separator: ", "))")
                    + (unknown.isEmpty ? "" : "; unknown: \(unknown.joined(separator: ", "))"))
        }
        guard Set(columns).count == columns.count else {
            throw refusal("has a duplicate column")
        }
    }

    private func refusal(_ what: String) -> Failure {
        let optional = kind.allowed.filter { !kind.required.contains($0) }
        return Failure(
            message: "the CSV header \(what). Required columns: "
                + kind.required.joined(separator: ", ")
                + (optional.isEmpty ? "" : "; optional: " + optional.joined(separator: ", "))
                + "; separated by a comma, semicolon or tab (--delimiter)",
            status: EX_DATAERR)
    }

    mutating func next() throws -> SourceItem? {
        while true {
            let line = reader.line
            guard let row = try row() else { return nil }
            // Spreadsheets append such rows after the last one.
            if row.isEmpty { continue }
            return SourceItem(line: line, raw: row.raw.bytes, content: content(row))
        }
    }

    private func row() throws -> CSVReader<Input>.Row? {
        do {
            return try reader.row()
        } catch let fault as UnclosedQuote {
            throw Failure(
                message: "line \(fault.line): a quoted CSV field is not closed", status: EX_DATAERR)
        }
    }

    private func content(_ row: CSVReader<Input>.Row) -> SourceItem.Content {
        if let fault = fault(row) { return .message(MessageItem(fault)) }
        let hasNoText = hasNoText(row)
        let members = zip(columns, row.fields).map { name, cell in
            (name, hasNoText && name == Self.text ? .null : Self.value(cell, of: name))
        }
        let item = JSONItem.object(JSONMembers(members))
        switch kind {
        case .messages: return .message(MessageItem(item, .file))
        case .rates: return .rate(RateItem(item))
        }
    }

    private func fault(_ row: CSVReader<Input>.Row) -> MessageFault? {
        if row.raw.isTooLong { return SourceItem.tooLong }
        if row.isMisquoted { return MessageFault("", .malformed, "Text follows a closing quote.") }
        if !row.isUTF8 { return MessageFault("", .malformed, "The row is not UTF-8.") }
        if row.fields.count == columns.count { return nil }
        return MessageFault(
            "", .malformed, "The row must have the \(columns.count) fields of the header.")
    }

    private static let text = UsageRecord.Column.text.name

    /// Whether an empty cell of `message_text` means that there is no text: another cell has what
    /// the price is calculated from, or the record that is corrected.
    ///
    /// Otherwise, the text is empty.
    private func hasNoText(_ row: CSVReader<Input>.Row) -> Bool {
        zip(columns, row.fields).contains { name, cell in
            switch name {
            case "character_count": !cell.isEmpty && cell != "0"
            case "input_tokens", "output_tokens", "text_digest", "corrects": !cell.isEmpty
            default: false
            }
        } && zip(columns, row.fields).contains { $0 == Self.text && $1.isEmpty }
    }

    /// A cell as JSON; an empty cell is absent, except for a text.
    private static func value(_ cell: String, of name: String) -> JSONValue {
        let column = MessageForm.file.columns.first { $0.name == name }
        switch column?.kind {
        case .text where cell.isEmpty && name == text: return .string("")
        case _ where cell.isEmpty: return .null
        case .integer
        where (column == .messageID || column == .corrects) && cell.lowercased().contains("e"):
            // Spreadsheets round long numbers and write them with an exponent.
            return .string(cell)
        case .integer, .credits: return JSONNumber(cell).map { .number($0) } ?? .string(cell)
        case .tags:
            if case .object(let pairs) = JSONItem(Array(cell.utf8)) { return .object(pairs) }
            return .string(cell)
        case .flag:
            // Spreadsheets write booleans in capitals.
            return Bool(cell.lowercased()).map { .bool($0) } ?? .string(cell)
        case nil where RateItem.numbers.contains(name):
            return JSONNumber(cell).map { .number($0) } ?? .string(cell)
        default: return .string(cell)
        }
    }

    /// Takes a first line such as `sep=;`, which names the delimiter for spreadsheets.
    private static func takeSeparatorLine(_ input: Input) throws -> CSVDelimiter? {
        let line = try input.peekLine().filter { $0 != UInt8(ascii: "\r") }
        guard line.count == 5, line.starts(with: "sep=".utf8),
            let delimiter = CSVDelimiter.allCases.first(where: { $0.byte == line.last })
        else { return nil }
        try input.read(until: { $0 == UInt8(ascii: "\n") }, { _ in })
        _ = try input.next()
        return delimiter
    }

    /// The delimiter that yields the most known names in the header; among equals, the most cells.
    private static func delimiter(
        of header: ArraySlice<UInt8>, _ names: [String]
    ) -> CSVDelimiter {
        let marks: [UInt8] = [0x20, 0x0d, UInt8(ascii: "\"")]
        func counts(_ delimiter: CSVDelimiter) -> (known: Int, all: Int) {
            let cells = header.split(separator: delimiter.byte)
            let known = cells.count { cell in
                let name = String(decoding: cell.filter { !marks.contains($0) }, as: UTF8.self)
                return names.contains(name)
            }
            return (known, cells.count)
        }
        // On a tie, the first one; the comma comes first.
        return CSVDelimiter.allCases.max { counts($0) < counts($1) } ?? .comma
    }
}
