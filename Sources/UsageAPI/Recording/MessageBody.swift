import Encoding
package import HTTP
package import MessageReader
package import Usage

/// The messages of a request body, a JSON value or NDJSON.
package struct MessageBody {
    /// The messages, valid and invalid, in order.
    package internal(set) var items: [MessageItem]

    /// Whether the body is a single message instead of a list.
    let isSingle: Bool

    private static let itemLimit = 10_000

    /// Reads and parses the body, and stamps the messages with `bounds`; throws a 400, 413 or 415.
    package init(_ request: Request, within bounds: Bounds) throws {
        let isLines = try Self.isLines(request)
        let content = try Self.items(try request.body(), isLines: isLines) { item in
            var item = MessageItem(item, .request)
            if !bounds.isEmpty { item.stamp(bounds) }
            return item
        }
        switch content {
        case .single(let item):
            items = [item]
            isSingle = true
        case .many(let many):
            items = many
            isSingle = false
        }
    }

    /// Whether the body is NDJSON and not JSON; throws a 415.
    static func isLines(_ request: Request) throws(Problem) -> Bool {
        let encoding = request.contentEncoding?.lowercased() ?? "identity"
        guard encoding == "identity" else {
            throw unsupported("Content-Encoding", "The body must not be compressed.")
        }
        let type = request.contentType ?? "application/json"
        let parts = type.lowercased().split(separator: ";", omittingEmptySubsequences: false)
            .map { part in String(part.filter { !$0.isWhitespace && $0 != "\"" }) }
        for part in parts.dropFirst() where part.hasPrefix("charset=") {
            guard ["charset=utf-8", "charset=utf8", "charset=us-ascii"].contains(part) else {
                throw unsupported(
                    "Content-Type",
                    "The body must be UTF-8; omit charset or send charset=utf-8.")
            }
        }
        switch parts.first {
        case "application/json": return false
        case "application/x-ndjson": return true
        default:
            throw unsupported(
                "Content-Type", "The body must be application/json or application/x-ndjson.")
        }
    }

    private static func unsupported(_ name: String, _ message: String) -> Problem {
        Problem(
            .unsupportedMediaType, message,
            faults: [Problem.Fault(in: "header", name: name, code: .unsupported, message: message)]
        )
    }

    /// The items of a body; throws a 400 or 413.
    static func items<Item>(
        _ body: consuming [UInt8], isLines: Bool, _ item: (JSONItem) -> Item
    ) throws -> JSONItems<Item> {
        do {
            return isLines
                ? try JSONItems(lines: body, limit: itemLimit, item)
                : try JSONItems(json: body, limit: itemLimit, item)
        } catch let fault as JSONFault {
            let name = fault.index.map { "[\($0)]" } ?? ""
            throw Problem(
                .badRequest, "The body is not valid JSON.",
                faults: [
                    Problem.Fault(
                        in: "body", name: name, code: .malformed,
                        message: "Near byte \(fault.offset): \(fault.reason).")
                ])
        } catch is TooManyItems {
            throw Problem(
                .contentTooLarge,
                "A request may contain at most \(itemLimit) messages.")
        }
    }
}

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
        guard let item = items.first, item.record.externalID == nil else { return }
        items[0].record.externalID = try Self.externalID(field, of: principal)
    }

    /// The external id that the field stands for; throws a 400.
    static func externalID(_ field: String, of principal: Principal) throws(Problem) -> String? {
        guard case .key(let keyID, _) = principal.identity else { return nil }
        return "\(keyID):\(try value(of: field))"
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
