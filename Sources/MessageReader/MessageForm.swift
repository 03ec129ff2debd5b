/// Where a message comes from, which determines its required and allowed members.
public enum MessageForm: Sendable {
    /// A request.
    case request
    /// A file to be imported; it may come from an export.
    case file

    private static let members = ["message_id", "timestamp", "report_name", "message_text"]

    /// What an export adds.
    private static let accountMembers = [
        "credits_used", "token_count", "tokenizer", "estimated", "rate",
    ]

    /// The members that a file's message must have, so that importing it again records nothing twice.
    public static let requiredInFile = ["message_id", "timestamp", "message_text"]

    /// The members that a file's message may have, in the order of exports.
    public static let allowedInFile = members + accountMembers

    /// The members that a message must have.
    var required: [String] {
        switch self {
        case .request: Self.requiredInRequest
        case .file: Self.requiredInFile
        }
    }

    /// The members that a message may have.
    var allowed: [String] {
        switch self {
        case .request: Self.members
        case .file: Self.allowedInFile
        }
    }

    /// The same names as text, for messages.
    var allowedList: String {
        switch self {
        case .request: Self.requestList
        case .file: Self.fileList
        }
    }

    private static let requiredInRequest = ["message_text"]
    private static let requestList = members.joined(separator: ", ")
    private static let fileList = allowedInFile.joined(separator: ", ")
}
