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
