import HTTP
import UsageStore

/// A query in the one form that all its spellings share: the key of its cached response and ETag.
struct NormalisedQuery {
    /// The parts, each ended by a NUL, which no value can hold.
    private(set) var text: String

    /// Starts with the path, and with what `principal` may see if that is not everything.
    init(_ path: String, _ principal: Principal) {
        text = path + "\0"
        let bounds = principal.bounds.fingerprint
        if !bounds.isEmpty { add("bounds", bounds) }
    }

    /// Adds a parameter; one that is absent adds nothing.
    mutating func add(_ name: String, _ value: (some CustomStringConvertible)?) {
        if let value { text += "\(name)=\(value)\0" }
    }

    /// The text by bytes: strings that only look alike are equal to Swift, but not to PostgreSQL.
    var key: [UInt8] { Array(text.utf8) }

    /// A number that differs between queries.
    ///
    /// FNV-1a with 64 bits (draft-eastlake-fnv, section 2). It guards against mistakes, not against malice.
    var fingerprint: UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}

/// The queries that one worker has parsed lately: parsing takes 25 to 60 µs, a look-up 1 to 2.
final class QueryMemo<Query> {
    /// By bytes: strings that only look alike are equal to Swift, but not to PostgreSQL.
    private var queries: [[UInt8]: Query] = [:]

    /// It is cleared when it would have more.
    private static var countLimit: Int { 64 }

    /// The longest text that is cached.
    private static var lengthLimit: Int { 1024 }

    /// The query of `request`, cached or parsed by `parse`.
    ///
    /// A query depends on nothing but its text, the field `Accept`, and what `principal` may see.
    func query(
        of request: Request, _ principal: Principal, _ parse: () throws -> Query
    ) rethrows -> Query {
        var text = Array(request.query.utf8) + [0] + Array((request.accept ?? "").utf8)
        text += [0] + Array(principal.bounds.fingerprint.utf8)
        if let query = queries[text] { return query }
        let query = try parse()
        guard text.count <= Self.lengthLimit else { return query }
        if queries.count >= Self.countLimit { queries.removeAll() }
        queries[text] = query
        return query
    }
}
