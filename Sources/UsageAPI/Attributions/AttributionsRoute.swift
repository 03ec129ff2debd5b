import Encoding
import HTTP
import Usage
import UsageStore

/// `GET /usage/attributions`: the users, teams, models or values of a tag, with their sums.
func attributions(
    _ request: Request, _ principal: Principal, _ service: Service
) throws -> Response {
    let query = try AttributionsQuery(request, principal, service.store)
    return try service.revalidated(request, principal, query.key) { snapshot, isBodySent in
        try snapshot.prepareForSums()
        guard isBodySent else {
            return Representation(contentType: query.format.contentType, body: .stream { _ in })
        }
        // One more than the limit shows whether there are more.
        let sums = try snapshot.attributionSums(
            of: query.part, prefix: query.prefix, query.filter, limit: query.limit + 1)
        let bytes = query.body(sums)
        return Representation(
            contentType: query.format.contentType, body: .stream { try $0.append(bytes) })
    }
}

/// A parsed query of `GET /usage/attributions`.
private struct AttributionsQuery {
    /// The filter of the records.
    let filter: UsageFilter

    /// The part of attributions that is listed.
    let part: AttributionPart

    /// How the values begin.
    let prefix: String

    /// The maximum number of values.
    let limit: Int

    /// The format.
    let format: RecordFormat

    /// Whether CSV starts with a byte order mark.
    let hasBOM: Bool

    /// The key of the cached response and the ETag.
    let key: NormalisedQuery

    private static let standardLimit = 100

    /// Parses the query; throws a 400 with all faults, or a 406.
    init(_ request: Request, _ principal: Principal, _ store: UsageStore) throws {
        var parameters = Parameters(request)
        var query = NormalisedQuery(request.path, principal)
        let part = Self.part(&parameters)
        query.add("of", part)
        prefix = parameters.value("prefix") ?? ""
        query.add("prefix", prefix)
        filter = try FilterParameters(&parameters, &query, store).filter
        limit = parameters.limit() ?? Self.standardLimit
        query.add("limit", limit)
        let format = RecordFormat.negotiated(request, &parameters)
        query.add("format", format?.rawValue)
        hasBOM = parameters.byteOrderMark(format)
        query.add("bom", hasBOM)
        key = query
        try parameters.end()
        guard let format, let part else {
            throw Problem.notAcceptable(RecordFormat.allCases.map(\.mediaType))
        }
        self.format = format
        self.part = part
    }

    private static func part(_ parameters: inout Parameters) -> AttributionPart? {
        let expected = "user_id, team_id, model or tag:KEY"
        if parameters.given("of") == nil {
            parameters.fault("of", .missing, "of is missing; it must be \(expected).")
        }
        return parameters.value("of", expected: expected, AttributionPart.init)
    }

    /// The response with `sums`, of which those beyond the limit are left out.
    func body(_ sums: [AttributionSum]) -> [UInt8] {
        let values = sums.prefix(limit)
        switch format {
        case .json:
            var json = JSONWriter()
            json.object { json in
                json.member("of", part.description)
                json.name("values")
                json.array { json in values.forEach { json.object(of: $0) } }
                json.member("more", literal: sums.count > limit ? "true" : "false")
            }
            return json.bytes
        case .ndjson:
            return values.flatMap { sum in
                var json = JSONWriter()
                json.object(of: sum)
                return json.bytes + [UInt8(ascii: "\n")]
            }
        case .csv:
            var csv = CSVWriter()
            csv.row(["value", "messages", "credits_used"])
            for sum in values {
                let mark = needsFormulaGuard(sum.value.utf8.first) ? "'" : ""
                csv.row([mark + sum.value, String(sum.messages), sum.creditsUsed])
            }
            return (hasBOM ? [0xef, 0xbb, 0xbf] : []) + csv.bytes
        }
    }
}

extension JSONWriter {
    fileprivate mutating func object(of sum: AttributionSum) {
        object { json in
            json.member("value", sum.value)
            json.member("messages", literal: String(sum.messages))
            json.member("credits_used", literal: sum.creditsUsed)
        }
    }
}
