/// The rows of CSV text; a quoted field may contain delimiters, quotes and line breaks.
public struct CSVReader<Input: ByteReader> {
    private let input: Input
    private let delimiter: UInt8

    /// The fields of a row, up to the size limit of an item.
    public struct Row {
        /// The fields without their quotes; empty where the text is not UTF-8.
        public fileprivate(set) var fields: [String] = []

        /// The text of the row, with its line end.
        public fileprivate(set) var raw = LimitedBytes()

        /// Whether the whole row is UTF-8.
        public fileprivate(set) var isUTF8 = true

        /// Whether text follows a closing quote, which is not valid CSV.
        public fileprivate(set) var isMisquoted = false

        /// Whether all fields are empty.
        public var isEmpty: Bool { !raw.isTooLong && fields.allSatisfy(\.isEmpty) }
    }

    /// Makes a reader of fields that `delimiter` separates.
    public init(_ input: Input, delimiter: UInt8) {
        self.input = input
        self.delimiter = delimiter
    }

    /// The line of the next row.
    public var line: Int { input.line }

    /// Reads one row; nil at the end; throws `UnclosedQuote`.
    public func row() throws -> Row? {
        guard try input.peek() != nil else { return nil }
        let startLine = input.line
        var row = Row()
        while true {
            var field: [UInt8] = []
            if try input.peek() == UInt8(ascii: "\"") {
                guard try quoted(&row, &field) else { throw UnclosedQuote(line: startLine) }
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
            try input.read(until: quote, or: quote) { append($0, &row, &field) }
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
        try input.read(until: delimiter, or: UInt8(ascii: "\n")) { append($0, &row, &field) }
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
        if row.fields.count <= csvFieldLimit { row.fields.append(text ?? "") }
    }
}

/// More fields than any header has.
private let csvFieldLimit = 100

/// A quoted field does not end.
public struct UnclosedQuote: Error {
    /// The line on which its row begins.
    public let line: Int
}
