/// A JSON value as a member of an object; what arrays and objects hold is not looked at.
public enum JSONValue: Equatable, Sendable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number without fraction and exponent.
    case integer(Int64)
    /// Such a number that 64 bits cannot hold.
    case hugeInteger
    /// A number with a fraction or an exponent.
    case fraction
    /// A string, which may hold NUL.
    case string(String)
    /// An array.
    case array
    /// An object.
    case object
}

/// The members of an object, in their order; a name may stand in it more than once.
public struct JSONMembers: Sendable {
    private var members: [(name: String, value: JSONValue)] = []

    /// How many members the object has; more than `names` has when there are more than 64.
    public let count: Int

    /// Whether there are members of which nothing is known.
    public var isCut: Bool { count > members.count }

    init(count: Int) { self.count = count }

    mutating func append(_ name: String, _ value: JSONValue) { members.append((name, value)) }

    /// The names of the first 64 members; of a long name the beginning, with an ellipsis.
    public var names: [String] { members.map(\.name) }

    /// The value of the first member of that name.
    public subscript(_ name: String) -> JSONValue? {
        for member in members where member.name == name { return member.value }
        return nil
    }
}

/// One item of a body that can hold many.
public enum JSONItem: Sendable {
    /// An object's members.
    case object(JSONMembers)
    /// Something else than an object.
    case other
    /// A line that is no JSON, with the reason; only where one line cannot spoil the next.
    case malformed(String)
}

/// Why a text is no JSON, and where.
public struct JSONFault: Error, Equatable {
    /// What is wrong, in the parser's words.
    public let reason: String

    /// The offset of the byte at which that was noticed.
    public let offset: Int
}
