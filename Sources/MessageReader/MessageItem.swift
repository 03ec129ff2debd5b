public import JSON
public import Usage

/// One item of a body or a file: what can be recorded of it, or everything that is wrong with it.
///
/// `null` is the same as an absent member.
public struct MessageItem {
    /// The message; nil when something is wrong.
    public private(set) var message: NewMessage?

    /// The id, also of a message that is wrong otherwise.
    public private(set) var messageID: Int64?

    /// What a file says of the message's price.
    public private(set) var account = ExportedAccount()

    /// What is wrong.
    public private(set) var faults: [MessageFault] = []

    /// The most unknown members that are named.
    private static let unknownLimit = 10

    /// Makes an item that is wrong before it is read.
    public init(_ fault: MessageFault) { faults = [fault] }

    /// Reads `item`; whether its time may be recorded, the database decides.
    public init(_ item: JSONItem, _ form: MessageForm) {
        switch item {
        case .malformed(let reason): fault("", .malformed, "This is not JSON: \(reason).")
        case .other: fault("", .notAnObject, "A message must be a JSON object.")
        case .object(let members): read(members, form)
        }
    }

    private mutating func read(_ members: JSONMembers, _ form: MessageForm) {
        refuseNames(members, form)
        messageID = integer("message_id", members)
        let timestamp = timestamp(members)
        let reportName = reportName(members)
        let text = text(members)
        if form == .file { account = account(members) }
        if members.isCut {
            refuseRest()
        } else {
            refuseMissing(members, form)
        }
        guard faults.isEmpty, let text else { return }
        message = NewMessage(
            messageID: messageID, timestamp: timestamp, reportName: reportName, text: text)
    }

    mutating func fault(_ name: String, _ code: MessageFault.Code, _ message: String) {
        faults.append(MessageFault(name, code, message))
    }

    private mutating func refuseNames(_ members: JSONMembers, _ form: MessageForm) {
        let known = form.allowed.count { members.holds($0) }
        guard members.count != known else { return }
        let names = members.names
        for name in form.allowed where names.count(where: { $0 == name }) > 1 {
            fault(name, .duplicateMember, "\(name) is in the message more than once.")
        }
        for name in Set(names).subtracting(form.allowed).sorted().prefix(Self.unknownLimit) {
            fault(name, .unknown, "Unknown field \"\(name)\"; allowed: \(form.allowedList).")
        }
    }

    /// What is missing may be among the members that were not looked at.
    private mutating func refuseRest() {
        guard faults.isEmpty else { return }
        fault("", .malformed, "A message must not have such long numbers or so many levels.")
    }

    private mutating func refuseMissing(_ members: JSONMembers, _ form: MessageForm) {
        for name in form == .file ? MessageForm.requiredInFile : ["message_text"]
        where members[name] == nil {
            fault(name, .missing, "\(name) is missing.")
        }
    }

    /// The integer of that name, which may be absent.
    mutating func integer(_ name: String, _ members: JSONMembers) -> Int64? {
        guard let value = members[name] else { return nil }
        if case .number(let number) = value {
            switch number.integer() {
            case .exact(let integer): return integer
            case .outOfRange:
                fault(name, .outOfRange, "\(name) must fit into 64 bits.")
                return nil
            case .fraction: break
            }
        }
        fault(name, .wrongType, "\(name) must be an integer.")
        return nil
    }

    /// The string of that name, which may be absent; `expected` says what it must be.
    mutating func string(
        _ name: String, _ members: JSONMembers, _ expected: String
    ) -> String? {
        switch members[name] {
        case nil: return nil
        case .string(let text): return text
        case .brokenString:
            fault(
                name, .malformed,
                "\(name) has half of a surrogate pair, such as \\ud83d alone; send both halves.")
        default: fault(name, .wrongType, "\(name) must be \(expected).")
        }
        return nil
    }

    private mutating func timestamp(_ members: JSONMembers) -> Timestamp? {
        let expected = "a string: RFC 3339 with an offset"
        guard let text = string("timestamp", members, expected) else { return nil }
        guard let timestamp = Timestamp(text) else {
            fault(
                "timestamp", .malformed,
                "timestamp must be RFC 3339 with an offset, such as 2024-01-15T14:30:00Z.")
            return nil
        }
        return timestamp
    }

    private mutating func reportName(_ members: JSONMembers) -> String? {
        let name = string("report_name", members, "a string, or be left out")
        if let name { faults += NewMessage.faults(reportName: name) }
        return name
    }

    private mutating func text(_ members: JSONMembers) -> String? {
        let text = string("message_text", members, "a string")
        if let text { faults += NewMessage.faults(text: text) }
        return text
    }
}
