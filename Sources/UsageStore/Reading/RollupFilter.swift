import Usage

/// A level of sums.
enum RollupLevel: Equatable {
    /// All records, by local day and month, and by quarter of an hour.
    case all
    /// Records by the value of one part, by local day and month.
    case values(GroupPart)
    /// Records by attribution, by local day, month and year.
    case attributions

    /// The stored buckets that it has, from the coarsest.
    var units: [RollupUnit] {
        switch self {
        case .all, .values: [.month, .day]
        case .attributions: [.year, .month, .day]
        }
    }
}

/// The length of a stored bucket, from the coarsest.
enum RollupUnit: String, CaseIterable {
    case year, month, day
}

/// A filter as seen by the levels.
struct RollupFilter {
    /// The range of time.
    let range: Range<Timestamp>

    /// The parts on which it has conditions.
    let parts: Set<GroupPart>

    /// Whether records match that have a value in none of these parts.
    let matchesBlank: Bool

    private let filters: [UsageFilter]
    private let needsRecords: Bool

    init(_ filter: UsageFilter) {
        filters = filter.flattened
        let lower = filters.compactMap(\.from).max() ?? Timestamp.representable.lowerBound
        let upper = filters.compactMap(\.to).min() ?? Timestamp.representable.upperBound
        range = lower..<max(lower, upper)
        parts = Set(filters.flatMap(\.groupParts))
        needsRecords = filters.contains { filter in
            filter.recordedFrom != nil || filter.recordedTo != nil || filter.minimumCredits != nil
                || filter.maximumCredits != nil || filter.isCorrection != nil
                || filter.texts.contains { $0.column == .externalID && !$0.values.isEmpty }
        }
        let needsReport = filters.contains { filter in
            filter.hasReport == true
                || filter.texts.contains { $0.column == .reportName && !$0.values.isEmpty }
        }
        matchesBlank = filter.matchesUnattributed && !needsReport
    }

    /// The level that has the sums by `grouping` of the records that match; nil if none has them.
    func level(by grouping: [GroupPart] = []) -> RollupLevel? {
        let all = parts.union(grouping)
        guard !needsRecords, let first = all.first else { return needsRecords ? nil : .all }
        if all.count == 1 { return .values(first) }
        return all.contains(.reportName) ? nil : .attributions
    }

    /// The conditions on `value`, where `level` has the sums of the values of a part.
    func conditions(
        of level: RollupLevel, value: String, _ bindings: inout Bindings
    ) -> [String] {
        guard case .values(let part) = level else { return [] }
        return filters.flatMap { $0.accepted(part) }.map { accepted in
            "\(value) = ANY (\(bindings.bind(array: accepted)))"
        }
    }

    /// The conditions on the columns of the table of attributions.
    func attributionConditions(_ bindings: inout Bindings) -> [String] {
        filters[0].attributionConditions(&bindings)
    }
}

extension UsageFilter {
    /// This filter and all that it is combined with; each has its own conditions only, but the first
    /// one also has those of the others.
    fileprivate var flattened: [UsageFilter] { [self] + others.flatMap(\.flattened) }

    /// The parts on which it has conditions of its own.
    fileprivate var groupParts: [GroupPart] {
        let columns = texts.filter { !$0.values.isEmpty }.map { GroupPart($0.column) }
        let keys = tags.map { GroupPart.attribution(.tag($0.key)) }
        return columns + keys + (hasReport == nil ? [] : [.reportName])
    }

    /// The accepted values of each of its own conditions on `part`; an empty value means "without".
    fileprivate func accepted(_ part: GroupPart) -> [[String]] {
        var accepted = texts.filter { !$0.values.isEmpty && GroupPart($0.column) == part }.map(
            \.values)
        accepted += tags.filter { .attribution(.tag($0.key)) == part }.map { [$0.value] }
        if hasReport == false, part == .reportName { accepted.append([""]) }
        return accepted
    }
}

extension GroupPart {
    fileprivate init(_ column: UsageRecord.Column) {
        self = column == .reportName ? .reportName : .attribution(.column(column))
    }
}
