import Postgres
import Threads
public import Usage

/// A closing of the books: records before a line are archived and deleted; their sums and ids stay.
public struct Closing: Equatable, Sendable {
    /// The step that is done.
    public enum Step: String, Sendable {
        /// The line is in force.
        case begun
        /// The sums before it are closed.
        case summed
        /// The archive is written and was read again.
        case archived
        /// No other record may have the ids.
        case closed
        /// The records are deleted.
        case done
    }

    /// The records of an archive.
    public struct Archived: Equatable, Sendable {
        /// Their number.
        public let records: Int64
        /// Their credits with two decimals, exact at any size.
        public let credits: String
        /// The SHA-256 of the file, 64 hexadecimal digits.
        public let sha256: String

        /// Makes the description of an archive.
        public init(records: Int64, credits: String, sha256: String) {
            self.records = records
            self.credits = credits
            self.sha256 = sha256
        }
    }

    /// The line: the first instant that is open.
    public let before: Timestamp

    /// The step that is done.
    public let step: Step

    /// Where the archive is, or will be.
    public let directory: String

    /// When the line was put in force; no other closing has this time.
    public let begunAt: Timestamp

    /// The archive, once it is written.
    public let archive: Archived?
}

extension UsageStore {
    /// All closings, in the order of their lines.
    public func closings() throws -> [Closing] {
        try reportingUnavailability { try Self.closings(try connected()) }
    }

    static func closings(_ connection: Connection) throws -> [Closing] {
        var list = SelectList()
        let before = list.add("closed_before", as: Timestamp.self)
        let step = list.add("status", as: String.self)
        let directory = list.add("directory", as: String.self)
        let begunAt = list.add("begun_at", as: Timestamp.self)
        let records = list.add("records", as: Int64?.self)
        let credits = list.add("credit_hundredths * 0.01", as: String.self)
        let sha256 = list.add("encode(sha256, 'hex')", as: String.self)
        let row = try QueryReader(
            connection, "closings", "SELECT \(list.sql) FROM usage_closing ORDER BY closed_before")
        var closings: [Closing] = []
        while try row.next() {
            closings.append(
                Closing(
                    before: row[before], step: Closing.Step(rawValue: row[step]) ?? .begun,
                    directory: row[directory], begunAt: row[begunAt],
                    archive: row[records].map {
                        .init(records: $0, credits: row[credits], sha256: row[sha256])
                    }))
        }
        return closings
    }

    /// Prevents other closings while `body` runs.
    public func closingAlone(_ body: () throws -> Void) throws {
        try reportingUnavailability {
            // A connection of its own, because that of the store is closed when it has grown.
            let lock = try Connection(
                url: databaseURL, applicationName: "orbitalctl close, lock", waitSeconds: 60)
            guard try lock.query("SELECT pg_try_advisory_lock(7110416214)")[0, 0] == "t" else {
                throw AdministrationFault("another `orbitalctl close` is running")
            }
            try withExtendedLifetime(lock, body)
        }
    }

    /// Puts the line in force, or continues a closing before the same line, which is returned.
    ///
    /// Until its archive is written, `directory` may change. Throws `AdministrationFault` if the books
    /// cannot be closed; calls `waits` each time that it waits for a writer.
    public func beginClosing(
        before line: Timestamp, directory: String, waits: () -> Void
    ) throws -> Closing {
        try reportingUnavailability {
            let connection = try connected()
            if let unfinished = try Self.closings(connection).first(where: { $0.step != .done }) {
                try Self.resume(unfinished, line, directory, connection)
            } else {
                try whileNobodyWrites(connection, waits) {
                    if let fault = try Self.fault(of: line, connection) { throw fault }
                    _ = try QueryReader(
                        connection, "begin_closing",
                        """
                        INSERT INTO usage_closing (closed_before, directory)
                        VALUES ($1::timestamptz, $2::text)
                        """, [line.description, directory])
                }
            }
            guard let closing = try Self.closings(connection).last else {
                throw AdministrationFault("usage_closing has lost the closing before \(line)")
            }
            return closing
        }
    }

    private static func resume(
        _ closing: Closing, _ line: Timestamp, _ directory: String, _ connection: Connection
    ) throws {
        guard closing.before == line else {
            throw unfinished(closing)
        }
        guard closing.directory != directory else { return }
        guard closing.archive == nil else {
            throw AdministrationFault("the archive of this closing is in \(closing.directory)")
        }
        _ = try QueryReader(
            connection, "move_archive",
            "UPDATE usage_closing SET directory = $2::text WHERE closed_before = $1::timestamptz",
            [line.description, directory])
    }

    private static func unfinished(_ closing: Closing) -> AdministrationFault {
        AdministrationFault(
            "the closing before \(closing.before) is not finished; finish it first: orbitalctl close "
                + "--before \(closing.before) --archive \(closing.directory)")
    }

    /// Why the books cannot be closed before `line`.
    static func fault(
        of line: Timestamp, _ connection: Connection
    ) throws -> AdministrationFault? {
        if let last = try closings(connection).last {
            if last.step != .done { return unfinished(last) }
            if last.before >= line {
                return AdministrationFault("the books are already closed before \(last.before)")
            }
        }
        let row = try connection.query(
            """
            SELECT $1::timestamptz > statement_timestamp(),
                $1::timestamptz < usage_timestamp_first(),
                EXISTS (SELECT FROM usage_record WHERE "timestamp" < usage_timestamp_first())
            """, [line.description])
        if row[0, 0] == "t" { return AdministrationFault("\(line) is in the future") }
        if row[0, 1] == "t" {
            return AdministrationFault("\(line) is before 2000: no record has such a time")
        }
        if row[0, 2] == "t" {
            return AdministrationFault(
                "records are dated before 2000, and no rollup has their sums; correct their "
                    + "timestamps: see the runbook, A record has the wrong date")
        }
        return try unbuiltRollups(connection)
    }

    /// Runs `body` in a transaction beside which nobody can write records; calls `waits` each time that
    /// it gives up because somebody does.
    ///
    /// A transaction that waits for this lock makes all later writers wait, too, so it waits 300 ms only.
    func whileNobodyWrites(
        _ connection: Connection, _ waits: () -> Void, _ body: () throws -> Void
    ) throws {
        for attempt in 1... {
            do {
                return try connection.transaction {
                    try connection.run(
                        """
                        SET LOCAL lock_timeout = '300ms';
                        LOCK TABLE usage_record IN SHARE ROW EXCLUSIVE MODE
                        """)
                    try body()
                }
            } catch let error as PostgresError
                where (error.isRetriable || error.state == PostgresError.lockNotAvailable)
                && attempt < Self.lockAttempts
            {
                waits()
                pause(for: .milliseconds(700))
            }
        }
    }

    /// An hour.
    private static let lockAttempts = 3600

    /// Writes down that the archive of a closing is written and was read again.
    public func archive(_ closing: Closing, as archived: Closing.Archived) throws {
        try reportingUnavailability {
            _ = try QueryReader(
                try connected(), "archived",
                """
                UPDATE usage_closing SET status = 'archived', records = $2::bigint,
                    credit_hundredths = trunc($3::numeric * 100), sha256 = decode($4::text, 'hex')
                WHERE closed_before = $1::timestamptz AND status = 'summed'
                """,
                [
                    closing.before.description, String(archived.records), archived.credits,
                    archived.sha256,
                ])
        }
    }
}
