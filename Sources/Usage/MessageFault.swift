/// One fault of a message, described for its sender.
public struct MessageFault: Error, Equatable, Sendable {
    /// A machine-readable code; the HTTP API has the same ones.
    public enum Code: String, CaseIterable, Sendable {
        /// Other than in the record with the message's id.
        case conflict
        /// The message has a member twice.
        case duplicateMember = "duplicate_member"
        /// Not in the expected format.
        case malformed
        /// Required, but absent.
        case missing
        /// A JSON value that is not an object.
        case notAnObject = "not_an_object"
        /// Another value than the one to which the key is bound.
        case outOfBounds = "out_of_bounds"
        /// Too small or too large.
        case outOfRange = "out_of_range"
        /// A text that is too long.
        case tooLong = "too_long"
        /// Too many values.
        case tooMany = "too_many"
        /// A member that is not allowed.
        case unknownMember = "unknown_member"
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

extension UsageRecord {
    /// Why this message conflicts with the record under one of its ids, which differs in the members
    /// `names`: the id and a sentence about it, and a fault for each member.
    public func conflict(
        _ names: [String]
    ) -> (id: Column, reason: String, faults: [MessageFault]) {
        let isNamed = messageID != nil && !names.contains(Column.messageID.name)
        let id = isNamed ? Column.messageID : .externalID
        let faults = names.map { name in
            let message =
                switch name {
                case Column.messageID.name:
                    "The external_id is recorded with another message_id."
                case Column.externalID.name:
                    "The message_id is recorded with another external_id, or without one."
                case _ where isAbsent(name):
                    "\(name) is absent, but the recorded message has it."
                default: "\(name) differs from that of the recorded message."
                }
            return MessageFault(name, .conflict, message)
        }
        return (id, "already belongs to another message.", faults)
    }

    private func isAbsent(_ name: String) -> Bool {
        Column.all.contains { $0.name == name && value(in: $0) == nil }
    }
}

extension UsageRecord.Column {
    /// The faults of a text for this column, from any source.
    public func faults(_ text: String) -> [MessageFault] {
        guard case .text(_, let limit?) = kind else { return [] }
        return limit.faults(text, name)
    }
}

extension UsageRecord.TextLimit {
    /// The faults of a text that is named `name`.
    public func faults(_ text: String, _ name: String) -> [MessageFault] {
        switch self {
        case .characters(let most), .identifier(let most):
            // Most texts; counting Unicode scalars takes ten times as long.
            if (1...most).contains(text.utf8.count), Self.isPrintableASCII(text) { return [] }
        default: break
        }
        return otherFaults(text, name)
    }

    private func otherFaults(_ text: String, _ name: String) -> [MessageFault] {
        switch self {
        case .characters(let most):
            let reason = "\(name) must have 1 to \(most) characters."
            return Self.length(text, most, name, reason) + Self.faultOfNUL(text, name)
        case .identifier(let most):
            let reason = "\(name) must have 1 to \(most) characters, without control characters."
            let faults = Self.length(text, most, name, reason)
            let isClean = text.unicodeScalars.allSatisfy { scalar in
                scalar.value >= 0x20 && !(0x7f...0x9f).contains(scalar.value)
            }
            return faults.isEmpty && !isClean ? [MessageFault(name, .malformed, reason)] : faults
        case .digest:
            let isHex = text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x61...0x66).contains($0)
            }
            guard text.utf8.count != 32 || !isHex else { return [] }
            let reason = "\(name) must have 32 digits from 0 to 9 and a to f."
            return [MessageFault(name, .malformed, reason)]
        case .mebibytes(let most) where text.utf8.count > most << 20:
            return [MessageFault(name, .tooLong, "\(name) must be at most \(most) MiB.")]
        case .mebibytes: return Self.faultOfNUL(text, name)
        }
    }

    private static func isPrintableASCII(_ text: String) -> Bool {
        text.utf8.withContiguousStorageIfAvailable { bytes in
            bytes.allSatisfy { (0x20...0x7e).contains($0) }
        } ?? false
    }

    private static func length(
        _ text: String, _ most: Int, _ name: String, _ reason: String
    ) -> [MessageFault] {
        switch text.unicodeScalars.count {
        case 0: [MessageFault(name, .malformed, reason)]
        case 1...most: []
        default: [MessageFault(name, .tooLong, reason)]
        }
    }

    private static func faultOfNUL(_ text: String, _ name: String) -> [MessageFault] {
        // Looks at all bytes, so that the compiler can compare many at once.
        let holdsNUL = text.utf8.withContiguousStorageIfAvailable { bytes in
            var found: UInt8 = 0
            for byte in bytes { found |= byte == 0 ? 1 : 0 }
            return found != 0
        }
        guard holdsNUL ?? text.utf8.contains(0) else { return [] }
        let reason = "\(name) contains a NUL character (U+0000), which PostgreSQL cannot store."
        return [MessageFault(name, .malformed, reason)]
    }
}
