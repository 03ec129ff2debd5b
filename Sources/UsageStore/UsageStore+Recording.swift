import Postgres
public import Usage

/// What became of a message that was to be recorded.
public enum RecordingOutcome: Equatable, Sendable {
    /// It is recorded now, durably.
    case created(messageID: Int64, timestamp: Timestamp, creditsUsed: Credits)
    /// It was recorded before, with these values.
    case duplicate(messageID: Int64, timestamp: Timestamp, creditsUsed: Credits)
    /// Another message is recorded under its id.
    case conflict
    /// The price list has no price for it.
    case unpriced
}

extension UsageStore {
    /// How often a batch is tried again that met other writers.
    private static let attemptLimit = 5

    /// Records messages in one transaction; what became of each, in their order.
    ///
    /// When this returns, what was created is committed and durable. When it throws, some or all
    /// may be recorded nevertheless: the same call again will tell.
    public func record(_ messages: [NewMessage]) throws -> [RecordingOutcome] {
        if messages.count == 1, let message = messages.first,
            message.text.utf8.count <= Self.groupedTextLimit,
            let outcome = try group.outcome(of: message, recordTogether)
        {
            return [outcome]
        }
        return try recordAlone(messages)
    }

    /// Longer texts would hold up the others.
    private static let groupedTextLimit = 64 * 1024

    /// Records single messages of several clients; nil for each that is not simply new.
    ///
    /// A message that has to wait for another transaction must not make the others wait: then all
    /// are recorded one by one.
    private func recordTogether(_ messages: [NewMessage]) throws -> [RecordingOutcome?] {
        try reportingUnavailability {
            do {
                return try RecordingBatch(messages, try writing()).recordTogether()
            } catch let error as PostgresError
                where error.isRetriable || error.state == PostgresError.lockNotAvailable
            {
                return messages.map { _ in nil }
            }
        }
    }

    /// The connection, without an eye on the client: a statement that is broken off may have been
    /// carried out, and that of several clients is not one's own to break off.
    private func writing() throws -> Connection {
        let connection = try connected()
        connection.watchedDescriptor = nil
        return connection
    }

    private func recordAlone(_ messages: [NewMessage]) throws -> [RecordingOutcome] {
        try reportingUnavailability {
            let connection = try writing()
            for _ in 1...Self.attemptLimit {
                do {
                    return try RecordingBatch(messages, connection).record()
                } catch RecordingBatch.Obstacle.vanishedRecord {
                    continue
                } catch let error as PostgresError where error.isRetriable {
                    continue
                }
            }
            throw DatabaseUnavailable(description: "a batch met other writers again and again")
        }
    }

    /// The receipts that messages would get, with the credits they would use; nil where the price
    /// list has no price.
    public func estimates(_ messages: [NewMessage]) throws -> [(
        credits: Credits?, receipt: Receipt
    )] {
        try reportingUnavailability {
            let reader = try QueryReader(
                try connected(), RecordStatements.estimate, messages.parameters, isStreamed: false)
            var estimates: [(credits: Credits?, receipt: Receipt)] = []
            while try reader.next() {
                let credits = reader.isNull(1) ? nil : Credits(hundredths: reader.integer(1))
                estimates.append((credits, Receipt(reader, at: 2)))
            }
            return estimates
        }
    }
}
