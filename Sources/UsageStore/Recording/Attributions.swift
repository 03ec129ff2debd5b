import Postgres
import Threads
import Usage

/// An attribution in the database.
///
/// An erasure changes its digest, so both together identify it.
struct StoredAttribution {
    /// Its number.
    let id: Int64
    /// Its digest.
    let digest: [UInt8]
}

/// The numbers of attributions that were looked up last.
final class Attributions: Sendable {
    /// The largest number that a new attribution may have; 0: any.
    let limit: Int

    private typealias Entry = (attribution: UsageRecord.Attribution, stored: StoredAttribution)

    private let cache = Lock<[UsageRecord.Attribution: Entry]>([:])

    /// The maximum number of cached entries; a full cache is cleared.
    private static let countLimit = 10_000

    /// The maximum number of attributions that one transaction creates.
    ///
    /// Few, because others may wait for them, and numbers that a failed transaction took are lost.
    private static let chunk = 20

    /// Makes an empty cache; beyond `limit`, no attribution is created.
    init(limit: Int) { self.limit = limit }

    /// Whether a lookup creates attributions, and how long it waits for another transaction that has
    /// created the same one.
    enum Creation {
        /// 250 ms; the others that wait for the same attribution must not wait for long.
        case short
        /// A minute for each attribution, which is created alone.
        case long
        /// Nothing is created.
        case none
    }

    /// The entries for `wanted`, in order; nil where there is none and none may be created.
    ///
    /// Creates what is missing, in transactions of its own, in order of the digest, so that two
    /// writers do not wait for each other. Unless `isOutdated`, cached entries are used. Throws
    /// `PostgresError` with `lockNotAvailable` at the timeout.
    func stored(
        _ wanted: [UsageRecord.Attribution], _ connection: Connection, _ creation: Creation,
        isOutdated: Bool = false
    ) throws -> [StoredAttribution?] {
        var found = isOutdated ? wanted.map { _ in nil } : cached(wanted)
        let missing = wanted.indices.filter { found[$0] == nil }
        /// Returns those that were not found, in order of the digest.
        func lookUp(_ rest: [Int], _ creation: Creation) throws -> [Int] {
            var others: [Int] = []
            try self.lookUp(rest.map { wanted[$0] }, connection, creation) { offset, attribution in
                found[rest[offset]] = attribution
                if attribution == nil { others.append(rest[offset]) }
            }
            return others
        }
        let size = creation == .long ? 1 : Self.chunk
        var new = missing
        if missing.count > size || creation == .none { new = try lookUp(missing, .none) }
        if creation != .none {
            for start in stride(from: 0, to: new.count, by: size) {
                _ = try lookUp(Array(new[start..<min(start + size, new.count)]), creation)
            }
        }
        remember(missing.compactMap { index in found[index].map { (wanted[index], $0) } })
        return found
    }

    private func cached(_ wanted: [UsageRecord.Attribution]) -> [StoredAttribution?] {
        cache.withLock { cache in
            wanted.map { attribution in
                cache[attribution].flatMap { entry in
                    entry.attribution.isIdentical(to: attribution) ? entry.stored : nil
                }
            }
        }
    }

    private func remember(_ entries: [Entry]) {
        guard !entries.isEmpty else { return }
        cache.withLock { cache in
            if cache.count + entries.count > Self.countLimit { cache.removeAll() }
            for entry in entries.prefix(Self.countLimit) { cache[entry.attribution] = entry }
        }
    }

    private func lookUp(
        _ wanted: [UsageRecord.Attribution], _ connection: Connection, _ creation: Creation,
        _ take: (Int, StoredAttribution?) -> Void
    ) throws {
        if wanted.isEmpty { return }
        let most = creation == .none ? -1 : limit
        let reader = try QueryReader(
            connection, "attributions", Self.lookup,
            [
                .array(wanted.map(\.userID)), .array(wanted.map(\.teamID)),
                .array(wanted.map(\.model)), .array(wanted.map(\.tags)), .text(String(most)),
                .text(creation == .long ? "60s" : "250ms"),
            ])
        let fields = Self.fields
        while try reader.next() {
            let stored = reader[fields.id].map {
                StoredAttribution(id: $0, digest: reader[fields.digest])
            }
            take(Int(reader[fields.number]) - 1, stored)
        }
    }

