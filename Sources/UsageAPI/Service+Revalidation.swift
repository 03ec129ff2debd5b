import HTTP
import Metrics
import Usage
import UsageStore

extension Service {
    /// Raise the number with every change of a response's bytes that the table of columns does not
    /// show: the revision stays through an upgrade, and clients would get a wrong 304.
    private static let encodingVersion = "1" + String(UsageRecord.Column.digest, radix: 36)

    /// Answers a query in the cheapest way that is still true.
    ///
    /// The revision is asked first, which costs one tiny query. A client that has the answer of
    /// this revision gets a 304, and one that was kept for it is sent again; else `render` makes the
    /// answer from a snapshot, whose own revision it is named and kept by. It is told whether anybody
    /// will see the body.
    func revalidated(
        _ request: Request, _ principal: Principal, _ query: NormalisedQuery,
        render: (Snapshot, _ wantsBody: Bool) throws -> Answer
    ) throws -> Response {
        let condition = EntityTagCondition(request.ifNoneMatch)
        let revision = try store.revision()
        let kept = cache.answer(for: query.key, at: revision)
        if condition.contains(tag(query, revision)) || condition.isAny && kept != nil {
            metrics.answersOfClients.add()
            return named(Response(.notModified, fields: []), query, revision)
        }
        if let kept {
            metrics.answersFromMemory.add()
            return named(response(kept.answer, request), query, revision)
        }
        metrics.answersFromDatabase.add()
        let snapshot = try store.snapshot(within: principal.bounds)
        let wantsBody = request.method != Method.head.rawValue && !condition.isAny
        let answer = try render(snapshot, wantsBody)
        if condition.isAny {
            return named(
                Response(.notModified, fields: []), query, snapshot.revision)
        }
        let recorded = wantsBody ? keeping(answer, query, snapshot.revision) : answer
        return named(response(recorded, request), query, snapshot.revision)
    }

    /// The answer, which is kept once its stream has ended, unless it is too long.
    private func keeping(
        _ answer: Answer, _ query: NormalisedQuery, _ revision: Int64
    ) -> Answer {
        guard cache.isOn, case .stream(let produce) = answer.body else { return answer }
        let cache = cache
        var recorded = answer
        recorded.body = .stream { writer in
            var copy: [UInt8]? = []
            writer.copy = { bytes in
                if let count = copy?.count, count + bytes.count <= AnswerCache.answerLimit {
                    copy? += bytes
                } else {
                    copy = nil
                }
            }
            defer { writer.copy = nil }
            try produce(writer)
            try writer.flush()
            guard let copy else { return }
            cache.keep(KeptAnswer(answer, bytes: copy), for: query.key, at: revision)
        }
        return recorded
    }

    /// The answer as a response to `request`, in whose words the links are.
    private func response(_ answer: Answer, _ request: Request) -> Response {
        var response = Response(
            .ok, contentType: answer.contentType, fields: answer.fields, body: answer.body)
        if answer.contentType == RecordFormat.csv.contentType {
            response.fields.append(("Content-Disposition", request.contentDisposition))
        }
        if let link = answer.nextCursor.flatMap(request.linkToNext) {
            response.fields.append(("Link", link))
        }
        return response
    }

    private func named(
        _ response: Response, _ query: NormalisedQuery, _ revision: Int64
    ) -> Response {
        var response = response
        let freshness = cacheSeconds == 0 ? "no-cache" : "max-age=\(cacheSeconds)"
        response.fields += [
            ("ETag", tag(query, revision).description),
            // What one client may see is not kept for another.
            ("Cache-Control", isKeyed ? "private, \(freshness)" : freshness),
            // Proxies compress responses, and not all of them add Vary to each one.
            ("Vary", "Accept, Accept-Encoding" + (isKeyed ? ", Authorization" : "")),
            ("X-Usage-Revision", String(revision)),
        ]
        return response
    }

    private func tag(_ query: NormalisedQuery, _ revision: Int64) -> EntityTag {
        let fingerprint = String(query.fingerprint, radix: 36)
        return EntityTag("\(revision)-\(fingerprint)-\(Self.encodingVersion)")
    }
}
