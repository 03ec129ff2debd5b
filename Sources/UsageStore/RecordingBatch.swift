import Postgres
import Usage

/// One try to record messages.
struct RecordingBatch {
    /// What another writer did meanwhile; another try will do.
    enum Obstacle: Error {
        /// A record with the same id was there, and then was not.
        case vanishedRecord
    }

    private let messages: [NewMessage]
    private let connection: Connection

    init(_ messages: [NewMessage], _ connection: Connection) {
        self.messages = messages
        self.connection = connection
    }

    /// What became of each message.
    ///
    /// One statement, which is a transaction, records them all.
    func record() throws -> [RecordingOutcome] {
        let isOne = messages.count == 1
        var outcomes = try insert(isOne ? RecordStatements.recordOne : RecordStatements.record)
        var open = messages.indices.filter { outcomes[$0] == nil && messages[$0].messageID != nil }
        for (index, outcome) in try compare(open) { outcomes[index] = outcome }
        open = messages.indices.filter { outcomes[$0] == nil }
        for index in open where try !isPriced(messages[index]) { outcomes[index] = .unpriced }
        open = open.filter { outcomes[$0] == nil }
        guard open.allSatisfy({ messages[$0].messageID == nil }) else {
            throw Obstacle.vanishedRecord
        }
        for jump in Self.jumps where !open.isEmpty { try choose(&open, jump, &outcomes) }
        guard open.isEmpty else { throw Obstacle.vanishedRecord }
        return outcomes.compactMap(\.self)
    }

    /// How far the database's ids go on, one try after another, to find some that are free.
    private static let jumps: [Int64] = [0, 1000, 1_000_000, 1_000_000_000, 1_000_000_000_000]

    /// Records the messages whose ids, chosen by the database, a client had chosen before.
    ///
    /// These alone, for the rest is recorded by now.
    private func choose(
        _ open: inout [Int], _ jump: Int64, _ outcomes: inout [RecordingOutcome?]
    ) throws {
        _ = try QueryReader(
            connection, RecordStatements.advance, [String(jump)], isStreamed: false)
        let rest = RecordingBatch(open.map { messages[$0] }, connection)
        let statement =
            open.count == 1 ? RecordStatements.recordOne : RecordStatements.record
        for (index, outcome) in zip(open, try rest.insert(statement)) { outcomes[index] = outcome }
        open = open.filter { outcomes[$0] == nil }
    }

    /// Records what is new; nil for each message that is recorded already, or cannot be priced.
    ///
    /// The messages belong to different clients, so that one may be recorded without the other.
    func recordTogether() throws -> [RecordingOutcome?] {
        try insert(
            messages.count == 1
                ? RecordStatements.recordOneTogether : RecordStatements.recordTogether)
    }

    /// Records what can be recorded; the outcomes of that, and nil for everything else.
    private func insert(_ statement: String) throws -> [RecordingOutcome?] {
        let values = messages.count == 1 ? messages[0].parameters : messages.parameters
        let reader = try QueryReader(connection, statement, values, isStreamed: false)
        var outcomes = [RecordingOutcome?](repeating: nil, count: messages.count)
        while try reader.next() {
            outcomes[Int(reader.integer(3)) - 1] = .created(
                messageID: reader.integer(0),
                timestamp: Timestamp(postgresMicroseconds: reader.integer(1)),
                creditsUsed: Credits(hundredths: reader.integer(2)))
        }
        return outcomes
    }

    /// Compares messages with what is recorded under their ids, if anything.
    private func compare(_ indices: [Int]) throws -> [(Int, RecordingOutcome)] {
        guard !indices.isEmpty else { return [] }
        let sent = indices.map { messages[$0] }
        let reader = try QueryReader(
            connection, RecordStatements.compare, sent.parameters, isStreamed: false)
        var outcomes: [(Int, RecordingOutcome)] = []
        while try reader.next() {
            let position = Int(reader.integer(0)) - 1
            guard reader.integer(1) == 1, let id = sent[position].messageID else {
                outcomes.append((indices[position], .conflict))
                continue
            }
            outcomes.append(
                (
                    indices[position],
                    .duplicate(
                        messageID: id,
                        timestamp: Timestamp(postgresMicroseconds: reader.integer(2)),
                        creditsUsed: Credits(hundredths: reader.integer(3)))
                ))
        }
        return outcomes
    }

    private func isPriced(_ message: NewMessage) throws -> Bool {
        let reader = try QueryReader(
            connection, RecordStatements.estimate, [message].parameters, isStreamed: false)
        return try reader.next() && !reader.isNull(1)
    }
}

extension NewMessage {
    /// The four values that the statement for one takes.
    fileprivate var parameters: [Parameter] {
        [
            messageID.map { .text(String($0)) } ?? .null,
            timestamp.map { .text($0.description) } ?? .null,
            reportName.map { .text($0) } ?? .null, .text(text),
        ]
    }
}

extension [NewMessage] {
    /// The four arrays that the statements take.
    var parameters: [Parameter] {
        [
            .array(map(\.messageID)),
            .array(timestamps: map { $0.timestamp?.postgresMicroseconds }),
            .array(map(\.reportName)), .array(map { Optional($0.text) }),
        ]
    }
}
