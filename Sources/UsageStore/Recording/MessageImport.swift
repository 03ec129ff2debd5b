import Postgres
import Tokenizer
public import Usage

/// An import of many messages: staged through COPY, priced and recorded in one transaction.
public final class MessageImport {
    private let connection: Connection
    private let staging: CopyWriter
    private let counter: TokenCounter
    private let prices: PriceList
    private let rateIDs: [Int64?]
    private let statements: RecordingStatements
    private let keepsCredits: Bool
    private var stagedCount = 0

    /// The results of the staged messages.
    public struct Outcome: Equatable, Sendable {
        /// Messages that were recorded.
        public var created = 0
        /// Messages that had already been recorded, with the same content.
        public var duplicates = 0
        /// Messages whose id is recorded with different content, or whose credits or rate differ.
        public var conflicts = 0
        /// Invalid messages.
        public var invalid = 0
    }

    /// Why a staged message was refused.
    public enum Rejection: Sendable {
        /// Its id is recorded with different content.
        case conflict
        /// Its credits differ from those by the price list, which are these.
        case otherCredits(Credits)
        /// Its rate in the file is not the one in force at its time.
        case otherRate
        /// It is invalid.
        case refused(MessageRefusal)
    }

    /// Begins an import; nothing is recorded before `commit` returns.
    ///
    /// With `keepsCredits`, the credits in a message are recorded even if the price list yields
    /// others. `rates` of an export replace the price list if there are no records; throws
    /// `CreditRateRefused` if they conflict with it. All methods throw `DatabaseUnavailable` or
    /// `PostgresError`.
    public init(
        databaseURL: String, keepsCredits: Bool, tokenizers: Tokenizers, rates: [CreditRate] = []
    ) throws {
        statements = .staged(keepsCredits: keepsCredits)
        self.keepsCredits = keepsCredits
        connection = try reportingUnavailability {
            try Connection(
                url: databaseURL, applicationName: "orbitalctl import", waitSeconds: 3600)
        }
        let connection = connection
        (prices, rateIDs, counter, staging) = try reportingUnavailability {
            // The isolation level must not depend on the server's settings. The lock keeps the
            // price list unchanged until the end, because it decides how tokens are counted.
            try connection.run(
                """
                BEGIN ISOLATION LEVEL READ COMMITTED;
                LOCK TABLE usage_record IN ROW EXCLUSIVE MODE
                """)
            let prices = try PriceList(connection, takingOver: rates)
            let counter = try TokenCounter(connection, tokenizers)
            try connection.run(RecordingStatements.createStaging)
            return (
                prices, prices.ids(of: rates), counter,
                try CopyWriter(connection, "COPY staged_message FROM STDIN (FORMAT binary)")
            )
        }
    }

    /// The rates of the file that this import adds to the price list or replaces.
    public var newRates: [CreditRate] { prices.newRates }

    /// Whether the file is an export with its rates.
    private var isRated: Bool { !rateIDs.isEmpty }

    /// Sends `message`, from `line` of its source, to the staging table; returns a fault instead if
    /// its token count contradicts its text, or its rate is not in the file.
    public func stage(_ message: UsageRecord, line: Int) throws -> MessageFault? {
        try reportingUnavailability {
            if let rate = message.rate, isRated, !(1...Int64(rateIDs.count)).contains(rate) {
                return MessageFault(
                    "rate", .outOfRange, "rate is \(rate), but the file has \(rateIDs.count) rates."
                )
            }
            var staged = message
            do {
                try count(&staged)
            } catch let fault as MessageFault {
                return fault
            }
            staged.rate = isRated ? message.rate.flatMap { rateIDs[Int($0) - 1] } : nil
            let columns = RecordingStatements.stagedColumns
            try staging.beginRow(columns: 2 + columns.count)
            staging.append(integer: Int64(line))
            staging.append(integer: hasOwnCredits(message) ? 1 : nil)
            for column in columns { staging.append(staged, column) }
            stagedCount += 1
            return nil
        }
    }

