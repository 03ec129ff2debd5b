/// A message as it is recorded: what the assistant handled, and which report it produced.
public struct Message: Hashable, Sendable {
    /// The id that makes recording it a second time safe.
    public let messageID: Int64

    /// When it was handled.
    public let timestamp: Timestamp

    /// The report it produced; nil for an ordinary message.
    public let reportName: String?

    /// Its text, whose length is what it costs.
    public let text: String

    /// The credits that its source says it used, to be compared with ours; nil where it does not.
    public let creditsUsed: Credits?

    /// The most bytes that a text may have; constraint `usage_record_message_text_check`.
    public static let textLimitBytes = 8 << 20

    /// The most characters that a report name may have; constraint `usage_record_report_name_check`.
    public static let reportNameLimit = 500

    /// Checks the values against what the table allows; throws the fault.
    public init(
        messageID: Int64, timestamp: Timestamp, reportName: String?, text: String,
        creditsUsed: Credits?
    ) throws(MessageFault) {
        if let reportName {
            guard !reportName.isEmpty else {
                throw MessageFault("report_name is empty; leave it out instead")
            }
            guard reportName.unicodeScalars.count <= Self.reportNameLimit else {
                throw MessageFault("report_name has more than \(Self.reportNameLimit) characters")
            }
            guard !reportName.utf8.contains(0) else {
                throw MessageFault("report_name contains NUL")
            }
        }
        guard text.utf8.count <= Self.textLimitBytes else {
            throw MessageFault("message_text is longer than 8 MiB")
        }
        guard !text.utf8.contains(0) else { throw MessageFault("message_text contains NUL") }
        self.messageID = messageID
        self.timestamp = timestamp
        self.reportName = reportName
        self.text = text
        self.creditsUsed = creditsUsed
    }
}

/// Why something is no message, in words for whoever sent it.
public struct MessageFault: Error, Equatable, CustomStringConvertible {
    /// A sentence without a full stop.
    public let description: String

    /// Makes a fault of that description.
    public init(_ description: String) { self.description = description }
}
