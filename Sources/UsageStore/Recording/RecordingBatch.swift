package import Postgres
import Usage

/// Messages that are being recorded, and their results after each attempt.
struct RecordingBatch {
    /// The messages, with their tokens where they were counted.
    private var messages: [UsageRecord]

    /// The result of each message; nil while it is open.
    private(set) var outcomes: [RecordingOutcome?]

    private var attempts = 0

    /// The messages that another attempt must record.
    var open: [Int] { messages.indices.filter { outcomes[$0] == nil } }

    init(_ messages: [UsageRecord]) {
        self.messages = messages
        outcomes = Array(repeating: nil, count: messages.count)
    }

    /// How far the id sequence advances before each attempt, to find ids that no client has chosen.
    private static let jumps: [Int64?] = [
        nil, 0, 1000, 1_000_000, 1_000_000_000, 1_000_000_000_000,
    ]

    /// Maximum number of attempts if other writers or taken ids interfere.
    static let attemptLimit = jumps.count

    /// Counts the tokens of open messages that are priced by them.
    mutating func count(_ counter: TokenCounter) throws { try counter.count(&messages, open) }

    /// Tries to record the open messages in one statement, which is a transaction.
    ///
    /// If this throws, the results of earlier attempts remain.
    mutating func attempt(_ connection: Connection) throws {
        let jump = Self.jumps[min(attempts, Self.jumps.count - 1)]
        attempts += 1
        let rest = open
        if let jump, rest.contains(where: { messages[$0].messageID == nil }) {
            try reportingExhaustion {
                _ = try QueryReader(
                    connection, "advance_ids", RecordingStatements.advance, [String(jump)],
                    isStreamed: false)
            }
        }
        try insert(rest, connection, .one, .many)
        try compare(open.filter { messages[$0].messageID != nil }, connection)
        try refuse(open, connection)
    }

    /// Records new messages; leaves those open that are already recorded or cannot be priced.
    ///
    /// The messages belong to different clients, so each may be recorded without the others.
    mutating func attemptTogether(_ connection: Connection) throws {
        try insert(open, connection, .oneTogether, .manyTogether)
    }

    private mutating func insert(
        _ rest: [Int], _ connection: Connection,
        _ one: RecordingStatements, _ many: RecordingStatements
    ) throws {
        let created = RecordingStatements.created.record
        if let index = rest.first, rest.count == 1 {
            let reader = try QueryReader(
                connection, "insert", one.insert, messages[index].parameters, isStreamed: false)
            guard try reader.next() else { return }
            reader.read(created, into: &messages[index])
            outcomes[index] = .created(messages[index])
            return
        }
        let rows = try identified(rest, connection)
        let items = rows.map { row in
            var message = messages[rest[row.position]]
            message.messageID = row.id
            return message
        }
        let reader = try QueryReader(
            connection, "insert", many.insert, items.parameters, isStreamed: false)
        while try reader.next() {
            guard let id = reader[created].messageID, let position = rows.position(of: id)
            else { continue }
            var record = items[position]
            reader.read(created, into: &record)
            outcomes[rest[rows[position].position]] = .created(record)
        }
    }

    /// The positions in `rest` of the messages to insert, ordered by id.
    ///
    /// Among equal ids the first message counts, clients' before the database's.
    private func identified(
        _ rest: [Int], _ connection: Connection
    ) throws -> [(id: Int64, position: Int)] {
        var rows: [(id: Int64, position: Int)] = []
        var unnamed: [Int] = []
        for (position, index) in rest.enumerated() {
            if let id = messages[index].messageID {
                rows.append((id, position))
            } else {
                unnamed.append(position)
            }
        }
        if !unnamed.isEmpty {
            let reader = try QueryReader(
                connection, "choose_ids", RecordingStatements.chooseIDs, [String(unnamed.count)],
                isStreamed: false)
            for position in unnamed where try reader.next() {
                rows.append((reader.integer(0), position))
            }
        }
        let isNamed = { (position: Int) in messages[rest[position]].messageID != nil }
        rows.sort { left, right in
            if left.id != right.id { return left.id < right.id }
            if isNamed(left.position) != isNamed(right.position) { return isNamed(left.position) }
            return left.position < right.position
        }
        var last: Int64?
        return rows.filter { row in
            defer { last = row.id }
            return row.id != last
        }
    }

    /// Compares messages with the records under their ids, if any.
    private mutating func compare(_ indices: [Int], _ connection: Connection) throws {
        guard !indices.isEmpty else { return }
        let statement = RecordingStatements.compare
        let reader = try QueryReader(
            connection, "compare", statement.text, indices.map { messages[$0] }.parameters,
            isStreamed: false)
        while try reader.next() {
            let index = indices[Int(reader[statement.number]) - 1]
            guard reader[statement.isSame] else {
                outcomes[index] = .conflict
                continue
            }
            reader.read(statement.recorded, into: &messages[index])
            outcomes[index] = .duplicate(messages[index])
        }
    }

    /// Marks messages as refused, with their reasons.
    private mutating func refuse(_ indices: [Int], _ connection: Connection) throws {
        guard !indices.isEmpty else { return }
        let statement = RecordingStatements.refused
        let reader = try QueryReader(
            connection, "refuse", statement.text, indices.map { messages[$0] }.parameters,
            isStreamed: false)
        while try reader.next() {
            outcomes[indices[Int(reader[statement.number]) - 1]] = .refused(
                MessageRefusal(rawValue: reader[statement.refusal]) ?? .unpriced)
        }
    }
}

extension [(id: Int64, position: Int)] {
    /// The index of the first row with `id`; the rows must be ordered by id.
    fileprivate func position(of id: Int64) -> Int? {
        var range = startIndex..<endIndex
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            range = self[middle].id < id ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        return range.lowerBound < endIndex && self[range.lowerBound].id == id
            ? range.lowerBound : nil
    }
}

extension UsageRecord {
    /// The parameters of the statement for one message.
    fileprivate var parameters: [Parameter] {
        RecordingStatements.messages.map { value(in: $0).map { .text($0) } ?? .null }
    }
}

extension [UsageRecord] {
    /// The parameters of the statements for many messages: arrays.
    package var parameters: [Parameter] {
        RecordingStatements.messages.map { column in
            switch column.kind {
            case .integer(let place): .array(place.values(self))
            case .timestamp(let place):
                .array(timestamps: place.values(self).map { $0?.postgresMicroseconds })
            case .text(let place, _): .array(place.values(self))
            case .credits(let place): .array(place.values(self).map { $0?.hundredths })
            case .flag(let place): .array(place.values(self).map { $0 ? 1 : nil })
            case .tags(let place): .array(place.values(self))
            }
        }
    }
}
