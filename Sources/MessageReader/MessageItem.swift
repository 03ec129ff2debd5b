public import Encoding
public import Usage

/// One item of a body or a file: its message, or all of its faults.
public struct MessageItem {
    /// The members that could be read, even if the message has faults.
    public private(set) var record = UsageRecord()

    /// The faults.
    public private(set) var faults: [MessageFault] = []

    /// The message; nil if it has faults.
    public var message: UsageRecord? { faults.isEmpty ? record : nil }

    /// Makes an item that cannot be parsed.
    public init(_ fault: MessageFault) { faults = [fault] }

    /// Reads `item`; the database decides whether its timestamp is in range.
    public init(_ item: JSONItem, _ form: MessageForm) {
        switch item {
        case .malformed(let reason):
            faults = [MessageFault("", .malformed, "Invalid JSON: \(reason).")]
        case .other: faults = [MessageFault("", .notAnObject, "A message must be a JSON object.")]
        case .object(let members):
            var reader = MemberReader(members)
            for column in form.columns { reader.read(column, into: &record) }
            reader.refuseNames(allowed: form.allowed, form.allowedList)
            if (record.tokenCount == nil) != (record.tokenizer == nil), reader.faults.isEmpty {
                reader.fault(
                    "token_count", .malformed, "token_count and tokenizer must be given together.")
            }
            reader.require(form.required)
            faults = reader.faults
        }
    }
}

extension MemberReader {
    /// Reads the value of `column`, and reports its faults.
    fileprivate mutating func read(_ column: UsageRecord.Column, into record: inout UsageRecord) {
        switch column.kind {
        case .integer(let place): place.set(&record, integer(column.name))
        case .timestamp(let place): place.set(&record, timestamp(column.name))
        case .text(let place, _):
            let text = string(
                column.name, column.isOptional ? "a string, or be omitted" : "a string")
            if let text { faults += column.faults(text) }
            place.set(&record, text)
        case .credits(let place): place.set(&record, credits(column.name))
        case .flag(let place): place.set(&record, flag(column.name))
        case .tags: preconditionFailure("\(column.name): messages have no tags yet")
        }
    }
}

/// The source of a message, which determines its required and allowed members.
public struct MessageForm: Sendable {
    /// The allowed columns, in order.
    public let columns: [UsageRecord.Column]

    /// The names of these columns.
    public let allowed: [String]

    /// The names of the required columns.
    public let required: [String]

    /// The allowed names as text, for faults.
    let allowedList: String

    /// A request.
    public static let request = MessageForm(.request)

    /// A file to be imported, such as an export.
    ///
    /// Its required members ensure that importing it again records nothing twice.
    public static let file = MessageForm(.file)

    private init(_ form: UsageRecord.Form) {
        columns = UsageRecord.Column.columns(of: form)
        allowed = columns.map(\.name)
        required = columns.filter { $0.required.contains(form) }.map(\.name)
        allowedList = allowed.joined(separator: ", ")
    }
}
