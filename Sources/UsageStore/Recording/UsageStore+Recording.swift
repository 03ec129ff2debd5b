import Postgres
public import Usage

/// The result of recording a message.
public enum RecordingOutcome: Equatable, Sendable {
    /// It is now recorded, durably, as this record.
    case created(UsageRecord)
    /// It was already recorded, as this record.
    case duplicate(UsageRecord)
    /// Another message is recorded under one of its ids; the members that differ.
    case conflict([String])
    /// The same, but the record is outside of the sender's bounds; the id.
    case taken(UsageRecord.Column)
    /// It is invalid.
    case refused(MessageRefusal)
}

extension UsageStore {
    /// Records messages, which are within `bounds`, in one transaction; returns their results, in
    /// order.
    ///
    /// When this returns, created records are committed and durable. If it throws, some or all
    /// messages may have been recorded: retry the same call to find out. Throws
    /// `TokenizerUnavailable` if the tokens of a message cannot be counted.
    public func record(
        _ messages: [UsageRecord], within bounds: Bounds = Bounds()
    ) throws -> [RecordingOutcome] {
        if messages.count == 1, let message = messages.first,
            (message.text?.utf8.count ?? 0) <= Self.groupedTextLimit
        {
            try admit()
            lendConnection()
            let outcome = try meter.timing {
                try reportingUnavailability {
                    try shared.recording.outcome(of: message, until: deadline) {
                        messages, deadline in
                        try meter.within(deadline - .now) { try recordTogether(messages) }
                    }
                }
            }
            if let outcome { return [outcome] }
        }
        return try recordAlone(messages, bounds)
    }

    /// Longer texts are not batched, because they would delay the others.
    private static let groupedTextLimit = 64 * 1024

    /// Records single messages of several clients in one batch; nil for each that is not new.
    ///
    /// A message that waits for another transaction must not delay the others, and one whose tokens
    /// cannot be counted must not make them fail: in both cases, all are recorded one by one. But a
    /// locked table holds the statement for the whole timeout, before its own of 250 ms applies, and
    /// would hold each message again.
    private func recordTogether(_ messages: [UsageRecord]) throws -> [RecordingOutcome?] {
        let connection = try writing()
        let start = ContinuousClock.now
        do {
            let counter = try shared.counter(connection, isOutdated: false)
            var batch = RecordingBatch(messages, storesTexts: shared.storesTexts)
            try batch.count(counter)
            // What has to be created may wait, and must not delay the others.
            try batch.attribute(shared.attributions, connection)
            try batch.attemptTogether(connection)
            return batch.outcomes
        } catch let error as PostgresError
            where error.isRetriable || ClosedRecords.refused(error)
            || error.state == PostgresError.lockNotAvailable && .now - start < .seconds(1)
        {
            return messages.map { _ in nil }
        } catch is TokenizerUnavailable {
            return messages.map { _ in nil }
        }
    }

    /// The connection for writes, which continue even if the client disconnects: a cancelled
    /// statement may have been executed, and a batch belongs to several clients.
    private func writing() throws -> Connection { try connected(isWatching: false) }

    private func recordAlone(
        _ messages: [UsageRecord], _ bounds: Bounds
    ) throws -> [RecordingOutcome] {
        try reportingUnavailability {
            let connection = try writing()
            var batch = RecordingBatch(
                messages, within: bounds, storesTexts: shared.storesTexts)
            for attempt in 1...RecordingBatch.attemptLimit {
                do {
                    // A rate that was added in the meantime may price the remaining messages.
                    let counter = try shared.counter(connection, isOutdated: attempt > 1)
                    try batch.count(counter)
                    try batch.attribute(shared.attributions, connection)
                    try batch.compareUnknown(connection)
                    try batch.createAttributions(shared.attributions, connection)
                    try batch.attempt(connection)
                } catch let error as PostgresError
                    where error.isRetriable || ClosedRecords.refused(error)
                {}
                let outcomes = batch.outcomes.compactMap(\.self)
                if outcomes.count == messages.count { return outcomes }
            }
            throw DatabaseUnavailable(
                description: "a batch conflicted with other writers on every attempt")
        }
    }

    /// The receipts of messages without recording them, with their credits or why they would be
    /// refused.
    public func estimates(_ messages: [UsageRecord]) throws -> [Estimate] {
        try reportingUnavailability {
            let connection = try connected()
            for isOutdated in [false, true] {
                let counter = try shared.counter(connection, isOutdated: isOutdated)
                var counted = messages
                try counter.count(&counted, counted.indices)
                let estimates = try estimates(connection, counted)
                let isDone = estimates.allSatisfy { $0.credits != nil || $0.refusal != nil }
                if isOutdated || isDone { return estimates }
            }
            return []
        }
    }

    private func estimates(
        _ connection: Connection, _ messages: [UsageRecord]
    ) throws -> [Estimate] {
        let statement = RecordingStatements.estimate[isPlain: messages.isPlain]
        let reader = try QueryReader(
            connection, "estimate", statement.text, messages.estimateParameters)
        var estimates: [Estimate] = []
        while try reader.next() {
            let refusal = reader[statement.refusal].flatMap(MessageRefusal.init(rawValue:))
            let credits = refusal == nil ? reader[statement.price] : nil
            estimates.append((credits, refusal, statement.receipt.receipt(reader)))
        }
        return estimates
    }

    /// The credits and the receipt of a message, or why it would be refused.
    public typealias Estimate = (credits: Credits?, refusal: MessageRefusal?, receipt: Receipt)
}
