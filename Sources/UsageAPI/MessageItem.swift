import HTTP
import JSON
package import Usage

/// A message in a request body: what can be recorded of it, or everything that is wrong with it.
package struct MessageItem {
    /// The message; nil when something is wrong.
    package private(set) var message: NewMessage?

    /// The id, also of a message that is wrong otherwise.
    private(set) var messageID: Int64?

    /// What is wrong.
    private(set) var faults: [Problem.Fault] = []

    /// The most unknown members that are named.
    private static let unknownLimit = 10

    private static let members = ["message_id", "timestamp", "report_name", "message_text"]

    /// Reads `item`; whether its time may be recorded, the database decides.
    init(_ item: JSONItem) {
        guard case .object(let members) = item else {
            refuse(item)
            return
        }
        refuseNames(members)
        // What is missing may stand among those that were not looked at.
        guard !members.isCut else { return }
        messageID = integer(members["message_id"])
        let timestamp = timestamp(members["timestamp"])
        let reportName = reportName(members["report_name"])
        let text = text(members["message_text"])
        guard faults.isEmpty, let text else { return }
        message = NewMessage(
            messageID: messageID, timestamp: timestamp, reportName: reportName, text: text)
    }

    private mutating func fault(_ name: String, _ code: Problem.Code, _ message: String) {
        faults.append(Problem.Fault(in: "body", name: name, code: code, message: message))
    }

    private mutating func refuse(_ item: JSONItem) {
        if case .malformed(let reason) = item {
            fault("", .malformed, "This is no JSON: \(reason).")
        } else {
            fault("", .notAnObject, "A message must be a JSON object.")
        }
    }

    private mutating func refuseNames(_ members: JSONMembers) {
        let names = members.names
        let known = Self.members.count { members[$0] != nil }
        guard members.count != known else { return }
        for name in Self.members where names.count(where: { $0 == name }) > 1 {
            fault(name, .duplicateMember, "\(name) stands in the message twice.")
        }
        for name in Set(names).subtracting(Self.members).sorted().prefix(Self.unknownLimit) {
            fault(name, .unknown, "A message has no member of this name.")
        }
    }

    private mutating func integer(_ value: JSONValue?) -> Int64? {
        guard let value else { return nil }
        switch value {
        case .integer(let number): return number
        case .hugeInteger:
            fault("message_id", .outOfRange, "message_id does not fit into 64 bits.")
        default: fault("message_id", .wrongType, "message_id must be an integer.")
        }
        return nil
    }

    private mutating func timestamp(_ value: JSONValue?) -> Timestamp? {
        guard let value else { return nil }
        guard case .string(let text) = value else {
            fault("timestamp", .wrongType, "timestamp must be a string: RFC 3339 with an offset.")
            return nil
        }
        guard let timestamp = Timestamp(text) else {
            fault("timestamp", .malformed, "timestamp must be RFC 3339 with an offset.")
            return nil
        }
        return timestamp
    }

    private mutating func reportName(_ value: JSONValue?) -> String? {
        guard let value else { return nil }
        guard case .string(let name) = value else {
            fault("report_name", .wrongType, "report_name must be a string, or be left out.")
            return nil
        }
        if !(1...Message.reportNameLimit).contains(name.unicodeScalars.count) {
            fault("report_name", .malformed, "report_name must have 1 to 500 characters.")
        }
        refuseNUL("report_name", name)
        return name
    }

    private mutating func text(_ value: JSONValue?) -> String? {
        switch value {
        case nil:
            fault("message_text", .missing, "message_text is missing.")
            return nil
        case .string(let text):
            refuseNUL("message_text", text)
            return text
        default:
            fault("message_text", .wrongType, "message_text must be a string.")
            return nil
        }
    }

    private mutating func refuseNUL(_ name: String, _ text: String) {
        let holdsNUL = text.utf8.withContiguousStorageIfAvailable { $0.contains(0) }
        if holdsNUL ?? text.utf8.contains(0) {
            fault(name, .malformed, "\(name) holds a NUL character.")
        }
    }
}
