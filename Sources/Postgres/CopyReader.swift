import CPostgres
import Glibc

/// The rows of `COPY … TO STDOUT (FORMAT binary)`, one at a time, none of them kept.
///
/// A reader that is left half read leaves the connection busy.
public final class CopyReader: RowReader {
    private let connection: Connection
    private let statement: String
    private let columnCount: Int
    private let columns: UnsafeMutablePointer<UnsafeRawBufferPointer?>
    private var message: UnsafeMutablePointer<CChar>?
    private var isAtStart = true

    /// Starts `statement`; throws when the server refuses it.
    public init(_ connection: Connection, _ statement: String, columns columnCount: Int) throws {
        self.connection = connection
        self.statement = statement
        self.columnCount = columnCount
        columns = .allocate(capacity: columnCount)
        columns.initialize(repeating: nil, count: columnCount)
        try connection.beginCopy(statement, PGRES_COPY_OUT)
    }

    deinit {
        PQfreemem(message)
        columns.deallocate()
    }

    /// Reads the next row; false after the last one.
    public func next() throws -> Bool {
        var hasAskedKernel = false
        while true {
            PQfreemem(message)
            message = nil
            let length = PQgetCopyData(connection.handle, &message, 1)
            switch length {
            case 1...:
                if split(UnsafeRawBufferPointer(start: message, count: Int(length))) { return true }
            case 0:
                try readMore(waiting: hasAskedKernel)
                hasAskedKernel.toggle()
            case -1:
                _ = try connection.finalResult(statement)
                return false
            default: throw connection.error(statement)
            }
        }
    }

    /// Takes what has arrived; only when that was nothing, waits.
    private func readMore(waiting: Bool) throws {
        if waiting {
            try connection.waitForInput(statement)
        } else if PQconsumeInput(connection.handle) != 1 {
            throw connection.error(statement)
        }
    }

    /// The number in `column`.
    public func integer(_ column: Int) -> Int64 {
        guard let bytes = columns[column], bytes.count == 8 else {
            preconditionFailure("column \(column) is no int8: \(statement)")
        }
        return Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
    }

    /// Whether `column` is NULL.
    public func isNull(_ column: Int) -> Bool { columns[column] == nil }

    /// Lends the bytes of the text in `column`.
    public func withText<Answer>(
        _ column: Int, _ body: (Span<UInt8>?) throws -> Answer
    ) rethrows -> Answer {
        guard let bytes = columns[column] else { return try body(nil) }
        return try body(bytes.assumingMemoryBound(to: UInt8.self).span)
    }

    /// Finds the columns of one message; false for the trailer (COPY, "Binary Format").
    private func split(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var offset = 0
        if isAtStart {
            isAtStart = false
            // Signature, flags, and the length of an extension that no server sends.
            offset = 11 + 4 + 4
        }
        let count = bytes.loadUnaligned(fromByteOffset: offset, as: Int16.self).bigEndian
        guard count >= 0 else { return false }
        precondition(count == columnCount, "\(count) columns: \(statement)")
        offset += 2
        for column in 0..<columnCount {
            let length = Int(bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self).bigEndian)
            offset += 4
            if length < 0 {
                columns[column] = nil
            } else {
                columns[column] = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
                offset += length
            }
        }
        return true
    }
}
