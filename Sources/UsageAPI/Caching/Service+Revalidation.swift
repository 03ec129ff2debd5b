import HTTP
import Metrics
import Usage
import UsageStore

extension Service {
    /// Increment the number with every change of a response's bytes that is not in the table of
    /// columns: an upgrade does not change the revision, and clients would get a wrong 304.
    private static let encodingVersion = "2" + String(UsageRecord.Column.digest, radix: 36)

    /// Responds to a query with a 304, a cached response or a new one; none is ever stale.
    ///
    /// The revision is read first, by one tiny query. If the client's ETag is of this revision, it
    /// gets a 304; otherwise, a cached response of this revision is sent. Otherwise, `render` reads
    /// a snapshot, and the response gets its revision. `isBodySent` is false for HEAD, for example.
    func revalidated(
        _ request: Request, _ principal: Principal, _ query: NormalisedQuery,
        render: (Snapshot, _ isBodySent: Bool) throws -> Representation<Response.Body>
    ) throws -> Response {
        let condition = EntityTagCondition(request.ifNoneMatch)
        let revision = try store.revision()
        let cached = cache.response(for: query.key, at: revision)
        if condition.contains(tag(query, revision)) || condition.isAny && cached != nil {
            metrics.responsesOfClients.add()
            return named(Response(.notModified), query, revision, .client, principal)
        }
        if let cached {
            metrics.responsesFromMemory.add()
            let response = response(cached.with(body: .bytes(cached.body)), request)
            return named(response, query, revision, .memory, principal)
        }
        metrics.responsesFromDatabase.add()
        let snapshot = try store.snapshot(within: principal.bounds.filter)
        let isBodySent = request.method != Method.head.rawValue && !condition.isAny
        var rendered: Representation<Response.Body>
        do {
            rendered = try render(snapshot, isBodySent)
        } catch let closed as SumsClosed {
            throw Problem(closed)
        }
        if condition.isAny {
            return named(Response(.notModified), query, snapshot.revision, .database, principal)
        }
        if isBodySent { cacheWhenSent(&rendered, query.key, snapshot.revision) }
        return named(response(rendered, request), query, snapshot.revision, .database, principal)
    }

    /// Caches a streamed response after it has been sent, unless it is too long.
    private func cacheWhenSent(
        _ rendered: inout Representation<Response.Body>, _ key: [UInt8], _ revision: Int64
    ) {
        guard cache.isOn, case .stream(let produce) = rendered.body else { return }
        let cache = cache
        let head = rendered.with(body: ())
        rendered.body = .stream { writer in
            var copy: [UInt8]? = []
            writer.copy = { bytes in
                if let count = copy?.count, count + bytes.count <= ResponseCache.bodyLimit {
                    copy? += bytes
                } else {
                    copy = nil
                }
            }
            defer { writer.copy = nil }
            try produce(writer)
            try writer.flush()
            if let copy { cache.add(head.with(body: copy), for: key, at: revision) }
        }
    }

    /// The response to `request`; its links repeat the spelling of the query.
    private func response(
        _ rendered: Representation<Response.Body>, _ request: Request
    ) -> Response {
        var response = Response(
            .ok, contentType: rendered.contentType, fields: rendered.fields, body: rendered.body)
        if rendered.contentType == RecordFormat.csv.contentType {
            response.fields.append(("Content-Disposition", request.contentDisposition))
        }
        if let link = rendered.nextCursor.flatMap(request.linkToNext) {
            response.fields.append(("Link", link))
        }
        return response
    }

    private func named(
        _ response: Response, _ query: NormalisedQuery, _ revision: Int64,
        _ origin: Response.Origin, _ principal: Principal
    ) -> Response {
        var response = response
        response.origin = origin
        var isPrivate = isKeyed
        if case .key = principal.identity { isPrivate = true }
        let freshness = cacheSeconds == 0 ? "no-cache" : "max-age=\(cacheSeconds)"
        response.fields += [
            ("ETag", "\"\(tag(query, revision))\""),
            // With keys, shared caches must not store responses.
            ("Cache-Control", isPrivate ? "private, \(freshness)" : freshness),
            // Proxies compress responses, and not all of them add Vary to each one. A bound key
            // counts wherever it is sent.
            ("Vary", "Accept, Accept-Encoding, Authorization"),
            ("X-Usage-Revision", String(revision)),
        ]
        return response
    }

    /// The text between the quotes of the ETag (RFC 9110, section 8.8.3).
    private func tag(_ query: NormalisedQuery, _ revision: Int64) -> String {
        "\(revision)-\(String(query.fingerprint, radix: 36))-\(Self.encodingVersion)"
    }
}

extension Problem {
    /// A 422: the sums of closed records do not have what the query asks for.
    fileprivate init(_ closed: SumsClosed) {
        let message =
            "Records before \(closed.before) are closed. Only their sums remain: of quarters of an hour, "
            + "and by report name, user, team, model or tag of whole days in the zones that were "
            + "reporting zones then. With a filter, add group_by: by_report is by report name."
        self.init(
            .unprocessableContent, "The records are closed.",
            faults: [Fault(in: "query", name: "", code: .closed, message: message)])
    }
}

extension Request {
    /// The value of `Content-Disposition`, with a file name that describes the content:
    /// `usage_2024-10-01_2024-11-01_Europe-London.csv`, `usage_attributions_team_id.csv`.
    var contentDisposition: String {
        let parameters = QueryString(query).parameters
        let values = ["of", "from", "to", "tz"].compactMap { name in
            parameters.first { $0.name == name }?.value
        }
        // Spaces, slashes and colons are not portable in file names.
        let words = path.split(separator: "/").map(String.init) + values
        let name = words.joined(separator: "_").utf8.compactMap { byte -> String? in
            if byte == UInt8(ascii: ":") { return nil }
            return URLText.isUnreserved(byte) ? String(UnicodeScalar(byte)) : "-"
        }
        return "attachment; filename=\"\(name.joined()).csv\""
    }

    /// The maximum length of a link; nginx would reject a request with a longer URL.
    private static let linkLimit = 30_000

    /// The value of `Link` for the next page: the same query with another cursor.
    func linkToNext(cursor: String) -> String? {
        let kept = QueryString(query).parameters.filter { $0.name != "cursor" }
            .map { URLText.encoded($0.raw, keeping: "%&=+:,/@!$'()*;") }
        let path = URLText.encoded(pathPrefix + self.path, keeping: "/")
        let target = "\(path)?\((kept + ["cursor=\(cursor)"]).joined(separator: "&"))"
        return target.utf8.count > Self.linkLimit ? nil : "<\(target)>; rel=\"next\""
    }
}
