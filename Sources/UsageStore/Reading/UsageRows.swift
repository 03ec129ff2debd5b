package import Postgres
public import Usage

/// Usage records from the server, read one at a time, never buffered here.
///
/// Values are those of the last record read by `next`; the fields of the response come first.
public final class UsageRows {
    private var reader: any RowReader
    private let fields: RecordFields
    private var parts: ArraySlice<PagePart> = []
    /// The number of rows that follow, and how many of them are of the current part.
    private var left = Int.max
    private var leftOfPart = Int.max

    /// The cursor after the last of these records; nil if there are no more.
    public let nextCursor: PageCursor?

    /// The fields of a response that names none.
    public static let standardFields = UsageRecord.Column.columns(of: .response)

    /// All rows of `reader`, which have the standard fields.
    package convenience init(_ reader: any RowReader) {
        var list = SelectList()
        self.init(reader, list.add(stored: Self.standardFields))
    }

    /// All rows of `reader`, with `fields`.
    init(_ reader: any RowReader, _ fields: RecordFields) {
        self.reader = reader
        self.fields = fields
        nextCursor = nil
    }

    /// The first `limit` rows of a page, which has one more row if there is a next page.
    init(page parts: [PagePart], limit: Int, sort: SortOrder) {
        self.parts = parts.dropFirst()
        reader = parts[0].rows
        fields = parts[0].record
        left = limit
        leftOfPart = parts[0].count
        var row = limit - 1
        var last = parts[...]
        while let part = last.first, row >= part.count {
            row -= part.count
            last.removeFirst()
        }
        guard let part = last.first, row + 1 < last.reduce(0, { $0 + $1.count }) else {
            nextCursor = nil
            return
        }
        part.rows.row = row
        nextCursor = PageCursor(part.rows[part.record], sort)
        part.rows.row = -1
    }

    /// Reads the next record; false after the last one.
    public func next() throws -> Bool {
        guard left > 0 else { return false }
        left -= 1
        while leftOfPart == 0 {
            guard let part = parts.popFirst() else { return false }
            reader = part.rows
            leftOfPart = part.count
        }
        leftOfPart -= 1
        return try reportingUnavailability { try reader.next() }
    }

    /// The record.
    public var record: UsageRecord { reader[fields] }

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
