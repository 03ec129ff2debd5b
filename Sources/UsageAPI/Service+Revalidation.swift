import HTTP
import UsageStore

extension Service {
    /// Changes when answers are written in another way, so that nobody keeps the old ones.
    private static let encodingVersion = 1

    /// Answers a query in the cheapest way that is still true.
    ///
    /// The revision is asked first, which costs one tiny query. A client that has the answer of
    /// this revision gets a 304, and one that was kept in memory for it is sent again; else
    /// `render` makes the answer from a snapshot, whose own revision it is named and kept by.
    /// It is told whether anybody will see the body.
    func revalidated(
        _ request: Request, _ query: NormalisedQuery,
        render: (Snapshot, _ wantsBody: Bool) throws -> Answer
    ) throws -> Response {
        let condition = EntityTagCondition(request.ifNoneMatch)
        let revision = try store.revision()
        let kept = cache.answer(for: query.key, at: revision)
        if condition.contains(tag(query, revision)) || condition.isAny && kept != nil {
            return named(Response(.notModified, fields: []), query, revision)
        }
        if let kept { return named(response(kept, request), query, revision) }
        let snapshot = try store.snapshot()
        let wantsBody = request.method != Method.head.rawValue && !condition.isAny
        let answer = try render(snapshot, wantsBody)
        if condition.isAny {
            return named(Response(.notModified, fields: []), query, snapshot.revision)
        }
        let recorded = keeping(answer, query, snapshot.revision)
        return named(response(recorded, request), query, snapshot.revision)
    }

    /// The answer, which is kept once what it streams has come to its end.
    private func keeping(_ answer: Answer, _ query: NormalisedQuery, _ revision: Int64) -> Answer {
        guard cache.isOn, case .stream(let produce) = answer.body else { return answer }
        let cache = cache
        return Answer(
            contentType: answer.contentType, fields: answer.fields, nextCursor: answer.nextCursor,
            body: .stream { writer in
                writer.startRecording(limit: AnswerCache.answerLimit)
                try produce(writer)
                guard let bytes = try writer.endRecording() else { return }
                let kept = Answer(
                    contentType: answer.contentType, fields: answer.fields,
                    nextCursor: answer.nextCursor, body: .bytes(bytes))
                cache.keep(kept, for: query.key, at: revision)
            })
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
            ("Vary", isKeyed ? "Accept, Authorization" : "Accept"),
            ("X-Usage-Revision", String(revision)),
        ]
        return response
    }

    private func tag(_ query: NormalisedQuery, _ revision: Int64) -> EntityTag {
        let fingerprint = String(query.fingerprint, radix: 36)
        return EntityTag("\(revision)-\(fingerprint)-\(Self.encodingVersion)")
    }
}
