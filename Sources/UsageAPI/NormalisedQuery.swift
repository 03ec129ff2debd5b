import UsageStore

/// A query in the one form that all its spellings share: what answers are kept and named by.
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
