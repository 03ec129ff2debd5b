import CPostgres

/// The rows of `COPY … TO STDOUT (FORMAT binary)`, one at a time, not buffered.
///
/// If it is not read to the end, the connection stays busy.
public final class CopyReader: RowReader {
    private let connection: Connection
    private let statement: String
    private let row: CopyRow
    // Only `next` uses both; exclusivity checks at run time would cost as much as the work itself.
    @exclusivity(unchecked) private var message: UnsafeMutablePointer<CChar>?
    @exclusivity(unchecked) private var isAtStart = true

    /// Starts `statement`, whose name is for log lines; throws if the server rejects it.
    public init(
        _ connection: Connection, _ name: StaticString, _ statement: String,
        columns columnCount: Int
    ) throws {
        self.connection = connection
        self.statement = statement
        row = CopyRow(of: statement, columns: columnCount)
        try connection.beginCopy(name, statement, PGRES_COPY_OUT)
    }

    deinit { PQfreemem(message) }

    /// Reads the next row; false after the last one.
    public func next() throws -> Bool {
        var hasPolledSocket = false
        while true {
            PQfreemem(message)
            message = nil
            let length = PQgetCopyData(connection.handle, &message, 1)
            switch length {
            case 1...:
                let bytes = UnsafeRawBufferPointer(start: message, count: Int(length))
                let isFirst = isAtStart
                isAtStart = false
                if row.find(in: bytes, isFirst: isFirst) { return true }
            case 0:
                try readMore(waiting: hasPolledSocket)
                hasPolledSocket.toggle()
            case -1:
                _ = try connection.finalResult(statement)
                return false
            default: throw connection.error(statement)
            }
        }
    }

    /// Reads the available data; waits if there was none before.
    private func readMore(waiting: Bool) throws {
        if waiting {
            try connection.wait(statement)
        } else if PQconsumeInput(connection.handle) != 1 {
            throw connection.error(statement)
        }
    }

    /// The number in `column`.
    public func integer(_ column: Int) -> Int64 { row.integer(column) }

    /// Whether `column` is NULL.
    public func isNull(_ column: Int) -> Bool { row.isNull(column) }

    /// The number of bytes in `column`.
    public func byteCount(_ column: Int) -> Int { row.byteCount(column) }

    /// Calls `body` with the bytes of the text in `column`.
    public func withText<Answer>(
        _ column: Int, _ body: (Span<UInt8>?) throws -> Answer
    ) rethrows -> Answer {
        try row.withText(column, body)
    }
}

/// The positions of the columns of a row of `COPY … (FORMAT binary)` in its message.
///
/// Nothing is copied: the row is valid as long as the message.
package struct CopyRow: ~Copyable {
    private let statement: String
    private let columns: UnsafeMutableBufferPointer<UnsafeRawBufferPointer?>

    /// Allocates room for the columns of a row of `statement`, which appears in error messages.
    package init(of statement: String, columns count: Int) {
        self.statement = statement
        columns = .allocate(capacity: count)
        columns.initialize(repeating: nil)
    }

    deinit { columns.deallocate() }

    /// Finds the columns in `message`, the first of its copy or a later one; false for the trailer
    /// (COPY, "Binary Format").
    package func find(in message: UnsafeRawBufferPointer, isFirst: Bool) -> Bool {
        // Signature, flags, and the length of the header extension, which is empty.
        var offset = isFirst ? 11 + 4 + 4 : 0
        let count = message.loadUnaligned(fromByteOffset: offset, as: Int16.self).bigEndian
        guard count >= 0 else { return false }
        precondition(count == columns.count, "\(count) columns: \(statement)")
        offset += 2
        for column in columns.indices {
            let length = Int(
                message.loadUnaligned(fromByteOffset: offset, as: Int32.self).bigEndian)
            offset += 4
            if length < 0 {
                columns[column] = nil
            } else {
                columns[column] = UnsafeRawBufferPointer(
                    rebasing: message[offset..<offset + length])
                offset += length
            }
        }
        return true
    }

    /// The number in `column`.
    package func integer(_ column: Int) -> Int64 {
        guard let bytes = columns[column], bytes.count == 8 else {
            preconditionFailure("column \(column) is not an int8: \(statement)")
        }
        return Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
    }

    /// Whether `column` is NULL.
    package func isNull(_ column: Int) -> Bool { columns[column] == nil }

    /// The number of bytes in `column`.
    package func byteCount(_ column: Int) -> Int { columns[column]?.count ?? 0 }

    /// Calls `body` with the bytes of the text in `column`.
    // Avoids a generic call for each row.
    @inline(__always)
    package func withText<Answer>(
        _ column: Int, _ body: (Span<UInt8>?) throws -> Answer
    ) rethrows -> Answer {
        guard let bytes = columns[column] else { return try body(nil) }
        return try body(bytes.assumingMemoryBound(to: UInt8.self).span)
    }
}
