import Foundation
import Usage

/// The rows of a CSV file (RFC 4180) whose header names the columns, in any order.
struct CSVSource: MessageSource {
    private let input: Input
    private var columns: [String] = []

    private static let required = ["message_id", "timestamp", "message_text"]
    private static let optional = ["report_name", "credits_used"]

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
        guard row.isUTF8 else { return .failure(MessageFault("it is not UTF-8")) }
        guard row.fields.count == columns.count else {
            return .failure(
                MessageFault("it has \(row.fields.count) fields, the header \(columns.count)"))
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

    private struct Row {
        var fields: [String] = []
        var raw: [UInt8] = []
        var isTooLong = false
        var isUTF8 = true

        mutating func append(_ field: [UInt8]) {
            let text = String(validating: field, as: UTF8.self)
            isUTF8 = isUTF8 && text != nil
            fields.append(text ?? "")
        }
    }

    /// Reads one row; nil at the end. A quoted field may hold commas, quotes and line breaks.
    private func row() throws -> Row? {
        guard try input.peek() != nil else { return nil }
        let startLine = input.line
        var row = Row()
        var field: [UInt8] = []
        var isQuoted = false
        var length = 0
        while let byte = try input.next() {
            length += 1
            row.isTooLong = length > SourceItem.limitBytes
            if row.raw.count < (row.isTooLong ? 1024 : SourceItem.limitBytes) { row.raw.append(byte) }
            if isQuoted {
                if byte != UInt8(ascii: "\"") {
                    if !row.isTooLong { field.append(byte) }
                } else if try input.peek() == UInt8(ascii: "\"") {
                    if !row.isTooLong { field.append(byte) }
                    _ = try input.next()
                } else {
                    isQuoted = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\"") where field.isEmpty: isQuoted = true
            case UInt8(ascii: ","):
                row.append(field)
                field = []
            case UInt8(ascii: "\r") where try input.peek() == UInt8(ascii: "\n"): continue
            case UInt8(ascii: "\n"):
                row.append(field)
                return row
            default: if !row.isTooLong { field.append(byte) }
            }
        }
        guard !isQuoted else {
            throw Failure(
                message: "line \(startLine): a quoted CSV field does not end", status: EX_DATAERR)
        }
        row.append(field)
        return row
    }
}
