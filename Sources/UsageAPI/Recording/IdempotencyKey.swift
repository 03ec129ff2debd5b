import HTTP
import MessageReader
import Usage

extension MessageBody {
    /// Makes `Idempotency-Key` the external id of the message, unless it has one; throws a 400 for a
    /// list, or if the value is not valid.
    ///
    /// The id of the principal's key comes before it, so that two clients never use the same one.
    mutating func name(_ field: String?, of principal: Principal) throws(Problem) {
        guard let field else { return }
        guard isSingle else {
            throw Self.refusal(
                .unsupported,
                "Idempotency-Key is for a single message; give the messages of a "
                    + "list an external_id or a message_id.")
        }
        guard let item = items.first, item.record.externalID == nil,
            case .key(let keyID, _) = principal.identity
        else { return }
        items[0].record.externalID = "\(keyID):\(try Self.value(of: field))"
    }

    /// The value of the field without blanks around it and the quotes of a quoted string.
    private static func value(of field: String) throws(Problem) -> String {
        var value = field.trimmingBlanks[...]
        if value.utf8.count >= 2, value.first == "\"", value.last == "\"" {
            value = value.dropFirst().dropLast()
        }
        let text = String(value)
        let faults = UsageRecord.TextLimit.identifier(200).faults(text, "Idempotency-Key")
        if let fault = faults.first {
            throw refusal(fault.code == .tooLong ? .tooLong : .malformed, fault.message)
        }
        // What was not UTF-8 is U+FFFD now, and might be equal to another value.
        guard !text.unicodeScalars.contains("\u{fffd}") else {
            throw refusal(.malformed, "Idempotency-Key must be UTF-8.")
        }
        return text
    }

    private static func refusal(_ code: Problem.Code, _ message: String) -> Problem {
        Problem(
            .badRequest, "The header Idempotency-Key is not valid here.",
            faults: [
                Problem.Fault(
                    in: "header", name: "Idempotency-Key", code: code, message: message)
            ])
    }
}
