import Encoding
import HTTP
import MessageReader
import Usage
import UsageStore

/// `POST /usage/{message_id}/correction`: takes back all or part of the credits of a record.
func correct(_ request: Request, _ principal: Principal, _ service: Service) throws -> Response {
    try request.refuseParameters()
    let messageID = try request.path.dropLast("/correction".count).messageID()
    guard try !MessageBody.isLines(request) else {
        throw Problem(.unsupportedMediaType, "The body must be one JSON object.")
    }
    let key = try request.idempotencyKey.flatMap { field throws(Problem) in
        try MessageBody.externalID(field, of: principal)
    }
    let content = try MessageBody.items(try request.body(), isLines: false) {
        CorrectionItem($0, externalID: key)
    }
    guard case .single(let item) = content else {
        throw Problem(.badRequest, "The body must be one JSON object.")
    }
    guard let correction = item.correction else {
        throw Problem.uncorrected(item.faults.map(Problem.Fault.init))
    }
    let outcome = try service.store.correct(
        messageID, correction, within: principal.bounds.filter)
    return try response(to: outcome, messageID, request)
}

private func response(
    to outcome: CorrectionOutcome, _ messageID: Int64, _ request: Request
) throws(Problem) -> Response {
    switch outcome {
    case .created(let record): return .created(record, request)
    case .duplicate(let record): return .duplicate(record)
    case .unknown: throw Problem(.notFound, "No message has this message_id.")
    case .closed:
        throw Problem.uncorrected([
            .body("message_id", .closed, "The record of message \(messageID) is closed.")
        ])
    case .closedExternalID:
        throw Problem.uncorrected([
            .body("external_id", .closed, "The record with this external_id is closed.")
        ])
    case .outOfRange:
        throw Problem.uncorrected([
            .body("timestamp", .outOfRange, "The record is dated before 2000; omit timestamp.")
        ])
    case .conflict:
        throw Problem(
            .conflict, "This external_id already belongs to another record.",
            faults: [
                .body(
                    "external_id", .conflict,
                    "Another record, or a correction with other members, has this external_id.")
            ])
    case .ofCorrection: throw Problem(.conflict, "A correction cannot be corrected.")
    case .exceeded(let left):
        throw Problem(
            .conflict, "Only \(left) credits of this record are left to be corrected.",
            faults: [
                .body("credits_used", .outOfRange, "credits_used must be at most \(left).")
            ])
    }
}

extension Problem {
    /// A 422 for a correction.
    fileprivate static func uncorrected(_ faults: [Fault]) -> Problem {
        Problem(.unprocessableContent, "The correction cannot be recorded.", faults: faults)
    }
}

extension Problem.Fault {
    fileprivate static func body(
        _ name: String, _ code: Problem.Code, _ message: String
    ) -> Problem.Fault {
        Problem.Fault(in: "body", name: name, code: code, message: message)
    }
}
