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

extension UsageRecord.Column {
    /// The faults of a text for this column, from any source.
    public func faults(_ text: String) -> [MessageFault] {
        guard case .text(_, let limit?) = kind else { return [] }
        var faults: [MessageFault] = []
        switch limit {
        case .characters(let most) where !(1...most).contains(text.unicodeScalars.count):
            faults = [MessageFault(name, .malformed, "\(name) must have 1 to \(most) characters.")]
        case .mebibytes(let most) where text.utf8.count > most << 20:
            return [MessageFault(name, .outOfRange, "\(name) must be at most \(most) MiB.")]
        default: break
        }
        // Looks at all bytes, so that the compiler can compare many at once.
        let holdsNUL = text.utf8.withContiguousStorageIfAvailable { bytes in
            var found: UInt8 = 0
            for byte in bytes { found |= byte == 0 ? 1 : 0 }
            return found != 0
        }
        guard holdsNUL ?? text.utf8.contains(0) else { return faults }
        let reason = "\(name) contains a NUL character (U+0000), which PostgreSQL cannot store."
        return faults + [MessageFault(name, .malformed, reason)]
    }
}
