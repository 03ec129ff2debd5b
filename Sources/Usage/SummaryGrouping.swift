/// What the records of one group of a summary have in common: the report name, or a part of the
/// attribution.
public enum GroupPart: Hashable, Sendable, CustomStringConvertible {
    /// The report name.
    case reportName
    /// A user, a team, a model or a tag.
    case attribution(AttributionPart)

    /// Parses `report_name`, `user_id`, `team_id`, `model` or `tag:KEY`; nil for anything else.
    public init?(_ text: String) {
        if text == UsageRecord.Column.reportName.name {
            self = .reportName
        } else if let part = AttributionPart(text) {
            self = .attribution(part)
        } else {
            return nil
        }
    }

    /// The text that is parsed.
    public var description: String {
        switch self {
        case .reportName: UsageRecord.Column.reportName.name
        case .attribution(let part): part.description
        }
    }
}

/// The groups of a summary: by which parts, and how many of them are shown.
public struct SummaryGrouping: Hashable, Sendable {
    /// One or two different parts.
    public let parts: [GroupPart]

    /// The maximum number of groups; the others are added up.
    public let top: Int

    /// Makes a grouping by `parts`, which are one or two different ones.
    public init(by parts: [GroupPart], top: Int) {
        precondition((1...2).contains(parts.count) && Set(parts).count == parts.count)
        precondition(top > 0)
        self.parts = parts
        self.top = top
    }
}