    /// Counts the exact tokens of a message whose rate counts them; throws a `MessageFault` if the
    /// file has another count.
    ///
    /// Without the vocabulary, the file's count is trusted only if the export includes its rates.
    private func count(_ message: inout UsageRecord) throws {
        let given = message
        message.tokenCount = nil
        message.tokenizer = nil
        guard let encoding = counter.encoding(of: given) else { return }
        if given.isEstimated || hasOwnCredits(given) && given.tokenCount == nil { return }
        let exported = given.tokenizer == encoding.rawValue ? given.tokenCount : nil
        do {
            try counter.count(&message)
            guard exported == nil || exported == message.tokenCount else {
                throw MessageFault(
                    "token_count", .malformed,
                    "token_count must be \(message.tokenCount ?? 0), as counted by "
                        + "\(encoding.rawValue).")
            }
        } catch let error as TokenizerUnavailable {
            guard isRated, let exported else { throw error }
            guard (0...Int64(given.text?.utf8.count ?? 0)).contains(exported) else {
                throw MessageFault(
                    "token_count", .outOfRange,
                    "token_count must be from 0 to the number of bytes in the text.")
            }
            message.tokenCount = exported
            message.tokenizer = encoding.rawValue
        }
    }

    /// Whether the message comes from an export in which no rate priced it, and keeps its credits.
    private func hasOwnCredits(_ message: UsageRecord) -> Bool {
        keepsCredits && isRated && message.rate == nil && message.creditsUsed != nil
    }

    /// Records the staged messages; calls `reject` for each rejected one.
    public func record(
        reject: (_ line: Int, UsageRecord, Rejection) throws -> Void
    ) throws -> Outcome {
        try reportingUnavailability {
            try staging.end()
            try connection.run("ANALYZE staged_message")
            // First, so that no other writer gets an id that this import is about to record.
            try connection.query(statements.advanceIdentity)
            var outcome = Outcome()
            outcome.created = try connection.query(statements.insert).changedCount
            let rejected = RecordingStatements.rejected
            let rows = try CopyReader(
                connection, "rejected", rejected.text, columns: rejected.columnCount)
            while try rows.next() {
                let rejection = Rejection(rows[rejected.reason], price: rows[rejected.price])
                if case .refused = rejection {
                    outcome.invalid += 1
                } else {
                    outcome.conflicts += 1
                }
                try reject(Int(rows[rejected.line]), rows[rejected.message], rejection)
            }
            outcome.duplicates =
                stagedCount - outcome.created - outcome.conflicts - outcome.invalid
            return outcome
        }
    }

    /// Makes the records durable.
    public func commit() throws {
        try reportingUnavailability { try connection.run("COMMIT") }
    }

    /// Prepares new records for index-only scans, which need the visibility map that VACUUM writes.
    ///
    /// Fails after 5 s of waiting for a lock; autovacuum does it later.
    public func tidy() throws {
        try connection.run("SET lock_timeout = '5s'")
        try connection.run("VACUUM (ANALYZE) usage_record")
    }
}

extension MessageImport.Rejection {
    /// Reads a reason of `RecordingStatements.rejected`.
    fileprivate init(_ reason: String, price: Credits?) {
        if let refusal = MessageRefusal(rawValue: reason) {
            self = .refused(refusal)
        } else {
            switch reason {
            case "rate": self = .otherRate
            case "credits": self = .otherCredits(price ?? Credits(hundredths: 0))
            default: self = .conflict
            }
        }
    }
}

extension CopyWriter {
    /// Appends the value of `record` in `column`; 1 for true.
    fileprivate func append(_ record: UsageRecord, _ column: UsageRecord.Column) {
        switch column.kind {
        case .integer(let place): append(integer: place.get(record))
        case .timestamp(let place):
            append(integer: place.get(record)?.postgresMicroseconds)
        case .text(let place, _): append(text: place.get(record))
        case .credits(let place): append(integer: place.get(record)?.hundredths)
        case .flag(let place): append(integer: place.get(record) ? 1 : nil)
        case .tags(let place): append(text: place.get(record))
        }
    }
}
