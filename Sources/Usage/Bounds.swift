import Encoding

/// The bounds of a key: what all records have in common that it may see and record.
public struct Bounds: Sendable {
    /// The user; nil for any.
    public var userID: String?

    /// The team; nil for any.
    public var teamID: String?

    /// Tags that the records have, sorted by key.
    public var tags: [(key: String, value: String)] = []

    /// Makes bounds that all records match.
    public init() {}

    /// Whether all records match.
    public var isEmpty: Bool { userID == nil && teamID == nil && tags.isEmpty }

    /// The bound columns.
    private var texts: [(column: UsageRecord.Column, value: String)] {
        [(.userID, userID), (.teamID, teamID)].compactMap { column, value in
            value.map { (column, $0) }
        }
    }

    /// The filter that the records match.
    public var filter: UsageFilter {
        var filter = UsageFilter()
        filter.texts = texts.map { ($0.column, [$0.value]) }
        filter.tags = tags
        return filter
    }

    /// The bounds as a JSON object.
    public var json: String {
        var json = JSONWriter()
        json.object { json in
            for text in texts { json.member(text.column.name, text.value) }
            json.member(
                UsageRecord.Column.tags.name, UsageRecord.Attribution.text(of: tags),
                isQuoted: false)
        }
        return String(decoding: json.bytes, as: UTF8.self)
    }

    /// Whether `record` matches.
    public func contain(_ record: UsageRecord) -> Bool {
        let pairs = tags.isEmpty ? [] : record.attribution.tagPairs
        return texts.allSatisfy { isSame(record.value(in: $0.column), $0.value) }
            && tags.allSatisfy { tag in
                isSame(pairs.first { $0.key == tag.key }?.value, tag.value)
            }
    }

    /// Fills in the members that `message` lacks; returns a fault for each that differs.
    public func stamp(_ message: inout UsageRecord) -> [MessageFault] {
        var faults: [MessageFault] = []
        for (column, value) in texts {
            guard case .text(let place, _) = column.kind else { continue }
            if let given = place.get(message) {
                if !isSame(given, value) { faults.append(fault(column.name, value)) }
            } else {
                place.set(&message, value)
            }
        }
        guard !tags.isEmpty else { return faults }
        let name = UsageRecord.Column.tags.name
        var pairs = message.attribution.tagPairs
        for tag in tags {
            if let given = pairs.first(where: { $0.key == tag.key }) {
                if !isSame(given.value, tag.value) {
                    faults.append(fault(name, tag.value, tag.key))
                }
            } else {
                pairs.append(tag)
            }
        }
        if pairs.count > UsageRecord.Attribution.tagLimit {
            faults.append(
                MessageFault(
                    name, .tooMany,
                    "\(name) must have at most \(UsageRecord.Attribution.tagLimit) pairs, with those "
                        + "of the key."))
        }
        message.attribution.tags = UsageRecord.Attribution.text(of: pairs)
        return faults
    }

    private func fault(_ name: String, _ value: String, _ key: String? = nil) -> MessageFault {
        let place = key.map { "\(name).\($0)" } ?? name
        return MessageFault(
            name, .outOfBounds,
            "\(place) must be \(value), to which the key is bound, or be omitted.")
    }
}

/// By bytes: canonically equivalent strings are equal in Swift, but not in PostgreSQL.
private func isSame(_ text: String?, _ other: String) -> Bool {
    text.map { $0.utf8.elementsEqual(other.utf8) } ?? false
}

extension UsageRecord.Attribution {
    /// The maximum number of tags.
    public static let tagLimit = 8

    /// The tags.
    public var tagPairs: [(key: String, value: String)] {
        guard let tags, case .object(let members) = JSONItem(Array(tags.utf8)) else { return [] }
        return members.all.compactMap { member in
            guard case .string(let value) = member.value else { return nil }
            return (member.name, value)
        }
    }

    /// Tags as a JSON object, sorted by key; nil if there are none.
    public static func text(of tags: [(key: String, value: String)]) -> String? {
        guard !tags.isEmpty else { return nil }
        var json = JSONWriter()
        json.object { json in
            // Keys are ASCII: their order is that of code points.
            for tag in tags.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
                json.member(tag.key, tag.value)
            }
        }
        return String(decoding: json.bytes, as: UTF8.self)
    }
}
