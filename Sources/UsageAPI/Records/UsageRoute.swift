import HTTP
import Metrics
import Usage
import UsageStore

/// `GET /usage`: usage records with the fields that the query names, filtered, sorted, complete or
/// paginated, in one of three formats.
///
/// The first record is read before the response begins, so that an error can still set the status.
func usage(_ request: Request, _ principal: Principal, _ service: Service) throws -> Response {
    let query = try service.recordsQueries.query(of: request, principal) {
        try RecordsQuery(request, principal, service.store)
    }
    return try service.revalidated(request, principal, query.key) { snapshot, isBodySent in
        // A page is short; so are totals from rollups.
        if query.limit == nil {
            try service.store.becomeLong()
            try snapshot.waitForLocks()
        } else if query.hasTotals {
            try snapshot.prepareForSums()
        }
        var fields: [(name: String, value: String)] = []
        if query.hasTotals {
            let totals = try snapshot.totals(query.filter)
            fields.append(("X-Total-Count", String(totals.records)))
            fields.append(("X-Total-Credits", totals.creditsUsed))
        }
        if let line = snapshot.closedBefore {
            fields.append(("X-Usage-Closed-Before", line.description))
        }
        guard isBodySent || query.limit != nil else {
            return Representation(
                contentType: query.plan.format.contentType, fields: fields, body: .stream { _ in })
        }
        let offsets = try query.localZone.map { try snapshot.offsets(ofAllTimesIn: $0) }
        let rows = try snapshot.records(
            query.filter, sort: query.sort, after: query.cursor, limit: query.limit,
            fields: query.plan.columns)
        let nextCursor = rows.nextCursor?.text(fingerprint: query.fingerprint)
        let hasFirst = try rows.next()
        return Representation(
            contentType: query.plan.format.contentType, fields: fields, nextCursor: nextCursor,
            body: .stream { writer in
                if query.hasBOM { try writer.append([0xef, 0xbb, 0xbf]) }
                var encoder = RecordEncoder(query.plan, offsets, writer: writer)
                defer { service.metrics.rows.add(encoder.count) }
                try encoder.append(all: rows, hasFirst: hasFirst, nextCursor: nextCursor)
            })
    }
}
