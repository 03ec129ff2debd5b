/// A JSON value as a member of an object; what arrays and objects hold is not looked at.
public enum JSONValue: Equatable, Sendable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number without fraction and exponent.
    case integer(Int64)
    /// Any other number.
    case real(Double)
    /// A string, which may hold NUL.
    case string(String)
    /// An array.
    case array
    /// An object.
    case object
}

/// One item of a body that can hold many.
public enum JSONItem: Equatable, Sendable {
    /// An object's members in no certain order, no name twice.
    case object([String: JSONValue])
    /// Something else than an object.
    case other
    /// An object in which a name stands twice.
    case duplicateMember
    /// A value with an integer that 64 bits cannot hold.
    case hugeInteger
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
