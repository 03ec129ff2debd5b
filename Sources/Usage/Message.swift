/// A message that has an id and a time: from a file, or from the database.
public struct Message: Hashable, Sendable {
    /// The id that makes recording it a second time safe.
    public let messageID: Int64

    /// When it was handled.
    public let timestamp: Timestamp

    /// The report it produced; nil for an ordinary message.
    public let reportName: String?

    /// Its text, whose length is what it costs.
    public let text: String

    /// What its source says about its price, to be compared with ours.
    public let account: ExportedAccount

    /// Makes a message of valid values.
    public init(
        messageID: Int64, timestamp: Timestamp, reportName: String?, text: String,
        account: ExportedAccount
    ) {
        self.messageID = messageID
        self.timestamp = timestamp
        self.reportName = reportName
        self.text = text
        self.account = account
    }
}
