import HTTP
import Usage
import UsageStore

/// What `GET /usage` was asked for.
struct RecordsQuery {
    /// Which records.
    let filter: UsageFilter

    /// In which order.
    let sort: SortOrder

    /// After which record.
    let cursor: PageCursor?

    /// How many at the most; nil for all.
    let limit: Int?

    /// Whether the totals of all records that pass the filter are wanted.
    let hasTotals: Bool

    /// In which form.
    let format: RecordFormat

    /// What cursors are bound to: filter, order and time zone, but not the page's length.
    let fingerprint: UInt64

    /// What the answer is kept by.
    let key: NormalisedQuery

    private static let limits = 1...1000

    /// Reads the query; throws a 400 that names every fault, or a 406.
    init(_ request: Request, _ store: UsageStore) throws {
        var parameters = Parameters(request)
        var query = NormalisedQuery(request.path)
        var filter = try FilterParameters(&parameters, &query, store).filter
        Self.takeCredits(&parameters, &filter)
        query.add("min_credits", filter.minimumCredits)
        query.add("max_credits", filter.maximumCredits)
        let columns = SortOrder.Column.allCases.map(\.rawValue).joined(separator: ", ")
        sort =
            parameters.value(
                "sort", expected: "a list such as credits_used:desc,report_name:asc of \(columns)",
                { SortOrder($0) }) ?? .standard
        query.add("sort", sort)
        self.filter = filter
        fingerprint = query.fingerprint
        limit = Self.limit(&parameters)
        query.add("limit", limit)
        let format = RecordFormat.negotiated(request, &parameters)
        query.add("format", format?.rawValue)
        hasTotals = parameters.value("totals", expected: "true or false", Bool.init) ?? false
        query.add("totals", hasTotals)
        let fingerprint = fingerprint
        let sort = sort
        let isSound = parameters.isSound
        let cursorText = parameters.value("cursor")
        cursor = cursorText.flatMap { PageCursor($0, fingerprint: fingerprint, sort: sort) }
        if isSound, cursorText != nil, cursor == nil {
            parameters.fault(
                "cursor", .malformed,
                "cursor must be a next_cursor of this query: filters, sort and tz may not change.")
        }
        query.add("cursor", cursorText)
        key = query
        try parameters.end()
        guard let format else {
            throw Problem.notAcceptable(RecordFormat.allCases.map(\.mediaType))
        }
        self.format = format
    }

    private static func takeCredits(_ parameters: inout Parameters, _ filter: inout UsageFilter) {
        let expected = "credits that are not negative, with at most two decimals, such as 15.60"
        let read = { (text: String) in text.hasPrefix("-") ? nil : Credits(text) }
        filter.minimumCredits = parameters.value("min_credits", expected: expected, read)
        filter.maximumCredits = parameters.value("max_credits", expected: expected, read)
        if let minimum = filter.minimumCredits, let maximum = filter.maximumCredits,
            minimum > maximum
        {
            parameters.fault("min_credits", .reversed, "min_credits is more than max_credits.")
        }
    }

    private static func limit(_ parameters: inout Parameters) -> Int? {
        guard let text = parameters.value("limit") else { return nil }
        let isNumber = !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
        if isNumber, let limit = Int(text), limits.contains(limit) { return limit }
        parameters.fault(
            "limit", isNumber ? .outOfRange : .malformed,
            "limit must be a number from \(limits.lowerBound) to \(limits.upperBound).")
        return nil
    }
}
