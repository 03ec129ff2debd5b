/// The members that many messages lack. They are apart, because records are copied often, and each member makes
/// a copy more expensive.
extension UsageRecord {
    struct Members: Hashable {
        var externalID: String?
        var recordedAt: Timestamp?
        var attribution = Attribution()
        var reported = ReportedTokens()
        var characterCount: Int64?
        var textDigest: String?
        var isEstimated = false
        var corrects: Int64?
        var reason: String?
        var corrected: Credits?
        var rate: Int64?
    }

    /// Shared by copies of a record; copied before it is changed.
    final class Details: Hashable, @unchecked Sendable {
        var members: Members

        init(_ members: Members) { self.members = members }

        static func == (left: Details, right: Details) -> Bool { left.members == right.members }

        func hash(into hasher: inout Hasher) { hasher.combine(members) }
    }

    /// Whether it has none of the members below.
    public var isPlain: Bool { details == nil }

    /// Changes the members; `isRemoval` if a value becomes absent.
    private mutating func change(isRemoval: Bool, _ body: (inout Members) -> Void) {
        if details == nil, isRemoval { return }
        if isKnownUniquelyReferenced(&details), let details {
            body(&details.members)
        } else {
            var members = details?.members ?? Members()
            body(&members)
            details = Details(members)
        }
        if isRemoval, details?.members == Members() { details = nil }
    }

    /// The sender's own id, which makes retries idempotent, too.
    public var externalID: String? {
        get { details?.members.externalID }
        set { change(isRemoval: newValue == nil) { $0.externalID = newValue } }
    }

    /// When the transaction that recorded it began; nil for the oldest records.
    public var recordedAt: Timestamp? {
        get { details?.members.recordedAt }
        set { change(isRemoval: newValue == nil) { $0.recordedAt = newValue } }
    }

    /// The user, the team, the model and the tags that it belongs to.
    public var attribution: Attribution {
        get { details?.members.attribution ?? Attribution() }
        set { change(isRemoval: newValue == Attribution()) { $0.attribution = newValue } }
    }

    /// The tokens that the provider reported.
    public var reported: ReportedTokens {
        get { details?.members.reported ?? ReportedTokens() }
        set { change(isRemoval: newValue == ReportedTokens()) { $0.reported = newValue } }
    }

    /// The number of Unicode scalars in its text.
    public var characterCount: Int64? {
        get { details?.members.characterCount }
        set { change(isRemoval: newValue == nil) { $0.characterCount = newValue } }
    }

    /// The first 16 bytes of the SHA-256 of a text that is not stored, in hexadecimal.
    public var textDigest: String? {
        get { details?.members.textDigest }
        set { change(isRemoval: newValue == nil) { $0.textDigest = newValue } }
    }

    /// Whether it is an estimate: priced by characters although its rate counts exact tokens.
    public var isEstimated: Bool {
        get { details?.members.isEstimated ?? false }
        set { change(isRemoval: !newValue) { $0.isEstimated = newValue } }
    }

    /// The record of which this one takes back credits; nil for a message.
    public var corrects: Int64? {
        get { details?.members.corrects }
        set { change(isRemoval: newValue == nil) { $0.corrects = newValue } }
    }

    /// Why it corrects another record.
    public var reason: String? {
        get { details?.members.reason }
        set { change(isRemoval: newValue == nil) { $0.reason = newValue } }
    }

    /// The credits of its corrections, added up; nil if it has none, or if they were not read.
    public var corrected: Credits? {
        get { details?.members.corrected }
        set { change(isRemoval: newValue == nil) { $0.corrected = newValue } }
    }

    /// Whether it is a correction: no other record has negative credits.
    public var isCorrection: Bool { (creditsUsed?.hundredths ?? 0) < 0 }

    /// The number of its rate in an export; nil if no rate priced it.
    public var rate: Int64? {
        get { details?.members.rate }
        set { change(isRemoval: newValue == nil) { $0.rate = newValue } }
    }
}
