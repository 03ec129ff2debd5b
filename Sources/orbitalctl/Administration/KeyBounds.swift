import Configuration
import Usage

extension Bounds {
    /// Bounds from options, of which each tag is `KEY:VALUE`; the rules are those of messages.
    init(user: String?, team: String?, tags: [String]) throws(MessageFault) {
        self.init()
        userID = try Self.valid(user, UsageRecord.Column.userID.faults)
        teamID = try Self.valid(team, UsageRecord.Column.teamID.faults)
        for text in tags {
            guard let (key, value) = AttributionPart.tag(text) else {
                throw MessageFault(
                    "tag", .malformed,
                    "A tag must be KEY:VALUE, such as env:prod; a key has 1 to 64 of A-Z, a-z, 0-9, "
                        + "_, . and -.")
            }
            guard !self.tags.contains(where: { $0.key == key }) else {
                throw MessageFault("tag", .duplicateMember, "The tag \(key) appears twice.")
            }
            _ = try Self.valid(value) { UsageRecord.TextLimit.identifier(200).faults($0, text) }
            self.tags.append((key, value))
        }
        guard tags.count <= UsageRecord.Attribution.tagLimit else {
            throw MessageFault(
                "tag", .tooMany, "There may be \(UsageRecord.Attribution.tagLimit) tags.")
        }
        self.tags.sort { $0.key < $1.key }
    }

    /// `text`, unless it has a fault, which is thrown.
    private static func valid(
        _ text: String?, _ faults: (String) -> [MessageFault]
    ) throws(MessageFault) -> String? {
        if let fault = text.flatMap({ faults($0).first }) { throw fault }
        return text
    }
}

extension Settings {
    /// Warns that bounds do not hide anything from those who send no key.
    func warnOfBounds() {
        guard access == .open else { return }
        note(
            "orbitalctl: bounds hold wherever the key is sent; with ACCESS=open, an anonymous reader "
                + "still sees everything")
    }
}
