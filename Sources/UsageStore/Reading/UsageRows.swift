package import Postgres
public import Usage

/// Usage records from the server, read one at a time, never buffered here.
///
/// Values are those of the last record read by `next`, in the columns of responses.
public final class UsageRows {
    private let reader: any RowReader
    private var left: Int

    /// The cursor after the last of these records; nil if there are no more.
    public let nextCursor: PageCursor?

    /// The columns of a row.
    static let columns = UsageRecord.Column.columns(of: .response)

    /// The SELECT list of the rows, and its fields.
    static let list: (sql: String, record: RecordFields) = {
        var list = SelectList()
        let record = list.add(columns)
        return (list.sql, record)
    }()

    /// All rows of `reader`.
    package init(_ reader: any RowReader) {
        self.reader = reader
        left = .max
        nextCursor = nil
    }

    /// The first `limit` rows of a complete result, which has one more row if there is a next page.
    init(page reader: QueryReader, limit: Int, sort: SortOrder) {
        self.reader = reader
        left = limit
        guard reader.count > limit else {
            nextCursor = nil
            return
        }
        reader.row = limit - 1
        nextCursor = PageCursor(reader[Self.list.record], sort)
        reader.row = -1
    }

    /// Reads the next record; false after the last one.
    public func next() throws -> Bool {
        guard left > 0 else { return false }
        left -= 1
        return try reportingUnavailability { try reader.next() }
    }

    /// The record.
    public var record: UsageRecord { reader[Self.list.record] }

    /// The integer or the credits in `column`.
    public func integer(_ column: Int) -> Int64 { reader.integer(column) }

    /// The instant in `column`.
    public func timestamp(_ column: Int) -> Timestamp {
        Timestamp(postgresMicroseconds: reader.integer(column))
    }

    /// Whether `column` has no value.
    public func isNull(_ column: Int) -> Bool { reader.isNull(column) }

    /// The size of the text in `column` in bytes; 0 if there is none.
    public func byteCount(_ column: Int) -> Int { reader.byteCount(column) }

    /// Lends the text in `column`, in UTF-8; nil if there is none.
    public func withText<Result>(
        _ column: Int, _ body: (Span<UInt8>?) throws -> Result
    ) rethrows -> Result {
        try reader.withText(column, body)
    }
}
