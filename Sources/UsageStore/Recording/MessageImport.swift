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
    private let keepsCredits: Bool
    private let storesTexts: Bool
    private var stagedCount = 0
    private let databaseURL: String
    private let attributions: Attributions
    private var stagedAttributions = DistinctAttributions()
    private var hasExternalIDs = false
    private var hasCorrections = false

    /// Begins an import; nothing is recorded before `commit` returns.
    ///
    /// With `keepsCredits`, the credits in a message are recorded even if the price list yields
    /// others. Unless it `storesTexts`, their digests are recorded.
    /// `rates` of an export replace the price list if there are no records; throws
    /// `AdministrationFault` if they conflict with it. All methods throw `DatabaseUnavailable` or
    /// `PostgresError`.
    public init(
        databaseURL: String, keepsCredits: Bool, tokenizers: Tokenizers,
        attributionLimit: Int = 0, storesTexts: Bool = true, rates: [CreditRate] = []
    ) throws {
        self.databaseURL = databaseURL
        attributions = Attributions(limit: attributionLimit)
        self.keepsCredits = keepsCredits
        self.storesTexts = storesTexts
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
            staged.characterCount =
                message.characterCount ?? message.text.map { Int64($0.unicodeScalars.count) }
            let columns = RecordingStatements.stagedColumns
            try staging.beginRow(columns: 3 + columns.count)
            staging.append(integer: Int64(line))
            staging.append(integer: hasOwnCredits(message) ? 1 : nil)
            staging.append(integer: stagedAttributions.key(of: message.attribution))
            for column in columns { staging.append(staged, column) }
            if message.externalID != nil { hasExternalIDs = true }
            if message.corrects != nil { hasCorrections = true }
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
        guard given.corrects == nil, let encoding = counter.encoding(of: given) else { return }
        if given.isEstimated || hasOwnCredits(given) && given.tokenCount == nil { return }
        if given.reportsTokens { return }
        let exported = given.tokenizer == encoding.rawValue ? given.tokenCount : nil
        do {
            guard given.text != nil else { throw TextMissing() }
            try counter.count(&message)
            guard exported == nil || exported == message.tokenCount else {
                throw MessageFault(
                    "token_count", .malformed,
                    "token_count must be \(message.tokenCount ?? 0), as counted by "
                        + "\(encoding.rawValue).")
            }
        } catch let error where error is TokenizerUnavailable || error is TextMissing {
            guard isRated, let exported else {
                guard error is TextMissing else { throw error }
                throw MessageFault(
                    "message_text", .missing,
                    "message_text is missing: its rate counts tokens by \(encoding.rawValue).")
            }
            let most = given.text?.utf8.count ?? Int(given.characterCount ?? 0) * 4
            guard (0...Int64(most)).contains(exported) else {
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
            try stageAttributions()
            try connection.run("ANALYZE staged_message, staged_attribution")
            let isShared = try connection.query(RecordingStatements.findShared).count > 0
            let statements = RecordingStatements.staged(
                keepsCredits: keepsCredits,
                externalIDs: isShared ? .shared : hasExternalIDs ? .unique : .none)
            // First, so that no other writer gets an id that this import is about to record.
            try connection.query(statements.advanceIdentity)
            var outcome = Outcome()
            outcome.created = try statements.insertStaged(
                connection, storesTexts: storesTexts, hasCorrections: hasCorrections)
            let rejected = RecordingStatements.rejected
            let rows = try CopyReader(
                connection, "rejected", rejected.text, columns: rejected.columnCount)
            while try rows.next() {
                var message = rows[rejected.message]
                let key = rows[rejected.attributionKey]
                message.attribution = key.map { stagedAttributions.all[Int($0)] } ?? .init()
                if message.text != nil { message.characterCount = nil }
                let differing = rows.names(rejected.comparison, of: message)
                let reason = rows[rejected.reason]
                // A retry of a message of an erased user.
                if reason == "conflict", differing.isEmpty { continue }
                let rejection = Rejection(
                    reason, price: rows[rejected.price], differing: differing)
                if case .refused = rejection {
                    outcome.invalid += 1
                } else {
                    outcome.conflicts += 1
                }
                try reject(Int(rows[rejected.line]), message, rejection)
            }
            outcome.duplicates =
                stagedCount - outcome.created - outcome.conflicts - outcome.invalid
            return outcome
        }
    }

    /// Finds or creates the attributions of the staged messages, through a connection of its own:
    /// other writers need them, and must not wait for the end of this import.
    private func stageAttributions() throws {
        guard !stagedAttributions.all.isEmpty else { return }
        let creating = try Connection(
            url: databaseURL, applicationName: "orbitalctl import", waitSeconds: 3600)
        var changed = stagedAttributions.all.indices.map { $0 }
        for _ in 1...RecordingBatch.attemptLimit {
            let stored = try stored(changed, creating)
            _ = try QueryReader(
                connection, "set_attributions", RecordingStatements.setAttributions,
                [
                    .array(changed.map { Int64($0) }), .array(stored.map { $0?.id }),
                    .array(bytes: stored.map { $0?.digest }),
                ])
            let reader = try QueryReader(
                connection, "lock_attributions", RecordingStatements.lockAttributions)
            changed = []
            while try reader.next() { changed.append(Int(reader.integer(0))) }
            if changed.isEmpty { return }
        }
        throw DatabaseUnavailable(description: "attributions changed on every attempt")
    }

    /// The attributions with these keys; creates those that new messages have.
    private func stored(_ keys: [Int], _ creating: Connection) throws -> [StoredAttribution?] {
        let wanted = keys.map { stagedAttributions.all[$0] }
        var stored = try attributions.stored(wanted, creating, .none, isOutdated: true)
        var missing = wanted.indices.filter { stored[$0] == nil }
        if !missing.isEmpty, try connection.query(RecordingStatements.hasErasedUser)[0, 0] == "t" {
            let new = try connection.query(RecordingStatements.newAttributions)
            let newKeys = Set((0..<new.count).compactMap { new[$0, 0].flatMap(Int.init) })
            missing.removeAll { !newKeys.contains(keys[$0]) }
        }
        let created = try create(missing.map { wanted[$0] }, creating)
        for (index, attribution) in zip(missing, created) { stored[index] = attribution }
        return stored
    }

    /// Creates attributions; one by one if another transaction has just created some of them.
    private func create(
        _ wanted: [UsageRecord.Attribution], _ connection: Connection
    ) throws -> [StoredAttribution?] {
        do {
            return try attributions.stored(wanted, connection, .short, isOutdated: true)
        } catch let error as PostgresError
            where error.isRetriable || error.state == PostgresError.lockNotAvailable
        {
            return try attributions.stored(wanted, connection, .long, isOutdated: true)
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
