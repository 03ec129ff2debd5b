import Usage

/// The values of a message as a file has them, before they are checked.
struct MessageFields {
    let messageID: Int64
    let timestamp: String
    let reportName: String?
    let text: String
    let creditsUsed: String?
}

extension Message {
    /// Checks the fields; throws what is wrong with the first that is wrong.
    init(fields: MessageFields) throws(MessageFault) {
        guard let timestamp = Timestamp(fields.timestamp) else {
            throw MessageFault("timestamp is not RFC 3339 with an offset, years 0001 to 9999")
        }
        let credits = fields.creditsUsed.map { Credits($0) }
        if let credits, credits == nil {
            throw MessageFault("credits_used is not a number with at most two decimals")
        }
        try self.init(
            messageID: fields.messageID, timestamp: timestamp, reportName: fields.reportName,
            text: fields.text, creditsUsed: credits ?? nil)
    }
}
