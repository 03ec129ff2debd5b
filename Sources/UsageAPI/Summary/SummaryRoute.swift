import HTTP
import Usage
import UsageStore

/// `GET /usage/summary`: sums by local hour, day, week or month, and by report name or group, from
/// one snapshot.
func summary(_ request: Request, _ principal: Principal, _ service: Service) throws -> Response {
    let query = try service.summaryQueries.query(of: request, principal) {
        try SummaryQuery(request, principal, service.store)
    }
    return try service.revalidated(request, principal, query.key) { snapshot, isBodySent in
        try snapshot.prepareForSums()
        let period = try SummaryPeriod(query, snapshot)
        var representation = Representation<Response.Body>(
            contentType: query.format.contentType, body: .stream { _ in })
        let zones = try snapshot.reportingZones().joined(separator: ", ")
        representation.fields.append(("X-Reporting-Zones", zones))
        guard isBodySent else { return representation }
        // The sums are streamed, so the other queries come first.
        let unrated = try snapshot.newestWithoutModelRate()
        let previous = try PreviousPeriod(query, period, snapshot)
        let buckets = period?.buckets ?? []
        let sums =
            buckets.isEmpty
            ? nil
            : try snapshot.summary(
                query.filter, buckets: buckets, zone: query.zone, grouping: query.grouping)
        let encoder = SummaryEncoder(
            query: query, period: period, revision: snapshot.revision, unrated: unrated,
            previous: previous, sums: sums)
        representation.body = .stream { writer in
            switch query.format {
            case .csv: try encoder.writeCSV(to: writer)
            case .json, .ndjson: try encoder.writeJSON(to: writer)
            }
        }
        return representation
    }
}
