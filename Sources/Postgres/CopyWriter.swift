import CPostgres

/// Writes rows of `COPY … FROM STDIN (FORMAT binary)`.
public final class CopyWriter {
    private let connection: Connection
    private let statement: String
    private var buffer: [UInt8] = []

    /// The number of bytes that are buffered before they are sent.
    private static let bufferLimit = 64 * 1024

    /// Starts `statement`; throws if the server rejects it.
    public init(_ connection: Connection, _ statement: String) throws {
        self.connection = connection
        self.statement = statement
        try connection.beginCopy(nil, statement, PGRES_COPY_IN)
        buffer +=
            Array("PGCOPY\n".utf8) + [0xff, 0x0d, 0x0a, 0x00] + [UInt8](repeating: 0, count: 8)
    }

    /// Begins a row; `columns` values must follow.
    public func beginRow(columns: Int) throws {
        if buffer.count > Self.bufferLimit { try send() }
        append(Int16(columns))
    }

    /// Appends an `int8`, or a `timestamptz` as microseconds since 2000.
    public func append(integer value: Int64?) {
        guard let value else { return append(Int32(-1)) }
        append(Int32(8))
        append(value)
    }

    /// Appends a `text`.
    public func append(text value: String?) {
        guard let value else { return append(Int32(-1)) }
        append(Int32(value.utf8.count))
        buffer += value.utf8
    }

    /// Ends the copy; throws the server's error.
    public func end() throws {
        append(Int16(-1))
        try send()
        guard PQputCopyEnd(connection.handle, nil) == 1 else { throw connection.error(statement) }
        _ = try connection.finalResult(statement)
    }

    private func append<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.bigEndian) { buffer += $0 }
    }

    private func send() throws {
        let sent = buffer.withUnsafeBytes {
            PQputCopyData(
                connection.handle, $0.assumingMemoryBound(to: CChar.self).baseAddress,
                Int32($0.count))
        }
        // 0 means that memory ran out, because the data before was flushed.
        guard sent == 1 else { throw connection.error(statement) }
        buffer.removeAll(keepingCapacity: true)
        // Otherwise, libpq would buffer any amount of unsent data.
        try connection.flush(statement)
    }
}
