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

    /// The key of the cached response and the ETag.
    let key: NormalisedQuery

    private static let mediaTypes = ["application/json"]

    /// Parses the query; throws a 400 with all faults, or a 406.
    init(_ request: Request, _ principal: Principal, _ store: UsageStore) throws {
        var parameters = Parameters(request)
        var query = NormalisedQuery(request.path, principal)
        let common = try FilterParameters(&parameters, &query, store)
        filter = common.filter
        zone = common.zone
        let names = Granularity.allCases.map(\.rawValue).joined(separator: ", ")
        granularity = parameters.value(
            "granularity", expected: "one of \(names)", Granularity.init(rawValue:))
        query.add("granularity", granularity?.rawValue)
        key = query
        try parameters.end()
        guard MediaPreferences(request.accept).best(of: Self.mediaTypes) != nil else {
            throw Problem.notAcceptable(Self.mediaTypes)
        }
    }
}
