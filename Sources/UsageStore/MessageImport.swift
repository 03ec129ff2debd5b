import Postgres
import Tokenizer
public import Usage

/// An import of many messages: staged through COPY, priced and recorded in one transaction.
public final class MessageImport {
    private let connection: Connection
    private let staging: CopyWriter
    private let counter: TokenCounter
    private let prices: PriceList
    private let rateCount: Int
    private let statements: ImportStatements
    private var stagedCount = 0

    /// What became of the staged messages.
    public struct Outcome: Equatable, Sendable {
        /// Messages that were recorded.
        public var created = 0
        /// Messages that had been recorded before, the same in everything.
        public var duplicates = 0
        /// Messages whose id is recorded with different content, or whose credits differ.
        public var conflicts = 0
        /// Messages that cannot be recorded as they are.
        public var invalid = 0
    }

    /// Why a staged message was refused.
    public enum Rejection: Sendable {
        /// Its id is recorded with other content.
        case conflict
        /// Its source gives other credits than the price list, which gives these.
        case otherCredits(Credits)
        /// Its rate in the file is not the one in force at its time.
        case otherRate
        /// It cannot be recorded as it is.
        case refused(MessageRefusal)
    }

    /// Begins an import; nothing is recorded before `commit` returns.
    ///
    /// With `keepsCredits`, the credits in a message are recorded even if the price list yields
    /// others. `rates` are those of an export: they replace the price list if there are no records
    /// yet; throws `CreditRateRefused` if they conflict with it. Throws `DatabaseUnavailable` or
    /// `PostgresError`, like all methods.
    public init(
        databaseURL: String, keepsCredits: Bool, tokenizers: Tokenizers, rates: [CreditRate] = []
    ) throws {
        statements = ImportStatements(keepsCredits: keepsCredits)
        rateCount = rates.count
        connection = try reportingUnavailability {
            try Connection(
                url: databaseURL, applicationName: "orbitalctl import", waitSeconds: 3600)
        }
        let connection = connection
        (prices, counter, staging) = try reportingUnavailability {
            // The isolation level must not depend on the server's settings. The lock keeps the
            // price list unchanged until the end, because tokens are counted and recorded by the
            // same one.
            try connection.run(
                """
                BEGIN ISOLATION LEVEL READ COMMITTED;
                LOCK TABLE usage_record IN ROW EXCLUSIVE MODE
                """)
            let prices = try PriceList(connection, takingOver: rates)
            let counter = try TokenCounter(connection, tokenizers)
            try connection.run(ImportStatements.createStaging)
            return (
                prices, counter,
                try CopyWriter(connection, "COPY staged_message FROM STDIN (FORMAT binary)")
            )
        }
    }

    /// The rates of the file that this import adds to the price list, or puts in place of others.
    public var newRates: [CreditRate] { prices.newRates }

    /// Sends `message`, from `line` of its source, to the staging table; if its account contradicts
    /// its text or the rates of its file, returns the fault instead.
    public func stage(_ message: Message, line: Int) throws -> MessageFault? {
        try reportingUnavailability {
            let account = message.account
            if let rate = account.rate, rateCount > 0, !(1...Int64(rateCount)).contains(rate) {
                return MessageFault(
                    "rate", .outOfRange, "rate is \(rate), but the file has \(rateCount) rates.")
            }
            let count: TokenCount?
            do {
                count = try self.count(message)
            } catch let fault as MessageFault {
                return fault
            }
            try staging.beginRow(columns: 11)
            staging.append(integer: Int64(line))
            staging.append(integer: message.messageID)
            staging.append(integer: message.timestamp.postgresMicroseconds)
            staging.append(text: message.reportName)
            staging.append(text: message.text)
            staging.append(integer: count?.tokens)
            staging.append(text: count?.encoding)
            staging.append(integer: account.creditsUsed?.hundredths)
            staging.append(integer: rateCount > 0 ? account.rate.flatMap(prices.id) : nil)
            staging.append(integer: account.isEstimated ? 1 : nil)
            staging.append(integer: hasOwnCredits(account) ? 1 : nil)
            stagedCount += 1
            return nil
        }
    }

    /// The exact tokens of a message whose rate counts them; throws a `MessageFault` if the file
    /// has another count.
    ///
    /// Without the vocabulary, the file's count is trusted only if the export includes its rates.
    private func count(_ message: Message) throws -> TokenCount? {
        let account = message.account
        guard let encoding = counter.encoding(at: message.timestamp) else { return nil }
        if account.isEstimated || hasOwnCredits(account) && account.tokenCount == nil { return nil }
        let exported = account.tokenizer == encoding.rawValue ? account.tokenCount : nil
        do {
            let count = try counter.count(message.text, at: message.timestamp)
            guard exported == nil || exported == count?.tokens else {
                throw MessageFault(
                    "token_count", .malformed,
                    "token_count is not the count by \(encoding.rawValue), \(count?.tokens ?? 0).")
            }
            return count
        } catch let error as TokenizerUnavailable {
            guard rateCount > 0, let exported else { throw error }
            guard (0...Int64(message.text.utf8.count)).contains(exported) else {
                throw MessageFault(
                    "token_count", .outOfRange,
                    "token_count must be from 0 to the number of bytes of the text.")
            }
            return TokenCount(tokens: exported, encoding: encoding.rawValue)
        }
    }

    /// Whether an export says that no rate priced the message, and its credits are to be kept.
    private func hasOwnCredits(_ account: ExportedAccount) -> Bool {
        statements.keepsCredits && rateCount > 0 && account.rate == nil
            && account.creditsUsed != nil
    }

    /// Records the staged messages, reporting each one that is refused.
    public func record(
        reject: (_ line: Int, Message, Rejection) throws -> Void
    ) throws -> Outcome {
        try reportingUnavailability {
            try staging.end()
            try connection.run("ANALYZE staged_message")
            // First, so that no other writer is given an id that is about to be recorded.
            try connection.query(statements.advanceIdentity)
            var outcome = Outcome()
            outcome.created = try connection.query(statements.record).changedCount
            let rows = try CopyReader(connection, statements.rejected, columns: 8)
            while try rows.next() {
                let rejection = rows.rejection()
                if case .refused = rejection {
                    outcome.invalid += 1
                } else {
                    outcome.conflicts += 1
                }
                try reject(Int(rows.integer(0)), rows.message(), rejection)
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

    /// Readies many new records for index-only scans, which need what only VACUUM writes.
    ///
    /// Gives up behind another program's lock; the server will do it in its own time.
    public func tidy() throws {
        try connection.run("SET lock_timeout = '5s'")
        try connection.run("VACUUM (ANALYZE) usage_record")
    }
}

extension CopyReader {
    /// The message in a row of `ImportStatements.rejected`.
    fileprivate func message() -> Message {
        Message(
            messageID: integer(1), timestamp: Timestamp(postgresMicroseconds: integer(2)),
            reportName: string(3), text: string(4) ?? "",
            account: ExportedAccount(creditsUsed: string(5).flatMap { Credits($0) }))
    }

    fileprivate func rejection() -> MessageImport.Rejection {
        let reason = string(6) ?? ""
        if let refusal = MessageRefusal(rawValue: reason) { return .refused(refusal) }
        if reason == "rate" { return .otherRate }
        guard reason == "credits" else { return .conflict }
        return .otherCredits(string(7).flatMap { Credits($0) } ?? Credits(hundredths: 0))
    }
}
