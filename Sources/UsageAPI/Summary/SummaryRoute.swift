import Encoding
import HTTP
import Usage
import UsageStore

/// `GET /usage/summary`: sums of messages and credits by local hour, day, week or month, and by
/// report, from one snapshot.
func summary(_ request: Request, _ principal: Principal, _ service: Service) throws -> Response {
    let query = try service.summaryQueries.query(of: request, principal) {
        try SummaryQuery(request, principal, service.store)
    }
    return try service.revalidated(request, principal, query.key) { snapshot, isBodySent in
        try service.store.becomeLong()
        try snapshot.waitForLocks()
        let period = try SummaryPeriod(query, snapshot)
        guard isBodySent else {
            return Representation(contentType: "application/json", body: .stream { _ in })
        }
        let buckets = period?.buckets ?? []
        // The sums are streamed, so this comes first.
        let unrated = try snapshot.newestWithoutModelRate()
        let sums = buckets.isEmpty ? nil : try snapshot.summary(query.filter, buckets: buckets)
        let head = head(query, period, snapshot.revision, unrated, sums)
        return Representation(
            contentType: "application/json",
            body: .stream { writer in
                // The number of report names is unlimited, so they are streamed.
                try writer.append(head.dropLast())
                try writer.append(#","by_report":["#.utf8)
                var isFirst = true
                while let report = try sums?.nextReport() {
                    if !isFirst { try writer.append(CollectionOfOne(UInt8(ascii: ","))) }
                    isFirst = false
                    try writer.append(encoded(report))
                }
                try writer.append("]}".utf8)
            })
    }
}

/// The response without `by_report`, as a complete object.
private func head(
    _ query: SummaryQuery, _ period: SummaryPeriod?, _ revision: Int64, _ unrated: Int64,
    _ sums: Summary?
) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
        if let period {
            json.member("from", period.text(of: period.start))
            json.member("to", period.text(of: period.end))
        }
        json.member("tz", query.zone)
        json.member("granularity", (period?.granularity ?? query.granularity ?? .day).rawValue)
        json.member("revision", literal: String(revision))
        if unrated > 0 {
            json.member("newest_records_without_model_rate", literal: String(unrated))
        }
        json.name("totals")
        json.object { $0.members(of: sums?.totals ?? .zero) }
        json.name("buckets")
        json.array { json in
            guard let period, let sums else { return }
            for (bucket, sum) in zip(period.buckets, sums.buckets) {
                json.object { json in
                    json.member("date", period.offsets.date(at: bucket.lowerBound).description)
                    json.member("start", period.text(of: bucket.lowerBound))
                    json.member("end", period.text(of: bucket.upperBound))
                    json.members(of: sum)
                }
            }
        }
    }
    return json.bytes
}

private func encoded(_ report: (reportName: String?, sum: UsageSum)) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
        if let name = report.reportName { json.member("report_name", name) }
        json.member("messages", literal: String(report.sum.messages))
        json.member("credits_used", literal: report.sum.creditsUsed)
    }
    return json.bytes
}

extension JSONWriter {
    fileprivate mutating func members(of sum: UsageSum) {
        member("messages", literal: String(sum.messages))
        member("reports", literal: String(sum.reports))
        member("credits_used", literal: sum.creditsUsed)
    }
}

extension SummaryPeriod {
    /// The instant with the zone's offset at that time.
    fileprivate func text(of instant: Timestamp) -> String {
        instant.description(offsetSeconds: offsets.offsetSeconds(at: instant))
    }
}

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