    private static let fields = {
        var list = SelectList()
        let number = list.add("item_number", as: Int64.self)
        let digest = list.add("digest", as: [UInt8].self)
        let id = list.add(
            """
            CASE WHEN attribution_id IS NOT NULL THEN attribution_id
                WHEN $5::bigint = 0 OR newest + new_number <= $5::bigint
                THEN usage_attribution(user_id, team_id, model, tags::jsonb) END
            """, as: Int64?.self)
        return (list: list, number: number, digest: digest, id: id)
    }()

    /// What `usage_attribution_digest` returns, but for tags that are canonical text already, which
    /// takes a fourteenth of the time.
    private static let digest = """
        sha256(convert_to(jsonb_build_array(coalesce(user_id, ''), coalesce(team_id, ''),
            coalesce(model, ''), coalesce(tags, '{}'))::text, 'UTF8'))
        """

    /// Looks attributions up, and creates those that are new, up to number $5.
    ///
    /// What it creates need not reach the disk: the records that refer to it do so later, and
    /// with them all that was committed before.
    private static let lookup = """
        SELECT \(fields.list.sql)
        FROM (
            SELECT item.*, stored.attribution_id,
                (SELECT coalesce(max(attribution_id), 0) FROM usage_attribution) AS newest,
                count(*) FILTER (WHERE stored.attribution_id IS NULL)
                    OVER (ORDER BY item.digest) AS new_number
            FROM (SELECT set_config('lock_timeout', $6, true),
                         set_config('synchronous_commit', 'off', true) OFFSET 0) AS settings,
                (SELECT *, \(digest) AS digest
                 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY
                    AS item(user_id, team_id, model, tags, item_number)) AS item
            -- The limit makes it use the index, however small the table was when it was planned.
            LEFT JOIN LATERAL (
                SELECT attribution_id FROM usage_attribution WHERE digest = item.digest LIMIT 1
            ) AS stored ON true
            ORDER BY item.digest
            OFFSET 0 -- calls the function in this order
        ) AS item
        """
}

/// The attributions as records have them, to be joined: NULL for "without".
let attributionRows = """
    (SELECT attribution_id, nullif(user_id, '') AS user_id, nullif(team_id, '') AS team_id,
        nullif(model, '') AS model, tags_text AS tags
     FROM usage_attribution)
    """

extension UsageRecord.Column {
    /// The columns of attributions.
    static let ofAttributions = columns(of: .file).filter { $0.table == .attribution }
}

/// The different attributions of some messages; each has its index as a key.
struct DistinctAttributions {
    /// All of them.
    private(set) var all: [UsageRecord.Attribution] = []

    private var keys: [UsageRecord.Attribution: Int] = [:]

    /// The key of an attribution, which is added; nil for one without values.
    mutating func key(of attribution: UsageRecord.Attribution) -> Int64? {
        guard attribution != UsageRecord.Attribution() else { return nil }
        if let key = keys[attribution], all[key].isIdentical(to: attribution) { return Int64(key) }
        keys[attribution] = all.count
        all.append(attribution)
        return Int64(all.count - 1)
    }
}

extension UsageRecord.Attribution {
    /// Whether both have the same bytes: Swift takes texts for equal that only look the same, such
    /// as é in one code point and in two.
    func isIdentical(to other: UsageRecord.Attribution) -> Bool {
        isSame(userID, other.userID) && isSame(teamID, other.teamID)
            && isSame(model, other.model) && isSame(tags, other.tags)
    }
}

private func isSame(_ left: String?, _ right: String?) -> Bool {
    let (left, right) = ((left ?? "").utf8, (right ?? "").utf8)
    // Views of texts are compared byte by byte through their indices.
    let isSame = left.withContiguousStorageIfAvailable { left in
        right.withContiguousStorageIfAvailable { left.elementsEqual($0) }
    }
    return (isSame ?? nil) ?? left.elementsEqual(right)
}
