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

/// The limits of a message's values, from every source; the table has the same constraints.
extension NewMessage {
    /// The most bytes that a text may have; constraint `usage_record_message_text_check`.
    public static let textLimitBytes = 8 << 20

    /// The most characters that a report name may have; constraint `usage_record_report_name_check`.
    public static let reportNameLimit = 500

    /// What is wrong with a report name.
    public static func faults(reportName: String) -> [MessageFault] {
        var faults: [MessageFault] = []
        if !(1...reportNameLimit).contains(reportName.unicodeScalars.count) {
            faults.append(
                MessageFault(
                    "report_name", .malformed,
                    "report_name must have 1 to \(reportNameLimit) characters."))
        }
        return faults + nulFaults("report_name", reportName)
    }

    /// What is wrong with a text.
    public static func faults(text: String) -> [MessageFault] {
        guard text.utf8.count <= textLimitBytes else {
            return [
                MessageFault(
                    "message_text", .outOfRange, "message_text must have at most 8 MiB.")
            ]
        }
        return nulFaults("message_text", text)
    }

    private static func nulFaults(_ name: String, _ text: String) -> [MessageFault] {
        let holdsNUL = text.utf8.withContiguousStorageIfAvailable { $0.contains(0) }
        guard holdsNUL ?? text.utf8.contains(0) else { return [] }
        return [
            MessageFault(
                name, .malformed,
                "\(name) holds a NUL character (U+0000), which PostgreSQL cannot store.")
        ]
    }
}
