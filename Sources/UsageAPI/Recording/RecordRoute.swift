import Encoding
import HTTP
import MessageReader
import Usage
import UsageStore

/// `POST /usage`: records one or many messages; acknowledged messages are durable.
func record(_ request: Request, _ principal: Principal, _ service: Service) throws -> Response {
    try request.refuseParameters()
    var body = try MessageBody(request, within: principal.bounds)
    try body.name(request.idempotencyKey, of: principal)
    let outcomes = try service.store.record(
        body.items.compactMap(\.message), within: principal.bounds)
    let counts = BatchCounts(body.items, outcomes)
    service.metrics.add(counts)
    if body.isSingle, let item = body.items.first {
        return try single(item, outcomes.first, request)
    }
    return batch(body.items, outcomes, counts)
}

private func single(
    _ item: MessageItem, _ outcome: RecordingOutcome?, _ request: Request
) throws(Problem) -> Response {
    switch outcome {
    case .created(let record): return .created(record, request)
    case .duplicate(let record): return .duplicate(record)
    case .conflict(let names):
        let conflict = item.record.conflict(names)
        throw Problem(
            .conflict, "This \(conflict.id.name) \(conflict.reason)",
            faults: conflict.faults.map(Problem.Fault.init))
    case .taken(let id):
        throw Problem(
            .conflict, "This \(id.name) already belongs to another message.",
            faults: [id.faultOfTaken])
    case .refused(let refusal):
        throw Problem(
            .unprocessableContent, "The message cannot be recorded.", faults: [refusal.fault])
    case nil:
        throw Problem(
            .unprocessableContent, "The message cannot be recorded.", faults: item.problemFaults)
    }
}

extension Response {
    /// A 201 with a new record and its path.
    static func created(_ record: UsageRecord, _ request: Request) -> Response {
        var json = JSONWriter()
        json.object { $0.members(of: record) }
        let location = "\(request.pathPrefix)/usage/\(record.value(in: .messageID) ?? "")"
        return .json(json, .created, [("Location", location)])
    }

    /// A 200 with a record that existed.
    static func duplicate(_ record: UsageRecord) -> Response {
        var json = JSONWriter()
        json.object { json in
            json.members(of: record)
            json.member("status", "duplicate")
        }
        return .json(json)
    }
}

extension UsageRecord.Column {
    /// The fault of an id under which a record outside of the key's bounds is recorded.
    fileprivate var faultOfTaken: Problem.Fault {
        Problem.Fault(
            in: "body", name: name, code: .conflict,
            message: "The \(name) already belongs to another message.")
    }
}

extension MessageRefusal {
    /// The fault that the API reports.
    var fault: Problem.Fault {
        let (name, code, message): (String, Problem.Code, String) =
            switch self {
            case .unpriced:
                ("timestamp", .unpriced, "The price list has no rate for this timestamp.")
            case .outOfRange: ("timestamp", .outOfRange, reason + ".")
            case .inTheFuture: ("timestamp", .inTheFuture, reason + ".")
            case .closed: ("timestamp", .closed, reason.sentence)
            case .closedMessageID: ("message_id", .closed, reason.sentence)
            case .closedExternalID: ("external_id", .closed, reason.sentence)
            case .creditsOutOfRange: ("", .outOfRange, reason + ".")
            case .tooManyAttributions:
                ("", .tooMany, reason.sentence)
            case .closedOriginal: ("corrects", .closed, reason.sentence)
            case .wrongCorrection: ("corrects", .outOfRange, reason.sentence)
            }
        return Problem.Fault(in: "body", name: name, code: code, message: message)
    }
}

extension String {
    /// The text with a capital letter and a full stop.
    fileprivate var sentence: String { prefix(1).uppercased() + dropFirst() + "." }
}

extension MessageItem {
    /// The faults as the API reports them.
    var problemFaults: [Problem.Fault] { faults.map(Problem.Fault.init) }
}

extension Problem.Fault {
    init(_ fault: MessageFault) {
        // The codes are the same; a test compares them.
        self.init(
            in: "body", name: fault.name,
            code: .init(rawValue: fault.code.rawValue) ?? .malformed, message: fault.message)
    }
}

/// The response to a list: the number of each outcome, then the outcome of each message.
private func batch(
    _ items: [MessageItem], _ outcomes: [RecordingOutcome], _ counts: BatchCounts
) -> Response {
    var rest = outcomes[...]
    var json = JSONWriter()
    json.object { json in
        json.member("created", literal: String(counts.created))
        json.member("duplicates", literal: String(counts.duplicates))
        json.member("conflicts", literal: String(counts.conflicts))
        json.member("invalid", literal: String(counts.invalid))
        json.name("results")
        json.array { json in
            for (index, item) in items.enumerated() {
                let outcome = item.message == nil ? nil : rest.popFirst()
                json.object { $0.members(ofResult: index, item, outcome) }
            }
        }
    }
    return .json(json)
}

extension JSONWriter {
    /// Writes the members of a record, in the order of the contract.
    mutating func members(of record: UsageRecord) {
        for column in UsageRecord.Column.shown { member(column, of: record) }
    }

    private mutating func member(_ column: UsageRecord.Column, of record: UsageRecord) {
        member(column.name, record.value(in: column), isQuoted: column.kind.isQuoted)
    }

    fileprivate mutating func members(
        ofResult index: Int, _ item: MessageItem, _ outcome: RecordingOutcome?
    ) {
        member("index", literal: String(index))
        switch outcome {
        case .created(let record): members("created", record)
        case .duplicate(let record): members("duplicate", record)
        case .conflict(let names):
            let faults = item.record.conflict(names).faults
            members("conflict", item, faults.map(Problem.Fault.init))
        case .taken(let id): members("conflict", item, [id.faultOfTaken])
        case .refused(let refusal): members("invalid", item, [refusal.fault])
        case nil: members("invalid", item, item.problemFaults)
        }
    }

    private mutating func members(
        _ status: String, _ item: MessageItem, _ faults: [Problem.Fault]
    ) {
        member(.messageID, of: item.record)
        member(.externalID, of: item.record)
        member("status", status)
        errors(faults)
    }

    private mutating func members(_ status: String, _ record: UsageRecord) {
        member(.messageID, of: record)
        member(.externalID, of: record)
        member("status", status)
        member(.creditsUsed, of: record)
    }
}

/// The number of messages of one request by outcome.
struct BatchCounts {
    private(set) var created = 0
    private(set) var createdHundredths = 0
    private(set) var duplicates = 0
    private(set) var conflicts = 0
    private(set) var invalid = 0

    /// Counts the outcomes; an item without a valid message has none.
    init(_ items: [MessageItem], _ outcomes: [RecordingOutcome]) {
        invalid = items.count { $0.message == nil }
        for outcome in outcomes {
            switch outcome {
            case .created(let record):
                created += 1
                createdHundredths += Int(record.creditsUsed?.hundredths ?? 0)
            case .duplicate: duplicates += 1
            case .conflict, .taken: conflicts += 1
            case .refused: invalid += 1
            }
        }
    }
}
