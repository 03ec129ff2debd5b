import HTTP
import Usage
import UsageStore

/// `GET /usage`: usage records, filtered, sorted, whole or page by page, in one of three formats.
///
/// The first record is read before the answer begins, so that an error can still be a status.
func usage(_ request: Request, _ service: Service) throws -> Response {
    let query = try service.recordsQueries.query(of: request) {
        try RecordsQuery(request, service.store)
    }
    return try service.revalidated(request, query.key) { snapshot in
        // A page is short; everything else may be long.
        if query.limit == nil { try service.claimBulkSlot() }
        var fields: [(name: String, value: String)] = []
        if query.format == .csv {
            fields.append(("Content-Disposition", contentDisposition(request)))
        }
        if query.hasTotals {
            let totals = try snapshot.totals(query.filter)
            fields.append(("X-Total-Count", String(totals.messages)))
            fields.append(("X-Total-Credits", totals.creditsUsed))
        }
        let rows = try snapshot.records(
            query.filter, sort: query.sort, after: query.cursor, limit: query.limit)
        let nextCursor = rows.nextCursor?.text(fingerprint: query.fingerprint)
        if let nextCursor { fields.append(("Link", request.linkToNext(cursor: nextCursor))) }
        let hasFirst = try rows.next()
        return Response(
            .ok, contentType: query.format.contentType, fields: fields,
            body: .stream { writer in
                var encoder = RecordEncoder(query.format, writer: writer)
                try encoder.append(all: rows, hasFirst: hasFirst, nextCursor: nextCursor)
            })
    }
}

/// The name of a file to keep the answer in: `usage_2024-10-01_2024-11-01_Europe-London.csv`.
private func contentDisposition(_ request: Request) -> String {
    let parameters = QueryString(request.query).parameters
    let values = ["from", "to", "tz"].compactMap { name in
        parameters.first { $0.name == name }?.value
    }
    // Blanks, slashes and colons are trouble in file names somewhere.
    let name = (["usage"] + values).joined(separator: "_").utf8.compactMap { byte -> String? in
        if byte == UInt8(ascii: ":") { return nil }
        return URLText.isUnreserved(byte) ? String(UnicodeScalar(byte)) : "-"
    }
    return "attachment; filename=\"\(name.joined()).csv\""
}

extension Request {
    /// The value of `Link` that leads to the next page: the same query but for the cursor.
    fileprivate func linkToNext(cursor: String) -> String {
        let kept = QueryString(query).parameters.filter { $0.name != "cursor" }
            .map { URLText.encoded($0.raw, keeping: "%&=+:,/@!$'()*;") }
        let path = URLText.encoded(pathPrefix + self.path, keeping: "/")
        return "<\(path)?\((kept + ["cursor=\(cursor)"]).joined(separator: "&"))>; rel=\"next\""
    }
}
