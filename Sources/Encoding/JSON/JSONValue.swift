/// A JSON value as a member of an object; what arrays and objects hold is not looked at.
public enum JSONValue: Equatable, Sendable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number.
    case number(JSONNumber)
    /// A string, which may hold NUL.
    case string(String)
    /// A string with half of a surrogate pair, which UTF-8 cannot represent.
    case brokenString
    /// An array.
    case array
    /// An object.
    case object
}

/// The members of an object, in their order; a name may stand in it more than once.
public struct JSONMembers: Sendable {
    private let members: [(name: String, value: JSONValue)]

    /// Whether there are unknown members: those beyond the first 64, or after a number that is too
    /// large or a value with too many levels.
    public let isCut: Bool

    /// Makes the members of an object.
    public init(_ members: [(name: String, value: JSONValue)], isCut: Bool = false) {
        self.members = members
        self.isCut = isCut
    }

    /// How many members are known.
    public var count: Int { members.count }

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
    /// Reads a text that is one value, ignoring a byte order mark before it.
    public init(_ text: consuming [UInt8]) {
        var parser = JSONParser(text)
        self = parser.line()
    }

    /// An object's members.
    case object(JSONMembers)
    /// Another value than an object.
    case other
    /// A line that is not JSON, with the reason; only in formats with one value per line.
    case malformed(String)
}
