/// A message that is to be recorded, as its sender describes it.
public struct NewMessage: Hashable, Sendable {
    /// The id that makes a retry safe; nil lets the database choose one.
    public let messageID: Int64?

    /// When it was handled; nil for now.
    public let timestamp: Timestamp?

    /// The report it produced.
    public let reportName: String?

    /// Its text.
    public let text: String

    /// Makes a message of values that a message may have.
    public init(messageID: Int64?, timestamp: Timestamp?, reportName: String?, text: String) {
        self.messageID = messageID
        self.timestamp = timestamp
        self.reportName = reportName
        self.text = text
    }
}
