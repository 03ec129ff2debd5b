/// A filter of usage records; without conditions, all match.
public struct UsageFilter: Sendable {
    /// The first instant that matches.
    public var from: Timestamp?

    /// The first instant after those that match.
    public var to: Timestamp?

    /// The first time of recording that matches.
    public var recordedFrom: Timestamp?

    /// The first time of recording after those that match.
    public var recordedTo: Timestamp?

    /// Text columns, each with its accepted values; of an attribution, an empty one means "without".
    public var texts: [(column: UsageRecord.Column, values: [String])] = []

    /// Tags that the record must have; an empty value means that it must not have the key.
    public var tags: [(key: String, value: String)] = []

    /// Whether the record must have a report name (true) or must not (false).
    public var hasReport: Bool?

    /// Whether the record must be a correction (true) or must not (false).
    public var isCorrection: Bool?

    /// The minimum credits.
    public var minimumCredits: Credits?

    /// The maximum credits.
    public var maximumCredits: Credits?

    /// Filters that a record must match, too.
    public private(set) var others: [UsageFilter] = []

    /// Makes a filter that all records match.
    public init() {}

    /// A filter that matches what both this one and `other` match.
    public func and(_ other: UsageFilter) -> UsageFilter {
        var both = self
        both.others.append(other)
        return both
    }
}

/// A part of attributions by which records can be grouped: the user, the team, the model or a tag.
public enum AttributionPart: Hashable, Sendable, CustomStringConvertible {
    /// A column.
    case column(UsageRecord.Column)
    /// The tag with this key.
    case tag(String)

    private static let columns: [UsageRecord.Column] = [.userID, .teamID, .model]
    private static let tagPrefix = "tag:"

    /// Parses `user_id`, `team_id`, `model` or `tag:KEY`; nil for anything else.
    public init?(_ text: String) {
        if let column = Self.columns.first(where: { $0.name == text }) {
            self = .column(column)
            return
        }
        guard text.hasPrefix(Self.tagPrefix) else { return nil }
        let key = String(text.dropFirst(Self.tagPrefix.count))
        guard Self.isTagKey(key) else { return nil }
        self = .tag(key)
    }

    /// The text that is parsed.
    public var description: String {
        switch self {
        case .column(let column): column.name
        case .tag(let key): Self.tagPrefix + key
        }
    }

    /// Splits `KEY:VALUE` at the first colon; nil if the key does not have the form of one.
    public static func tag(_ text: String) -> (key: String, value: String)? {
        // By bytes: a combining mark after the colon must not hide the colon.
        let parts = text.utf8.split(
            separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false
        ).compactMap { String($0) }
        return parts.count == 2 && isTagKey(parts[0]) ? (parts[0], parts[1]) : nil
    }

    /// Whether `text` has the form of a tag's key.
    public static func isTagKey(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
                default: false
                }
            }
    }
}
