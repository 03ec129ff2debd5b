public import Encoding
public import Usage

/// The body of a correction: what it asks for, or all of its faults.
public struct CorrectionItem {
    /// The correction; nil if it has faults.
    public private(set) var correction: Correction?

    /// The faults.
    public private(set) var faults: [MessageFault] = []

    private static let allowed = ["reason", "credits_used", "external_id", "timestamp"]

    /// Reads `item`; without an `external_id`, `externalID` is that of the correction.
    public init(_ item: JSONItem, externalID: String?) {
        guard case .object(let members) = item else {
            faults = [MessageFault("", .notAnObject, "A correction must be a JSON object.")]
            return
        }
        var reader = MemberReader(members)
        var correction = Correction(reason: "")
        for member in members.all where member.value != .null {
            reader.read(member, into: &correction)
        }
        reader.refuse(members.all.map(\.name), Self.allowed)
        correction.externalID = correction.externalID ?? externalID
        reader.require(["reason"])
        if correction.credits != nil, correction.externalID == nil, reader.faults.isEmpty {
            reader.fault(
                "external_id", .missing,
                "A correction of a part needs external_id or the header Idempotency-Key, so that a "
                    + "retry takes nothing back twice.")
        }
        faults = reader.faults
        if faults.isEmpty { self.correction = correction }
    }
}

extension MemberReader {
    /// Reads one member of a correction.
    fileprivate mutating func read(
        _ member: JSONMembers.Member, into correction: inout Correction
    ) {
        let name = member.name
        switch name {
        case "reason": text(.reason, member).map { correction.reason = $0 }
        case "external_id": correction.externalID = text(.externalID, member)
        case "credits_used":
            correction.credits = credits(name, member.value, least: 1, "a positive")
        case "timestamp":
            guard case .string("original") = member.value else {
                return fault(
                    name, .malformed,
                    #"timestamp must be "original", the time of the record, or be omitted for now."#
                )
            }
            correction.isAtOriginalTime = true
        default: break
        }
    }

    /// The text of a member that is stored in `column`.
    private mutating func text(
        _ column: UsageRecord.Column, _ member: JSONMembers.Member
    ) -> String? {
        guard let text = string(member.name, member.value) else { return nil }
        faults += column.faults(text)
        return text
    }

    /// Reports which of `names` are repeated or not `allowed`.
    fileprivate mutating func refuse(_ names: [String], _ allowed: [String]) {
        let repeated = allowed.filter { name in names.count { $0 == name } > 1 }
        refuse(
            repeated: repeated, unknown: Set(names).subtracting(allowed),
            allowed.joined(separator: ", "))
    }
}
