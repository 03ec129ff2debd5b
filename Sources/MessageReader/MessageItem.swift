public import Encoding
public import Usage

/// One item of a body or a file: its message, or all of its faults.
public struct MessageItem {
    /// The members that could be read, even if the message has faults.
    public var record = UsageRecord()

    /// The faults.
    public private(set) var faults: [MessageFault] = []

    /// The message; nil if it has faults.
    public var message: UsageRecord? { faults.isEmpty ? record : nil }

    /// Makes an item that cannot be parsed.
    public init(_ fault: MessageFault) { faults = [fault] }

    /// Fills in what the message lacks of `bounds`; what differs is a fault.
    public mutating func stamp(_ bounds: Bounds) { faults += bounds.stamp(&record) }

    /// Reads `item`; the database decides whether its timestamp is in range.
    public init(_ item: JSONItem, _ form: MessageForm) {
        switch item {
        case .malformed(let reason):
            faults = [MessageFault("", .malformed, "Invalid JSON: \(reason).")]
        case .other: faults = [MessageFault("", .notAnObject, "A message must be a JSON object.")]
        case .object(let members):
            var reader = MemberReader(members)
            reader.refusesPseudonyms = form.refusesPseudonyms
            reader.read(form, into: &record)
            faults = reader.faults
        }
    }
}

extension MemberReader {
    /// Reads all members, and reports their faults: names first, then values in the order of the
    /// columns, then what is missing.
    fileprivate mutating func read(_ form: MessageForm, into record: inout UsageRecord) {
        // One bit for each column.
        var (seen, present) = (0, 0)
        var repeated = 0
        var unknown: Set<String> = []
        var next = 0
        for member in members.all {
            guard let index = form.index(of: member.name, from: next) else {
                unknown.insert(member.name)
                continue
            }
            next = index + 1
            let bit = 1 << index
            guard seen & bit == 0 else {
                repeated |= bit
                continue
            }
            seen |= bit
            if case .null = member.value { continue }
            present |= bit
            read(form.columns[index], member.value, into: &record)
        }
        if faults.count > 1 { faults = form.sorted(faults) }
        if repeated != 0 || !unknown.isEmpty {
            refuse(repeated: form.names(repeated), unknown: unknown, form.allowedList)
        }
        if refuseCut() { return }
        if faults.isEmpty { compare(record) }
        require(form, present)
    }

    /// Reports the missing members of a form, of which those of `present` have a value.
    private mutating func require(_ form: MessageForm, _ present: Int) {
        let missing = form.requiredBits & ~present
        if missing != 0 {
            for name in form.names(missing) { fault(name, .missing, "\(name) is missing.") }
        }
        if present & form.measureBits == 0 {
            fault(
                UsageRecord.Column.text.name, .missing,
                "message_text, input_tokens or output_tokens is required.")
        }
    }

    /// Reads the value of `column`, and reports its faults.
    private mutating func read(
        _ column: UsageRecord.Column, _ value: JSONValue, into record: inout UsageRecord
    ) {
        switch column.kind {
        case .integer(let place):
            guard let number = integer(column.name, value) else { return }
            if let range = column.range, !range.contains(number) {
                return fault(
                    column.name, .outOfRange,
                    "\(column.name) must be from \(range.lowerBound) to \(range.upperBound).")
            }
            place.set(&record, number)
        case .timestamp(let place): place.set(&record, timestamp(column.name, value))
        case .text(let place, _):
            let text = string(
                column.name, value, column == .text ? "a string" : "a string, or be omitted")
            guard let text else { return }
            let found = column.faults(text)
            if column == .userID { refusePseudonym(column.name, text, at: column.name) }
            if found.isEmpty { place.set(&record, text) } else { faults += found }
        case .credits(let place):
            place.set(&record, credits(column.name, value, least: .min, "a"))
        case .flag(let place): place.set(&record, flag(column.name, value))
        case .tags(let place): place.set(&record, tags(column.name, value))
        }
    }
}

/// The source of a message, which determines its required and allowed members.
public struct MessageForm: Sendable {
    /// The allowed columns, in order.
    public let columns: [UsageRecord.Column]

    /// The names of these columns.
    public let allowed: [String]

    /// The lengths of these names in UTF-8.
    private let lengths: [Int]

    /// The names of the required columns.
    public let required: [String]

    /// The allowed names as text, for faults.
    let allowedList: String

    /// The required columns, one bit for each column.
    let requiredBits: Int

    /// The columns of which a message needs one.
    let measureBits: Int

    /// Whether nobody may be called as an erased user is.
    let refusesPseudonyms: Bool

    /// A request.
    public static let request = MessageForm(.request)

    /// A file to be imported, such as an export.
    ///
    /// Its required members ensure that importing it again records nothing twice.
    public static let file = MessageForm(.file)

    private init(_ form: UsageRecord.Form) {
        let columns = UsageRecord.Column.columns(of: form)
        func bits(_ isIncluded: (UsageRecord.Column) -> Bool) -> Int {
            columns.indices.reduce(0) { $0 | (isIncluded(columns[$1]) ? 1 << $1 : 0) }
        }
        self.columns = columns
        refusesPseudonyms = form == .request
        allowed = columns.map(\.name)
        lengths = columns.map(\.name.utf8.count)
        required = columns.filter { $0.required.contains(form) }.map(\.name)
        allowedList = allowed.joined(separator: ", ")
        requiredBits = bits { $0.required.contains(form) }
        measureBits = bits { UsageRecord.Column.measures.contains($0) }
    }

    /// The index of the column of that name; the search begins with column `start`, because most
    /// senders write members in the order of the columns.
    func index(of name: String, from start: Int) -> Int? {
        let length = name.utf8.count
        var index = start
        for _ in lengths {
            if index == lengths.count { index = 0 }
            if lengths[index] == length, allowed[index] == name { return index }
            index += 1
        }
        return nil
    }

    /// The names of columns, of which each has a bit in `bits`.
    func names(_ bits: Int) -> [String] {
        allowed.indices.filter { bits & 1 << $0 != 0 }.map { allowed[$0] }
    }

    /// `faults` in the order of the columns.
    func sorted(_ faults: [MessageFault]) -> [MessageFault] {
        allowed.flatMap { name in faults.filter { $0.name == name } }
    }
}
