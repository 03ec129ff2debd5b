public import Usage

/// Where a message comes from, which determines its required and allowed members.
public struct MessageForm: Sendable {
    /// The columns that it may have, in order.
    public let columns: [UsageRecord.Column]

    /// The names of these columns.
    public let allowed: [String]

    /// The names of those that it must have.
    public let required: [String]

    /// The allowed names as text, for messages.
    let allowedList: String

    /// A request.
    public static let request = MessageForm(.request)

    /// A file to be imported; it may come from an export.
    ///
    /// What it requires makes sure that importing it again records nothing twice.
    public static let file = MessageForm(.file)

    private init(_ form: UsageRecord.Form) {
        columns = UsageRecord.Column.columns(of: form)
        allowed = columns.map(\.name)
        required = columns.filter { $0.required.contains(form) }.map(\.name)
        allowedList = allowed.joined(separator: ", ")
    }
}
