import HTTP
import Usage
import UsageStore

/// What `GET /usage/summary` was asked for.
struct SummaryQuery {
    /// Which records; the ends of the range are missing where the records are to tell them.
    let filter: UsageFilter

    /// The time zone whose days and hours are meant.
    let zone: String

    /// The length of the buckets; nil for the finest that fits the period.
    let granularity: Granularity?

    /// What the answer is kept by.
    let key: NormalisedQuery

    private static let mediaTypes = ["application/json"]

    /// Reads the query; throws a 400 that names every fault, or a 406.
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
