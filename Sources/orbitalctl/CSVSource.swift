import Foundation
import Usage

/// The rows of a CSV file (RFC 4180) whose header names the columns, in any order.
struct CSVSource: MessageSource {
    private let input: Input
    private var columns: [String] = []

    private static let required = ["message_id", "timestamp", "message_text"]
    private static let optional = ["report_name", "credits_used"]

    /// The most columns that a header can have.
    static let columnLimit = required.count + optional.count

    init(_ input: Input) throws {
        self.input = input
        guard let header = try row() else { return }
        columns = header.fields
        for name in Self.required where !columns.contains(name) {
            throw Failure(message: "the CSV header has no column \(name)", status: EX_DATAERR)
        }
        for name in columns where !(Self.required + Self.optional).contains(name) {
            throw Failure(message: "the CSV column \(name) is not known", status: EX_DATAERR)
        }
        guard Set(columns).count == columns.count else {
            throw Failure(message: "the CSV header names a column twice", status: EX_DATAERR)
        }
    }

    mutating func next() throws -> SourceItem? {
        while try input.peek() != nil {
            let line = input.line
            guard let row = try row() else { return nil }
            if row.fields == [""] { continue }
            return SourceItem(line: line, raw: row.raw, content: message(row))
        }
        return nil
    }

    private func message(_ row: Row) -> Result<Message, MessageFault> {
        guard !row.isTooLong else { return .failure(SourceItem.tooLong) }
        guard !row.isMisquoted else {
            return .failure(MessageFault("text follows a closing quote"))
        }
        guard row.isUTF8 else { return .failure(MessageFault("it is not UTF-8")) }
        guard row.fields.count == columns.count else {
            return .failure(
                MessageFault("it has not the \(columns.count) fields of the header"))
        }
        let values = Dictionary(uniqueKeysWithValues: zip(columns, row.fields))
        guard let messageID = values["message_id"].flatMap({ Int64($0) }) else {
            return .failure(MessageFault("message_id is not an integer"))
        }
        return Result { () throws(MessageFault) in
            try Message(
                fields: MessageFields(
                    messageID: messageID, timestamp: values["timestamp"] ?? "",
                    reportName: values["report_name"].flatMap { $0.isEmpty ? nil : $0 },
                    text: values["message_text"] ?? "",
                    creditsUsed: values["credits_used"].flatMap { $0.isEmpty ? nil : $0 }))
        }
    }

    /// One row, nil at the end; a quoted field may hold commas, quotes and line breaks.
    private func row() throws -> Row? {
        guard try input.peek() != nil else { return nil }
        let startLine = input.line
        var row = Row()
        while let byte = try input.next() {
            let following = try input.peek()
            switch row.take(byte, following: following) {
            case .field: continue
            case .escapedQuote: _ = try input.next()
            case .end: return row
            }
        }
        guard !row.isQuoted else {
            throw Failure(
                message: "line \(startLine): a quoted CSV field does not end", status: EX_DATAERR)
        }
        row.endField()
        return row
    }
}

/// The fields of a row, gathered byte by byte and never more than an item may have.
private struct Row {
    private(set) var fields: [String] = []
    private(set) var raw: [UInt8] = []
    private(set) var isQuoted = false
    private(set) var isTooLong = false
    private(set) var isUTF8 = true

    /// Whether text follows a closing quote, which has no meaning.
    private(set) var isMisquoted = false

    private var field: [UInt8] = []
    private var wasQuoted = false

    enum Step { case field, escapedQuote, end }

    mutating func take(_ byte: UInt8, following: UInt8?) -> Step {
        keep(byte)
        if isQuoted {
            if byte != UInt8(ascii: "\"") {
                field.append(byte)
            } else if following == UInt8(ascii: "\"") {
                field.append(byte)
                return .escapedQuote
            } else {
                isQuoted = false
            }
            return .field
        }
        switch byte {
        case UInt8(ascii: "\"") where field.isEmpty && !wasQuoted:
            isQuoted = true
            wasQuoted = true
        case UInt8(ascii: ","): endField()
        case UInt8(ascii: "\r") where following == UInt8(ascii: "\n"): break
        case UInt8(ascii: "\n"):
            endField()
            return .end
        default:
            isMisquoted = isMisquoted || wasQuoted
            field.append(byte)
        }
        return .field
    }

    mutating func endField() {
        let text = String(validating: field, as: UTF8.self)
        isUTF8 = isUTF8 && text != nil
        // One field more than a header can have is enough to see that there are too many.
        if fields.count <= CSVSource.columnLimit { fields.append(text ?? "") }
        field = []
        wasQuoted = false
    }

    private mutating func keep(_ byte: UInt8) {
        if raw.count < SourceItem.limitBytes && !isTooLong { return raw.append(byte) }
        if !isTooLong { raw.removeLast(raw.count - SourceItem.shownBytes) }
        isTooLong = true
        field = []
    }
}
