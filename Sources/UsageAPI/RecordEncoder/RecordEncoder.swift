package import HTTP
import Usage
package import UsageStore

/// Encodes usage records straight into the output buffer, with nothing in between.
///
/// Every byte is part of the contract: the order of the keys, the absence of blanks, line ends.
package struct RecordEncoder {
    private let format: RecordFormat
    private let writer: BodyWriter
    private var day = DayPrefix()

    /// How many records were appended.
    private(set) var count = 0

    /// The longest record without its report name: names, digits, punctuation.
    private static let fixedLength = 160

    /// The most bytes that an encoding makes of one: `\u001f`.
    private static let escapeLength = 6

    /// Makes an encoder that hands what it writes to `writer`.
    package init(_ format: RecordFormat, writer: BodyWriter) {
        self.format = format
        self.writer = writer
    }

    /// Appends all records of `rows`, with what stands before and after them.
    package mutating func append(
        all rows: UsageRows, hasFirst: Bool, nextCursor: String?
    ) throws {
        try writer.append(format.opening)
        if hasFirst {
            repeat { try append(rows) } while try rows.next()
        }
        try writer.append(format.closing(nextCursor: nextCursor))
    }

    /// Appends the record that `rows` read last.
    private mutating func append(_ rows: UsageRows) throws {
        try rows.withReportName { name in
            try writer.makeRoom(Self.fixedLength + Self.escapeLength * (name?.count ?? 0))
            writer.buffer.withUnsafeMutableBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return }
                var output = OutputCursor(base + writer.count)
                switch format {
                case .json:
                    if count > 0 { output.put(",") }
                    putJSON(rows, name, &output)
                case .ndjson:
                    putJSON(rows, name, &output)
                    output.put("\n")
                case .csv: putCSV(rows, name, &output)
                }
                writer.count = output.position - base
                assert(writer.count <= buffer.count, "fixedLength is too short for a record")
            }
        }
        count += 1
    }

    private mutating func putJSON(
        _ rows: UsageRows, _ name: Span<UInt8>?, _ output: inout OutputCursor
    ) {
        output.put(#"{"message_id":"#)
        output.put(integer: rows.messageID)
        output.put(#","timestamp":""#)
        output.put(rows.timestamp, &day)
        output.put("\"")
        if let name {
            output.put(#","report_name":""#)
            name.withUnsafeBufferPointer { output.put(jsonText: $0) }
            output.put("\"")
        }
        output.put(#","credits_used":"#)
        output.put(rows.credits)
        output.put("}")
    }

    private mutating func putCSV(
        _ rows: UsageRows, _ name: Span<UInt8>?, _ output: inout OutputCursor
    ) {
        let id = rows.messageID
        if id < 0 { output.putFormulaGuard(UInt8(ascii: "-")) }
        output.put(integer: id)
        output.put(",")
        output.put(rows.timestamp, &day)
        output.put(",")
        name?.withUnsafeBufferPointer { output.put(csvText: $0) }
        output.put(",")
        output.put(rows.credits)
        output.put("\r\n")
    }
}
