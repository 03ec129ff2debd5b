/// One fault of a message, described for its sender.
public struct MessageFault: Error, Equatable, Sendable {
    /// A machine-readable code; the HTTP API has the same ones.
    public enum Code: String, CaseIterable, Sendable {
        /// The message has a member twice.
        case duplicateMember = "duplicate_member"
        /// Not in the expected format.
        case malformed
        /// Required, but absent.
        case missing
        /// A JSON value that is not an object.
        case notAnObject = "not_an_object"
        /// Too small, too large or too long.
        case outOfRange = "out_of_range"
        /// A member that is not allowed.
        case unknown
        /// A JSON value of another type.
        case wrongType = "wrong_type"
    }

    /// The member; empty for the message as a whole.
    public let name: String

    /// The kind of fault.
    public let code: Code

    /// A sentence.
    public let message: String

    /// Makes a fault.
    public init(_ name: String, _ code: Code, _ message: String) {
        self.name = name
        self.code = code
        self.message = message
    }
}
