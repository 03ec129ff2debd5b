import HTTP
import UsageStore

/// The queries that one worker has read lately, so that a question asked again is not read again.
final class QueryMemo<Query> {
    /// By bytes: strings that only look alike are equal to Swift, but not to PostgreSQL.
    private var queries: [[UInt8]: Query] = [:]

    /// More are forgotten all at once; a longer one is not remembered.
    private static var countLimit: Int { 64 }
    private static var lengthLimit: Int { 1024 }

    /// The query of `request`, remembered or read by `read`.
    ///
    /// A query depends on nothing but its text, the field `Accept`, and what `principal` may see.
    func query(
        of request: Request, _ principal: Principal, _ read: () throws -> Query
    ) rethrows -> Query {
        var text = Array(request.query.utf8) + [0] + Array((request.accept ?? "").utf8)
        text += [0] + Array(principal.bounds.fingerprint.utf8)
        if let query = queries[text] { return query }
        let query = try read()
        guard text.count <= Self.lengthLimit else { return query }
        if queries.count >= Self.countLimit { queries.removeAll() }
        queries[text] = query
        return query
    }
}
