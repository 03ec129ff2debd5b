package import Postgres
public import Usage

/// Usage records on their way from the server, one at a time, none of them kept.
///
/// Values are those of the record that `next` read last, in the columns of responses.
public final class UsageRows {
    private let reader: any RowReader
    private var left: Int

    /// The place after the last of these records; nil when there are no more after it.
    public let nextCursor: PageCursor?

    /// The columns of a row.
    static let columns = UsageRecord.Column.columns(of: .response)

    /// The SELECT list of the rows, and what reads it.
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

    /// The first `limit` rows of a result that is whole, and has one more if there is a next page.
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

    /// Reads the next record; false when the server has said that there are no more.
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

    /// How many bytes the text in `column` has; 0 where there is none.
    public func byteCount(_ column: Int) -> Int { reader.byteCount(column) }

    /// Lends the text in `column`, in UTF-8; nil where there is none.
    public func withText<Answer>(
        _ column: Int, _ body: (Span<UInt8>?) throws -> Answer
    ) rethrows -> Answer {
        try reader.withText(column, body)
    }
}
