import HTTP
import Usage
import UsageStore

/// A parsed query of `GET /usage`.
struct RecordsQuery {
    /// The filter of the records.
    let filter: UsageFilter

    /// The order.
    let sort: SortOrder

    /// The position after which the page begins.
    let cursor: PageCursor?

    /// The maximum number of records; nil for all.
    let limit: Int?

    /// Whether totals of all matching records are requested.
    let hasTotals: Bool

    /// The format.
    let format: RecordFormat

    /// Whether CSV starts with a byte order mark, which Excel needs to read it as UTF-8.
    let hasBOM: Bool

    /// A hash of the parts that a cursor is bound to: filter, order and time zone, not the limit.
    let fingerprint: UInt64

    /// The key of the cached response and the ETag.
    let key: NormalisedQuery

    private static let limits = 1...1000

    /// Parses the query; throws a 400 with all faults, or a 406.
    init(_ request: Request, _ principal: Principal, _ store: UsageStore) throws {
        var parameters = Parameters(request)
        var query = NormalisedQuery(request.path, principal)
        var filter = try FilterParameters(&parameters, &query, store).filter
        Self.takeCredits(&parameters, &filter)
        query.add("min_credits", filter.minimumCredits)
        query.add("max_credits", filter.maximumCredits)
        let columns = SortOrder.columns.map(\.name).joined(separator: ", ")
        sort =
            parameters.value(
                "sort",
                expected: "a list such as credits_used:desc,report_name:asc; columns: \(columns)",
                { SortOrder($0) }) ?? .standard
        query.add("sort", sort)
        self.filter = filter
        fingerprint = query.fingerprint
        limit = Self.limit(&parameters)
        query.add("limit", limit)
        let format = RecordFormat.negotiated(request, &parameters)
        query.add("format", format?.rawValue)
        hasBOM = Self.byteOrderMark(&parameters, format)
        query.add("bom", hasBOM)
        hasTotals = parameters.flag("totals") ?? false
        query.add("totals", hasTotals)
        let cursorText = parameters.value("cursor")
        query.add("cursor", cursorText)
        cursor = Self.cursor(cursorText, &parameters, fingerprint, sort)
        key = query
        try parameters.end()
        guard let format else {
            throw Problem.notAcceptable(RecordFormat.allCases.map(\.mediaType))
        }
        self.format = format
    }

    private static func takeCredits(_ parameters: inout Parameters, _ filter: inout UsageFilter) {
        let expected = "a non-negative number with at most two decimals, such as 15.60"
        let read = { (text: String) in text.hasPrefix("-") ? nil : Credits(text) }
        filter.minimumCredits = parameters.value("min_credits", expected: expected, read)
        filter.maximumCredits = parameters.value("max_credits", expected: expected, read)
        if let minimum = filter.minimumCredits, let maximum = filter.maximumCredits,
            minimum > maximum
        {
            parameters.fault("min_credits", .reversed, "min_credits is greater than max_credits.")
        }
    }

    private static func byteOrderMark(
        _ parameters: inout Parameters, _ format: RecordFormat?
    ) -> Bool {
        let hasBOM = parameters.flag("bom") ?? false
        if hasBOM, let format, format != .csv {
            parameters.fault(
                "bom", .unsupported,
                "bom=true requires format=csv.")
        }
        return hasBOM
    }

    /// A cursor of another query is reported only if the rest of the query is valid: otherwise, it
    /// may belong to the query that the client intended.
    private static func cursor(
        _ text: String?, _ parameters: inout Parameters, _ fingerprint: UInt64, _ sort: SortOrder
    ) -> PageCursor? {
        guard let text else { return nil }
        let cursor = PageCursor(text, fingerprint: fingerprint, sort: sort)
        if !PageCursor.isWellFormed(text) {
            parameters.fault(
                "cursor", .malformed,
                "cursor is malformed; send the next_cursor of a response unchanged.")
        } else if cursor == nil, parameters.isSound {
            parameters.fault(
                "cursor", .malformed,
                "cursor belongs to another query; filters, sort and tz must not change.")
        }
        return cursor
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
