import HTTP
import Usage
import UsageStore

/// A query in a normal form that all its spellings share: the key of its cached response and ETag.
struct NormalisedQuery {
    /// The parts, each terminated by a NUL, which no value can contain.
    private(set) var text: String

    /// Starts with the path and the bounds of `principal`, if it has any.
    init(_ path: String, _ principal: Principal) {
        text = path + "\0"
        let bounds = principal.bounds.filter.fingerprint
        if !bounds.isEmpty { add("bounds", bounds) }
    }

    /// Adds a parameter unless it is absent.
    mutating func add(_ name: String, _ value: (some CustomStringConvertible)?) {
        if let value { text += "\(name)=\(value)\0" }
    }

    /// The text as bytes: canonically equivalent strings are equal in Swift, but not in PostgreSQL.
    var key: [UInt8] { Array(text.utf8) }

    /// A hash of the query.
    ///
    /// FNV-1a with 64 bits (draft-eastlake-fnv, section 2). It detects mistakes, not forgery.
    var fingerprint: UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}

/// The queries that one worker has parsed recently: parsing takes 25 to 60 µs, a lookup 1 to 2.
final class QueryMemo<Query> {
    /// By bytes: canonically equivalent strings are equal in Swift, but not in PostgreSQL.
    private var queries: [[UInt8]: Query] = [:]

    /// The maximum number of entries; a full cache is cleared.
    private static var countLimit: Int { 64 }

    /// The maximum length of a cached query.
    private static var lengthLimit: Int { 1024 }

    /// The query of `request`, cached or parsed by `parse`.
    ///
    /// A query depends only on its text, the field `Accept`, and the bounds of `principal`.
    func query(
        of request: Request, _ principal: Principal, _ parse: () throws -> Query
    ) rethrows -> Query {
        var text = Array(request.query.utf8) + [0] + Array((request.accept ?? "").utf8)
        text += [0] + Array(principal.bounds.filter.fingerprint.utf8)
        if let query = queries[text] { return query }
        let query = try parse()
        guard text.count <= Self.lengthLimit else { return query }
        if queries.count >= Self.countLimit { queries.removeAll() }
        queries[text] = query
        return query
    }
}
