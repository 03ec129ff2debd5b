package import Postgres
public import Usage

/// Usage records on their way from the server, one at a time, none of them kept.
///
/// The properties are those of the record that `next` read last.
public final class UsageRows {
    private let reader: any RowReader
    private var left: Int

    /// The place after the last of these records; nil when there are no more after it.
    public let nextCursor: PageCursor?

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
        nextCursor = PageCursor(sort.terms.map { reader.value(of: $0.column) })
        reader.row = -1
    }

    /// Reads the next record; false when the server has said that there are no more.
    public func next() throws -> Bool {
        guard left > 0 else { return false }
        left -= 1
        return try reportingUnavailability { try reader.next() }
    }

    /// The message's id.
    public var messageID: Int64 { reader.integer(0) }

    /// When the message was handled.
    public var timestamp: Timestamp { Timestamp(postgresMicroseconds: reader.integer(1)) }

    /// The credits it used.
    public var credits: Credits { Credits(hundredths: reader.integer(3)) }

    /// Lends the report name in UTF-8, valid JSON text but for the escapes; nil when absent.
    public func withReportName<Answer>(
        _ body: (Span<UInt8>?) throws -> Answer
    ) rethrows -> Answer {
        try reader.withText(2, body)
    }
}

extension RowReader {
    /// The value that a cursor keeps of `column`; the columns are those of `UsageRows`.
    fileprivate func value(of column: SortOrder.Column) -> PageCursor.Value {
        switch column {
        case .messageID: return .integer(integer(0))
        case .timestamp:
            return .integer(Timestamp(postgresMicroseconds: integer(1)).microseconds)
        case .reportName: return .text(string(2))
        case .creditsUsed: return .integer(integer(3))
        }
    }
}

extension Timestamp {
    /// PostgreSQL counts from 2000-01-01.
    private static let postgresEpochMicroseconds: Int64 = 946_684_800_000_000

    init(postgresMicroseconds: Int64) {
        self.init(microseconds: postgresMicroseconds + Self.postgresEpochMicroseconds)
    }

    var postgresMicroseconds: Int64 { microseconds - Self.postgresEpochMicroseconds }
}
