import HTTP
import Usage
import UsageStore

/// A parsed query of `GET /usage/summary`.
struct SummaryQuery {
    /// The filter of the records; a bound that the query lacks is nil.
    let filter: UsageFilter

    /// The time zone of days and hours.
    let zone: String

    /// The length of the buckets; nil for the finest that fits.
    let granularity: Granularity?

    /// The day of a month on which its bucket starts.
    let monthStart: Int

    /// The first day of weeks.
    let weekStart: WeekStart

    /// The groups; nil for sums by report name.
    let grouping: SummaryGrouping?

    /// Whether the response has the sum of the previous period.
    let hasPrevious: Bool

    /// Whether both bounds are dates, so that the previous period has as many days.
    let isInDays: Bool

    /// The format: JSON or CSV.
    let format: RecordFormat

    /// Whether CSV starts with a byte order mark.
    let hasBOM: Bool

    /// The key of the cached response and the ETag.
    let key: NormalisedQuery

    private static let formats: [RecordFormat] = [.json, .csv]

    /// Parses the query; throws a 400 with all faults, or a 406.
    init(_ request: Request, _ principal: Principal, _ store: UsageStore) throws {
        var parameters = Parameters(request)
        var query = NormalisedQuery(request.path, principal)
        let common = try FilterParameters(&parameters, &query, store)
        filter = common.filter
        zone = common.zone
        granularity = parameters.value(
            "granularity", expected: Self.oneOf(Granularity.allCases),
            Granularity.init(rawValue:))
        query.add("granularity", granularity?.rawValue)
        monthStart = parameters.number("month_start", in: ReportingPeriod.monthStarts) ?? 1
        parameters.require(granularity, .month, for: "month_start")
        if monthStart != 1 { query.add("month_start", monthStart) }
        weekStart =
            parameters.value(
                "week_start", expected: Self.oneOf(WeekStart.allCases),
                WeekStart.init(rawValue:)) ?? .monday
        parameters.require(granularity, .week, for: "week_start")
        if weekStart != .monday { query.add("week_start", weekStart.rawValue) }
        grouping = parameters.grouping()
        query.add("group_by", grouping?.parts.map(\.description).joined(separator: ","))
        query.add("top", grouping?.top)
        let format = RecordFormat.negotiated(request, &parameters, of: Self.formats)
        query.add("format", format?.rawValue)
        hasBOM = parameters.byteOrderMark(format)
        query.add("bom", hasBOM)
        hasPrevious = parameters.comparesPrevious(format)
        if hasPrevious { query.add("compare", "previous") }
        isInDays = ["from", "to"].allSatisfy { name in
            parameters.given(name)?.value.flatMap { CivilDate($0) } != nil
        }
        key = query
        try parameters.end()
        guard let format else { throw Problem.notAcceptable(Self.formats.map(\.mediaType)) }
        self.format = format
    }

    private static func oneOf<Value: RawRepresentable<String>>(_ values: [Value]) -> String {
        "one of \(values.map(\.rawValue).joined(separator: ", "))"
    }
}

extension Parameters {
    /// Adds a fault if `name` was sent with a granularity that is sound, but not `required`.
    fileprivate mutating func require(
        _ granularity: Granularity?, _ required: Granularity, for name: String
    ) {
        let isMalformed = granularity == nil && given("granularity") != nil
        if given(name) == nil || granularity == required || isMalformed { return }
        fault(name, .unsupported, "\(name) requires granularity=\(required.rawValue).")
    }

    /// Takes `group_by` and `top`, which requires it.
    fileprivate mutating func grouping() -> SummaryGrouping? {
        let list = value("group_by")
        let top = number("top", in: 1...1000)
        if given("top") != nil, given("group_by") == nil {
            fault("top", .unsupported, "top requires group_by.")
        }
        guard let parts = list.flatMap({ groupParts($0) }) else { return nil }
        return SummaryGrouping(by: parts, top: top ?? 10)
    }

    /// The parts of a comma list; nil if it has faults.
    private mutating func groupParts(_ list: String) -> [GroupPart]? {
        var parts: [GroupPart] = []
        var isSound = true
        func add(_ code: Problem.Code, _ message: String) {
            isSound = false
            fault("group_by", code, message)
        }
        let names = list.utf8.split(
            separator: UInt8(ascii: ","), maxSplits: 3, omittingEmptySubsequences: false
        ).map { String(Substring($0)) }
        for name in names.prefix(3) {
            guard let part = GroupPart(name) else {
                add(
                    .unknown,
                    """
                    group_by has no part "\(name.prefix(100))"; the parts are report_name, user_id, \
                    team_id, model and tag:KEY.
                    """)
                continue
            }
            if parts.contains(part) {
                add(.repeated, "group_by must not repeat \(part).")
            } else {
                parts.append(part)
            }
        }
        if names.count > 2 { add(.tooMany, "group_by must have one or two parts.") }
        return isSound ? parts : nil
    }

    /// Takes `compare`, which requires both bounds, and cannot be shown in CSV.
    fileprivate mutating func comparesPrevious(_ format: RecordFormat?) -> Bool {
        let isGiven = value("compare", expected: "previous") { $0 == "previous" ? true : nil }
        guard isGiven == true else { return false }
        if given("from") == nil || given("to") == nil {
            fault("compare", .unsupported, "compare=previous requires from and to.")
        }
        if format == .csv {
            fault("compare", .unsupported, "compare=previous requires format=json.")
        }
        return true
    }
}
