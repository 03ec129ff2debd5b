import ArgumentParser
import Foundation

/// What separates the fields of a CSV row.
enum CSVDelimiter: CaseIterable, ExpressibleByArgument {
    case comma, semicolon, tab

    init?(argument: String) {
        switch argument {
        case ",": self = .comma
        case ";": self = .semicolon
        case "tab", "\t": self = .tab
        default: return nil
        }
    }

    static var allValueStrings: [String] { [",", ";", "tab"] }

    var byte: UInt8 {
        switch self {
        case .comma: UInt8(ascii: ",")
        case .semicolon: UInt8(ascii: ";")
        case .tab: UInt8(ascii: "\t")
        }
    }

    /// Its name in messages.
    var words: String {
        switch self {
        case .comma: "a comma"
        case .semicolon: "a semicolon"
        case .tab: "a tab"
        }
    }
}

/// The rows of CSV text; a quoted field may hold delimiters, quotes and line breaks.
struct CSVReader {
    private let input: Input
    private let delimiter: UInt8

    /// The fields of a row, up to the size limit of an item.
    struct Row {
        fileprivate(set) var fields: [String] = []
        fileprivate(set) var raw = LimitedBytes()
        fileprivate(set) var isUTF8 = true

        /// Whether text follows a closing quote, which is not valid CSV.
        fileprivate(set) var isMisquoted = false

        /// Whether all fields are empty.
        var isEmpty: Bool { !raw.isTooLong && fields.allSatisfy(\.isEmpty) }
    }

    init(_ input: Input, delimiter: CSVDelimiter) {
        self.input = input
        self.delimiter = delimiter.byte
    }

    /// The line of the next row.
    var line: Int { input.line }

    /// One row; nil at the end.
    func row() throws -> Row? {
        guard try input.peek() != nil else { return nil }
        let startLine = input.line
        var row = Row()
        while true {
            var field: [UInt8] = []
            if try input.peek() == UInt8(ascii: "\"") {
                guard try quoted(&row, &field) else {
                    throw Failure(
                        message: "line \(startLine): a quoted CSV field is not closed",
                        status: EX_DATAERR)
                }
            }
            try plain(&row, &field)
            end(field, &row)
            guard let byte = try input.next() else { return row }
            row.raw.append(byte)
            if byte == UInt8(ascii: "\n") { return row }
        }
    }

    /// Takes a quoted field; false if it is not closed.
    private func quoted(_ row: inout Row, _ field: inout [UInt8]) throws -> Bool {
        let quote = UInt8(ascii: "\"")
        _ = try input.next()
        row.raw.append(quote)
        while true {
            try input.read(until: { $0 == quote }, { append($0, &row, &field) })
            guard try input.next() != nil else { return false }
            row.raw.append(quote)
            guard try input.peek() == quote else { return true }
            _ = try input.next()
            append([quote], &row, &field)
        }
    }

    /// Takes the text before the next delimiter or line end.
    private func plain(_ row: inout Row, _ field: inout [UInt8]) throws {
        let wasQuoted = row.raw.bytes.last == UInt8(ascii: "\"")
        let start = field.count
        let delimiter = delimiter
        try input.read(
            until: { $0 == delimiter || $0 == UInt8(ascii: "\n") }, { append($0, &row, &field) })
        if try input.peek() != delimiter, field.count > start, field.last == UInt8(ascii: "\r") {
            field.removeLast()
        }
        if wasQuoted, field.count > start { row.isMisquoted = true }
    }

    private func append(_ piece: ArraySlice<UInt8>, _ row: inout Row, _ field: inout [UInt8]) {
        row.raw.append(piece)
        if row.raw.isTooLong {
            field = []
        } else {
            field += piece
        }
    }

    private func end(_ field: [UInt8], _ row: inout Row) {
        let text = String(validating: field, as: UTF8.self)
        if text == nil { row.isUTF8 = false }
        // One field more than a header can have is enough to detect too many fields.
        if row.fields.count <= Self.fieldLimit { row.fields.append(text ?? "") }
    }

    /// More than any header has.
    private static let fieldLimit = 100
}
