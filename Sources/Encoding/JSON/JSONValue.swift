/// A JSON value as a member of an object; what arrays hold is not looked at.
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
    /// An object, with its members; theirs are not looked at.
    case object(JSONMembers)
}

/// The members of an object, in their order; a name may stand in it more than once.
public struct JSONMembers: Equatable, Sendable {
    /// The first 64 members, in order; of a long name the beginning, with an ellipsis.
    public private(set) var all: [Member] = []

    /// A member of an object.
    public struct Member: Equatable, Sendable {
        /// Its name.
        public let name: String
        /// Its value.
        public let value: JSONValue
    }

    /// Whether there are unknown members: those beyond the first 64, or after a number that is too
    /// large or a value with too many levels.
    public private(set) var isCut = false

    /// Makes the members of an object that does not come from JSON.
    public init(_ members: [(name: String, value: JSONValue)]) {
        all = members.map { Member(name: $0.name, value: $0.value) }
    }

    init(isCut: Bool, capacity: Int) {
        self.isCut = isCut
        all.reserveCapacity(capacity)
    }

    mutating func append(_ name: String, _ value: JSONValue) {
        all.append(Member(name: name, value: value))
    }

    /// How many members are known.
    public var count: Int { all.count }

    /// The names of the first 64 members; of a long name the beginning, with an ellipsis.
    public var names: [String] { all.map(\.name) }

    /// The value of the first member of that name.
    public subscript(_ name: String) -> JSONValue? {
        for member in all where member.name == name { return member.value }
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
