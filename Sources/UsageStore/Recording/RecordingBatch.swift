import Postgres
import Usage

/// Messages that are being recorded, and their results after each attempt.
struct RecordingBatch {
    /// The messages, with their tokens where they were counted.
    private(set) var messages: [UsageRecord]

    /// The result of each message; nil while it is open.
    private(set) var outcomes: [RecordingOutcome?]

    private let storesTexts: Bool
    private(set) var attempts = 0

    /// The attributions of the messages.
    private var known: [StoredAttribution] = []

    /// The models of the messages, some of them repeatedly.
    private var models: [String?] = []

    /// The messages that another attempt must record.
    var open: [Int] { messages.indices.filter { outcomes[$0] == nil } }

    private let bounds: Bounds

    /// Unless it `storesTexts`, the digests of texts are recorded.
    init(_ messages: [UsageRecord], within bounds: Bounds = Bounds(), storesTexts: Bool) {
        self.messages = messages
        self.bounds = bounds
        self.storesTexts = storesTexts
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

    /// Finds the numbers of the attributions of open messages.
    ///
    /// Cached numbers are for the first attempt only.
    mutating func attribute(_ attributions: Attributions, _ connection: Connection) throws {
        let indices = open.filter { !messages[$0].isPlain }
        for index in indices { messages[index].attributionID = nil }
        known = []
        models = [nil]
        try attribute(indices, attributions, connection, .none)
    }

    /// Creates the attributions that open messages still lack, and refuses the messages whose
    /// attribution may not be created.
    mutating func createAttributions(
        _ attributions: Attributions, _ connection: Connection
    ) throws {
        try attribute(unknown, attributions, connection, .short)
    }

    private mutating func attribute(
        _ indices: [Int], _ attributions: Attributions, _ connection: Connection,
        _ creation: Attributions.Creation
    ) throws {
        var wanted = DistinctAttributions()
        let keys = indices.compactMap { index in
            wanted.key(of: messages[index].attribution).map { (index, Int($0)) }
        }
        guard !keys.isEmpty else { return }
        let stored = try attributions.stored(
            wanted.all, connection, creation, isOutdated: attempts > 0)
        known += stored.compactMap(\.self)
        models += wanted.all.map(\.model)
        for (index, key) in keys {
            messages[index].attributionID = stored[key]?.id
            if stored[key] == nil, creation != .none {
                outcomes[index] = .refused(.tooManyAttributions)
            }
        }
    }

    /// The open messages whose attribution has no number.
    private var unknown: [Int] {
        open.filter { messages[$0].attributionID == nil && messages[$0].hasAttribution }
    }

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
                    connection, "advance_ids", RecordingStatements.advance, [String(jump)])
            }
        }
        try insert(rest, connection, RecordingStatements.one, RecordingStatements.many)
        try compare(open, connection)
        try refuse(open, connection)
    }

    /// Compares or refuses the open messages whose attribution has no number: a retry, also of a closed
    /// record, must not create it, which would bring the id of an erased user back.
    mutating func compareUnknown(_ connection: Connection) throws {
        try compare(unknown, connection)
        try refuse(unknown, connection)
    }

    /// Records new messages; leaves those open that are already recorded, cannot be priced, or whose
    /// attribution has no number yet.
    ///
    /// The messages belong to different clients, so each may be recorded without the others.
    mutating func attemptTogether(_ connection: Connection) throws {
        let rest = open.filter {
            messages[$0].attributionID != nil || !messages[$0].hasAttribution
        }
        try insert(
            rest, connection, RecordingStatements.oneTogether, RecordingStatements.manyTogether)
    }

    private mutating func insert(
        _ rest: [Int], _ connection: Connection,
        _ one: RecordingStatements.Choice<RecordingStatements>,
        _ many: RecordingStatements.Choice<RecordingStatements>
    ) throws {
        let created = RecordingStatements.created.record
        let isPlain = rest.allSatisfy { messages[$0].isPlain }
        guard let index = rest.first else { return }
        if rest.count == 1 {
            let reader = try QueryReader(
                connection, "insert", one[isPlain: isPlain].insert(storesTexts: storesTexts),
                messages[index].parameters(isPlain: isPlain) + knownParameters(isPlain))
            guard try reader.next() else { return }
            reader.read(created, into: &messages[index])
            outcomes[index] = .created(messages[index])
            return
        }
        let rows = try identified(rest, connection, isPlain: isPlain)
        let items = rows.map { row in
            var message = messages[row.index]
            message.messageID = row.id
            return message
        }
        let reader = try QueryReader(
            connection, "insert", many[isPlain: isPlain].insert(storesTexts: storesTexts),
            items.parameters(isPlain: isPlain) + pricingParameters(isPlain))
        var place = 0
        while try reader.next() {
            let id = reader[created].messageID
            // In the order of insertion; some may have been skipped.
            guard let next = items[place...].firstIndex(where: { $0.messageID == id })
            else { continue }
            place = next
            var record = items[place]
            reader.read(created, into: &record)
            outcomes[rows[place].index] = .created(record)
        }
    }

    /// The parameters that list the attributions of messages that are not plain.
    private func knownParameters(_ isPlain: Bool) -> [Parameter] {
        isPlain ? [] : [.array(known.map(\.id)), .array(bytes: known.map(\.digest))]
    }

    /// The same, and the models, for statements that price many messages.
    private func pricingParameters(_ isPlain: Bool) -> [Parameter] {
        isPlain ? [] : knownParameters(isPlain) + [.array(models)]
    }

    /// Compares messages with the records under their ids, if any.
    private mutating func compare(_ candidates: [Int], _ connection: Connection) throws {
        let indices = candidates.filter {
            messages[$0].messageID != nil || messages[$0].externalID != nil
        }
        guard !indices.isEmpty else { return }
        let items = indices.map { index in
            var message = messages[index]
            // Differs from all numbers, and from none.
            if message.hasAttribution, message.attributionID == nil { message.attributionID = 0 }
            return message
        }
        let isPlain = items.isPlain
        let statement = RecordingStatements.compare[isPlain: isPlain]
        let reader = try QueryReader(
            connection, "compare", statement.text,
            items.parameters(isPlain: isPlain) + knownParameters(isPlain))
        while try reader.next() {
            let index = indices[Int(reader[statement.number]) - 1]
            let names = reader.names(statement.comparison, of: messages[index])
            let attributed = reader[statement.comparison.attribution]
            if let refusal = reader[statement.closed].flatMap(MessageRefusal.init(rawValue:)) {
                outcomes[index] = .refused(refusal)
            } else if reader[statement.isOther], !bounds.contain(attributed) {
                let isNamed = reader[statement.recorded].messageID == messages[index].messageID
                outcomes[index] = .taken(isNamed ? .messageID : .externalID)
            } else if !names.isEmpty {
                outcomes[index] = .conflict(names)
            } else {
                reader.read(statement.recorded, into: &messages[index])
                outcomes[index] = .duplicate(messages[index])
            }
        }
    }

    /// Marks messages as refused, with their reasons.
    private mutating func refuse(_ indices: [Int], _ connection: Connection) throws {
        guard !indices.isEmpty else { return }
        let isPlain = indices.allSatisfy { messages[$0].isPlain }
        let statement = RecordingStatements.refused[isPlain: isPlain]
        let reader = try QueryReader(
            connection, "refuse", statement.text,
            indices.map { messages[$0] }.parameters(isPlain: isPlain)
                + pricingParameters(isPlain))
        while try reader.next() {
            outcomes[indices[Int(reader[statement.number]) - 1]] = .refused(
                MessageRefusal(rawValue: reader[statement.refusal]) ?? .unpriced)
        }
    }
}
