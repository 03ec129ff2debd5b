import JSON
public import Usage

extension MessageItem {
    /// Reads what an export says of the price.
    mutating func account(_ members: JSONMembers) -> ExportedAccount {
        var account = ExportedAccount()
        account.creditsUsed = credits("credits_used", members)
        account.tokenCount = integer("token_count", members)
        account.tokenizer = string("tokenizer", members, "a string")
        account.rate = integer("rate", members)
        switch members["estimated"] {
        case nil, .bool(false): break
        case .bool(true): account.isEstimated = true
        default: fault("estimated", .wrongType, "estimated must be true or false.")
        }
        if (account.tokenCount == nil) != (account.tokenizer == nil), faults.isEmpty {
            fault("token_count", .malformed, "token_count and tokenizer must come together.")
        }
        return account
    }

    private mutating func credits(_ name: String, _ members: JSONMembers) -> Credits? {
        guard let value = members[name] else { return nil }
        if case .number(let number) = value,
            case .exact(let hundredths) = number.integer(decimals: 2), hundredths >= 0
        {
            return Credits(hundredths: hundredths)
        }
        fault(
            name, .wrongType,
            "\(name) must be a number from 0 on with at most two decimals, such as 15.60.")
        return nil
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
