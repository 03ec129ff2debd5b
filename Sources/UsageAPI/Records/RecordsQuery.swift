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

    /// The format and the fields.
    let plan: RecordPlan

    /// Whether CSV starts with a byte order mark, which Excel needs to read it as UTF-8.
    let hasBOM: Bool

    /// The zone of times in the response; nil for UTC, written as `Z`.
    let localZone: String?

    /// A hash of the parts that a cursor is bound to: filter, order and time zone, not the limit.
    let fingerprint: UInt64

    /// The key of the cached response and the ETag.
    let key: NormalisedQuery

    /// Parses the query; throws a 400 with all faults, or a 406.
    init(_ request: Request, _ principal: Principal, _ store: UsageStore) throws {
        var parameters = Parameters(request)
        var query = NormalisedQuery(request.path, principal)
        let common = try FilterParameters(&parameters, &query, store)
        filter = common.filter
        let columns = Self.list(SortOrder.columns)
        sort =
            parameters.value(
                "sort",
                expected: "a list such as credits_used:desc,report_name:asc; columns: \(columns)",
                { SortOrder($0) }) ?? .standard
        query.add("sort", sort)
        fingerprint = query.fingerprint
        limit = parameters.limit()
        query.add("limit", limit)
        let format = RecordFormat.negotiated(request, &parameters)
        query.add("format", format?.rawValue)
        hasBOM = parameters.byteOrderMark(format)
        query.add("bom", hasBOM)
        hasTotals = parameters.flag("totals") ?? false
        query.add("totals", hasTotals)
        localZone = parameters.flag("local_times") == true ? common.zone : nil
        if localZone != nil { query.add("local_times", true) }
        let fields = Self.fields(&parameters)
        if fields != UsageRows.standardFields { query.add("fields", Self.list(fields)) }
        let cursorText = parameters.value("cursor")
        query.add("cursor", cursorText)
        cursor = Self.cursor(cursorText, &parameters, fingerprint, sort)
        key = query
        try parameters.end()
        guard let format else {
            throw Problem.notAcceptable(RecordFormat.allCases.map(\.mediaType))
        }
        plan =
            fields == UsageRows.standardFields
            ? RecordPlan.standard(format) : RecordPlan(format, fields)
    }

    /// The fields that `fields` names, in the order of the table.
    private static func fields(_ parameters: inout Parameters) -> [UsageRecord.Column] {
        guard let text = parameters.value("fields") else { return UsageRows.standardFields }
        if text == "all" { return UsageRecord.Column.columns(of: .fields) }
        let known = UsageRecord.Column.selectable
        let names = Set(text.split(separator: ",", omittingEmptySubsequences: false))
        let fields = known.filter { names.contains(Substring($0.name)) }
        if fields.count == names.count { return fields }
        parameters.fault(
            "fields", .unknown, "fields must be all, or a comma list of \(list(known)).")
        return UsageRows.standardFields
    }

    private static func list(_ columns: [UsageRecord.Column]) -> String {
        columns.map(\.name).joined(separator: ", ")
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
}

extension Parameters {
    /// Takes `limit`, the maximum number of entries.
    mutating func limit() -> Int? { number("limit", in: 1...1000) }

    /// Takes `bom`; only CSV may have a byte order mark.
    mutating func byteOrderMark(_ format: RecordFormat?) -> Bool {
        let hasBOM = flag("bom") ?? false
        if hasBOM, let format, format != .csv {
            fault("bom", .unsupported, "bom=true requires format=csv.")
        }
        return hasBOM
    }
}
