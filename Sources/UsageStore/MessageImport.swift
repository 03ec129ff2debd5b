import Postgres
public import Usage

/// An import of many messages: staged through COPY, priced and recorded in one transaction.
public final class MessageImport {
    private let connection: Connection
    private let staging: CopyWriter
    private var stagedCount = 0

    /// What became of the staged messages.
    public struct Outcome: Equatable, Sendable {
        /// Messages that were recorded.
        public var created = 0
        /// Messages that had been recorded before, the same in everything.
        public var duplicates = 0
        /// Messages that were refused; each was reported.
        public var rejected = 0
    }

    /// Why a staged message was refused.
    public enum Rejection: Sendable {
        /// Its id is recorded with other content.
        case conflict
        /// Its source gives other credits than the price list.
        case otherCredits(Credits)
    }

    /// Begins an import; nothing is recorded before `finish` returns.
    ///
    /// Throws `DatabaseUnavailable` or `PostgresError`, as all calls of an import do.
    public init(databaseURL: String) throws {
        connection = try reportingUnavailability {
            try Connection(url: databaseURL, applicationName: "orbitalctl import", waitSeconds: 3600)
        }
        let connection = connection
        staging = try reportingUnavailability {
            try connection.run("BEGIN")
            try connection.run(
                """
                CREATE TEMPORARY TABLE staged_message (
                    line bigint, message_id bigint, "timestamp" timestamptz, report_name text,
                    message_text text, credit_hundredths bigint
                ) ON COMMIT DROP
                """)
            return try CopyWriter(connection, "COPY staged_message FROM STDIN (FORMAT binary)")
        }
    }

    /// Sends `message`, which stands at `line` of its source, to the staging table.
    public func stage(_ message: Message, line: Int) throws {
        try staging.beginRow(columns: 6)
        staging.append(integer: Int64(line))
        staging.append(integer: message.messageID)
        staging.append(integer: message.timestamp.postgresMicroseconds)
        staging.append(text: message.reportName)
        staging.append(text: message.text)
        staging.append(integer: message.creditsUsed?.hundredths)
        stagedCount += 1
    }

    /// Records the staged messages and commits, reporting each one that is refused.
    public func finish(
        reject: (_ line: Int, Message, Rejection) throws -> Void
    ) throws -> Outcome {
        try staging.end()
        try connection.run("ANALYZE staged_message")
        var outcome = Outcome()
        outcome.created = try connection.query(Self.record).changedCount
        try forEachRejected { line, message, rejection in
            outcome.rejected += 1
            try reject(line, message, rejection)
        }
        outcome.duplicates = stagedCount - outcome.created - outcome.rejected
        try connection.query(Self.advanceIdentity)
        try connection.run("COMMIT")
        // Index-only scans need the visibility map, which only VACUUM makes.
        if outcome.created >= 10_000 { try connection.run("VACUUM (ANALYZE) usage_record") }
        return outcome
    }

    private func forEachRejected(_ body: (Int, Message, Rejection) throws -> Void) throws {
        let rows = try CopyReader(connection, Self.rejected, columns: 7)
        while try rows.next() {
            let message = try Message(
                messageID: rows.integer(1),
                timestamp: Timestamp(postgresMicroseconds: rows.integer(2)),
                reportName: rows.string(3), text: rows.string(4) ?? "",
                creditsUsed: rows.string(5).flatMap { Credits($0) })
            let price = rows.string(6).flatMap { Credits($0) }
            try body(Int(rows.integer(0)), message, price.map { .otherCredits($0) } ?? .conflict)
        }
    }
}
