package import Postgres
import Usage

/// Messages that are being recorded, and what is known of them after each attempt.
struct RecordingBatch {
    /// The messages.
    let messages: [NewMessage]

    /// What became of each message; nil while that is open.
    private(set) var outcomes: [RecordingOutcome?]

    private var attempts = 0

    /// The messages that another attempt must record.
    var open: [Int] { messages.indices.filter { outcomes[$0] == nil } }

    init(_ messages: [NewMessage]) {
        self.messages = messages
        outcomes = Array(repeating: nil, count: messages.count)
    }

    /// How far the database's ids go on before each attempt, to find some that no client has chosen.
    private static let jumps: [Int64?] = [
        nil, 0, 1000, 1_000_000, 1_000_000_000, 1_000_000_000_000,
    ]

    /// How often a batch is tried that meets other writers, or ids that are taken.
    static let attemptLimit = jumps.count

    /// Tries to record what is open, in one statement, which is a transaction; `counts` has the
    /// tokens of those messages, where they are needed.
    ///
    /// When this throws, nothing is lost: what was found out before stays known.
    mutating func attempt(_ connection: Connection, counts: [TokenCount?]) throws {
        let jump = Self.jumps[min(attempts, Self.jumps.count - 1)]
        attempts += 1
        let rest = open
        if let jump, rest.contains(where: { messages[$0].messageID == nil }) {
            try reportingExhaustion {
                _ = try QueryReader(
                    connection, RecordingStatements.advance, [String(jump)], isStreamed: false)
            }
        }
        try insert(
            rest, counts, connection, RecordingStatements.recordOne, RecordingStatements.record)
        try compare(open.filter { messages[$0].messageID != nil }, connection)
        try refuse(open, connection)
    }

    /// Records what is new, and leaves the rest open: what is recorded already, or cannot be priced.
    ///
    /// The messages belong to different clients, so that one may be recorded without the other.
    mutating func attemptTogether(_ connection: Connection, counts: [TokenCount?]) throws {
        try insert(
            open, counts, connection,
            RecordingStatements.recordOneTogether, RecordingStatements.recordTogether)
    }

    private mutating func insert(
        _ rest: [Int], _ counts: [TokenCount?], _ connection: Connection,
        _ one: String, _ many: String
    ) throws {
        if let index = rest.first, rest.count == 1 {
            let reader = try QueryReader(
                connection, one, messages[index].parameters(counts.first ?? nil), isStreamed: false)
            if try reader.next() { outcomes[index] = .created(reader) }
            return
        }
        let rows = try identified(rest, connection)
        let counts = counts.isEmpty ? [] : rows.map { counts[$0.position] }
        let reader = try QueryReader(
            connection, many,
            rows.map { messages[rest[$0.position]] }.parameters(ids: rows.map(\.id), counts),
            isStreamed: false)
        while try reader.next() {
            guard let row = rows.first(of: reader.integer(0)) else { continue }
            outcomes[rest[row.position]] = .created(reader)
        }
    }

    /// The positions in `rest` of what is to be inserted, by ids; of messages with one id, the first
    /// counts, and the database's ids take none from clients.
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
                connection, RecordingStatements.chooseIDs, [String(unnamed.count)],
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

    /// Compares messages with what is recorded under their ids, if anything.
    private mutating func compare(_ indices: [Int], _ connection: Connection) throws {
        guard !indices.isEmpty else { return }
        let reader = try QueryReader(
            connection, RecordingStatements.compare, indices.map { messages[$0] }.parameters(),
            isStreamed: false)
        while try reader.next() {
            let index = indices[Int(reader.integer(0)) - 1]
            guard reader.integer(1) == 1, let id = messages[index].messageID else {
                outcomes[index] = .conflict
                continue
            }
            outcomes[index] = .duplicate(
                messageID: id, timestamp: Timestamp(postgresMicroseconds: reader.integer(2)),
                creditsUsed: Credits(hundredths: reader.integer(3)))
        }
    }

    /// Marks messages as refused, each with its reason.
    private mutating func refuse(_ indices: [Int], _ connection: Connection) throws {
        guard !indices.isEmpty else { return }
        let reader = try QueryReader(
            connection, RecordingStatements.refused, indices.map { messages[$0] }.parameters(),
            isStreamed: false)
        while try reader.next() {
            let refusal = reader.string(1).flatMap(MessageRefusal.init(rawValue:)) ?? .unpriced
            outcomes[indices[Int(reader.integer(0)) - 1]] = .refused(refusal)
        }
    }
}

extension [(id: Int64, position: Int)] {
    /// The first row with `id`; the rows must be in the order of ids.
    fileprivate func first(of id: Int64) -> Element? {
        var range = startIndex..<endIndex
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            range = self[middle].id < id ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        return range.lowerBound < endIndex && self[range.lowerBound].id == id
            ? self[range.lowerBound] : nil
    }
}

extension RecordingOutcome {
    /// Reads the row of a message that was recorded.
    fileprivate static func created(_ reader: QueryReader) -> RecordingOutcome {
        .created(
            messageID: reader.integer(0),
            timestamp: Timestamp(postgresMicroseconds: reader.integer(1)),
            creditsUsed: Credits(hundredths: reader.integer(2)))
    }
}

extension NewMessage {
    /// The values that the statement for one takes.
    fileprivate func parameters(_ count: TokenCount?) -> [Parameter] {
        [
            messageID.map { .text(String($0)) } ?? .null,
            timestamp.map { .text($0.description) } ?? .null,
            reportName.map { .text($0) } ?? .null, .text(text),
            count.map { .text(String($0.tokens)) } ?? .null,
            count.map { .text($0.encoding) } ?? .null,
        ]
    }
}

extension [NewMessage] {
    /// The arrays that the statements for many take; `ids` and `counts` where they differ from what
    /// the messages say themselves.
    package func parameters(
        ids: [Int64]? = nil, _ counts: [TokenCount?] = []
    ) -> [Parameter] {
        [
            .array(ids ?? map(\.messageID)),
            .array(timestamps: map { $0.timestamp?.postgresMicroseconds }),
            .array(map(\.reportName)), .array(map { Optional($0.text) }),
            .array(counts.map { $0?.tokens }), .array(counts.map { $0?.encoding }),
        ]
    }
}
