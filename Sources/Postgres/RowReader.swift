/// Rows on their way from the server, read one at a time.
///
/// Column values are those of the row that `next` read last and die at the next call. A value of
/// another width than asked for traps: queries are ours and their types are fixed.
public protocol RowReader: AnyObject {
    /// Reads the next row; false after the last one, when the server has said that it was.
    func next() throws -> Bool

    /// The `int8`, or the microseconds since 2000 of a `timestamptz`, in `column`.
    func integer(_ column: Int) -> Int64

    /// Whether `column` is NULL.
    func isNull(_ column: Int) -> Bool

    /// How many bytes the value in `column` has; 0 where it is NULL.
    func byteCount(_ column: Int) -> Int

    /// Lends the bytes of the `text` in `column`; nil where it is NULL.
    func withText<Answer>(
        _ column: Int, _ body: (Span<UInt8>?) throws -> Answer
    ) rethrows -> Answer
}

extension RowReader {
    /// The text in `column`, copied; nil where it is NULL.
    public func string(_ column: Int) -> String? {
        withText(column) { bytes in
            guard let bytes else { return nil }
            return String(copying: UTF8Span(unchecked: bytes))
        }
    }
}
