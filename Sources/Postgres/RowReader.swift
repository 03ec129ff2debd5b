/// Rows from the server, read one at a time.
///
/// Values belong to the current row and are valid until the next call of `next`. A value of an
/// unexpected width traps: queries are ours and their types are fixed.
public protocol RowReader: AnyObject {
    /// Reads the next row; false after the last one, once the server has confirmed the end.
    func next() throws -> Bool

    /// The `int8`, or the microseconds since 2000 of a `timestamptz`, in `column`.
    func integer(_ column: Int) -> Int64

    /// Whether `column` is NULL.
    func isNull(_ column: Int) -> Bool

    /// The number of bytes in `column`; 0 if it is NULL.
    func byteCount(_ column: Int) -> Int

    /// Calls `body` with the bytes of the `text` in `column`; nil if it is NULL.
    func withText<Answer>(
        _ column: Int, _ body: (Span<UInt8>?) throws -> Answer
    ) rethrows -> Answer
}

extension RowReader {
    /// A copy of the text in `column`; nil if it is NULL.
    public func string(_ column: Int) -> String? {
        withText(column) { bytes in
            guard let bytes else { return nil }
            return String(copying: UTF8Span(unchecked: bytes))
        }
    }
}
