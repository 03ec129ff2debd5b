public import JSON
public import Usage

/// One item of a body or a file: its message, or all of its faults.
public struct MessageItem {
    /// The message; nil when something is wrong.
    public private(set) var message: NewMessage?

    /// The id, even if the message has faults.
    public private(set) var messageID: Int64?

    /// What a file says about the message's price.
    public private(set) var account = ExportedAccount()

    /// What is wrong.
    public private(set) var faults: [MessageFault] = []

    /// Makes an item that cannot be parsed.
    public init(_ fault: MessageFault) { faults = [fault] }

    /// Reads `item`; the database decides whether its timestamp is in range.
    public init(_ item: JSONItem, _ form: MessageForm) {
        switch item {
        case .malformed(let reason):
            faults = [MessageFault("", .malformed, "This is not JSON: \(reason).")]
        case .other: faults = [MessageFault("", .notAnObject, "A message must be a JSON object.")]
        case .object(let members): read(members, form)
        }
    }

    private mutating func read(_ members: JSONMembers, _ form: MessageForm) {
        var reader = MemberReader(members)
        reader.refuseNames(allowed: form.allowed, form.allowedList)
        messageID = reader.integer("message_id")
        let timestamp = reader.timestamp("timestamp")
        let reportName = reader.string("report_name", "a string, or be left out")
        if let reportName { reader.add(NewMessage.faults(reportName: reportName)) }
        let text = reader.string("message_text")
        if let text { reader.add(NewMessage.faults(text: text)) }
        if form == .file { account = ExportedAccount(&reader) }
        reader.require(form.required)
        faults = reader.faults
        guard faults.isEmpty, let text else { return }
        message = NewMessage(
            messageID: messageID, timestamp: timestamp, reportName: reportName, text: text)
    }
}

extension MessageItem {
    /// The message of a file; nil when something is wrong.
    public var recordedMessage: Message? {
        guard let message, let id = message.messageID, let timestamp = message.timestamp else {
            return nil
        }
        return Message(
            messageID: id, timestamp: timestamp, reportName: message.reportName,
            text: message.text, account: account)
    }
}

extension ExportedAccount {
    /// Reads what an export says about the price.
    fileprivate init(_ reader: inout MemberReader) {
        self.init(creditsUsed: reader.credits("credits_used"))
        tokenCount = reader.integer("token_count")
        tokenizer = reader.string("tokenizer")
        rate = reader.integer("rate")
        isEstimated = reader.flag("estimated")
        if (tokenCount == nil) != (tokenizer == nil), reader.faults.isEmpty {
            reader.fault("token_count", .malformed, "token_count and tokenizer must come together.")
        }
    }
}
