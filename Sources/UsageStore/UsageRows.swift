import Postgres
public import Usage

/// Usage records on their way from the server, one at a time, none of them kept.
///
/// The properties are those of the record that `next` read last.
public final class UsageRows {
    private let reader: CopyReader

    init(_ reader: CopyReader) { self.reader = reader }

    /// Reads the next record; false when the server has said that there are no more.
    public func next() throws -> Bool {
        try reportingUnavailability { try reader.next() }
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

extension Timestamp {
    /// PostgreSQL counts from 2000-01-01.
    private static let postgresEpochMicroseconds: Int64 = 946_684_800_000_000

    init(postgresMicroseconds: Int64) {
        self.init(microseconds: postgresMicroseconds + Self.postgresEpochMicroseconds)
    }

    var postgresMicroseconds: Int64 { microseconds - Self.postgresEpochMicroseconds }
}
