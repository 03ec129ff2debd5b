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
    func revalidated(
        _ request: Request, _ query: NormalisedQuery, render: (Snapshot) throws -> Response
    ) throws -> Response {
        let condition = EntityTagCondition(request.ifNoneMatch)
        let revision = try store.revision()
        let kept = cache.answer(for: query.text, at: revision)
        if condition.contains(tag(query, revision)) || condition.isAny && kept != nil {
            return named(Response(.notModified, fields: []), query, revision)
        }
        if let kept {
            let response = Response(kept.status, fields: kept.fields, body: .bytes(kept.bytes))
            return named(response, query, revision)
        }
        let snapshot = try store.snapshot()
        let response = try render(snapshot)
        if condition.isAny {
            return named(Response(.notModified, fields: []), query, snapshot.revision)
        }
        return named(keeping(response, query, snapshot.revision), query, snapshot.revision)
    }

    /// The response, which keeps what it streams once that has come to its end.
    private func keeping(
        _ response: Response, _ query: NormalisedQuery, _ revision: Int64
    ) -> Response {
        guard cache.isOn, case .stream(let produce) = response.body else { return response }
        let cache = cache
        var recorded = response
        recorded.body = .stream { writer in
            writer.startRecording(limit: AnswerCache.answerLimit)
            try produce(writer)
            guard let bytes = try writer.endRecording() else { return }
            let answer = AnswerCache.Answer(
                status: response.status, fields: response.fields, bytes: bytes)
            cache.keep(answer, for: query.text, at: revision)
        }
        return recorded
    }

    private func named(
        _ response: Response, _ query: NormalisedQuery, _ revision: Int64
    ) -> Response {
        var response = response
        response.fields += [
            ("ETag", tag(query, revision).description),
            ("Cache-Control", cacheSeconds == 0 ? "no-cache" : "max-age=\(cacheSeconds)"),
            ("Vary", "Accept"),
            ("X-Usage-Revision", String(revision)),
        ]
        return response
    }

    private func tag(_ query: NormalisedQuery, _ revision: Int64) -> EntityTag {
        let fingerprint = String(query.fingerprint, radix: 36)
        return EntityTag("\(revision)-\(fingerprint)-\(Self.encodingVersion)")
    }
}
