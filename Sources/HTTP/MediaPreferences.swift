/// The media types that a client accepts (`Accept`, RFC 9110, section 12.5.1).
public struct MediaPreferences: Sendable {
    private struct Range {
        let type: String
        let subtype: String
        let thousandths: Int
    }

    private let ranges: [Range]

    /// Parses the field's value; without a valid media range, every type is accepted.
    public init(_ field: String?) {
        let ranges = (field ?? "").split(separator: ",").compactMap(Self.range)
        self.ranges = ranges.isEmpty ? [Range(type: "*", subtype: "*", thousandths: 1000)] : ranges
    }

    /// The preferred one of `types`, such as `text/csv`; the first one of equal weight.
    ///
    /// Nil if the client accepts none of them.
    public func best(of types: [String]) -> String? {
        var best: (type: String, quality: Int)?
        for type in types {
            let quality = quality(of: type)
            if quality > best?.quality ?? 0 { best = (type, quality) }
        }
        return best?.type
    }

    /// The weight of the most specific range that contains `mediaType`; 0 if none does.
    private func quality(of mediaType: String) -> Int {
        let parts = mediaType.split(separator: "/").map(String.init)
        let exact = ranges.filter { $0.type == parts[0] && $0.subtype == parts[1] }
        let family = ranges.filter { $0.type == parts[0] && $0.subtype == "*" }
        let all = ranges.filter { $0.type == "*" && $0.subtype == "*" }
        let matching = [exact, family, all].first { !$0.isEmpty } ?? []
        return matching.map(\.thousandths).max() ?? 0
    }

    private static func range(_ part: Substring) -> Range? {
        let pieces = part.split(separator: ";").map { $0.trimmingBlanks.lowercased() }
        let names = (pieces.first ?? "").split(separator: "/", omittingEmptySubsequences: false)
        guard names.count == 2, names.allSatisfy({ !$0.isEmpty }) else { return nil }
        var thousandths = 1000
        for piece in pieces.dropFirst() where piece.hasPrefix("q=") {
            guard let weight = weight(piece.dropFirst(2)) else { return nil }
            thousandths = weight
        }
        return Range(type: String(names[0]), subtype: String(names[1]), thousandths: thousandths)
    }

    /// Parses a weight from 0 to 1 with up to three decimals; in thousandths.
    private static func weight(_ text: Substring) -> Int? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let decimals = parts.count == 2 ? parts[1] : ""
        guard let whole = Int(parts[0]), parts[0].utf8.count == 1, decimals.utf8.count <= 3,
            decimals.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        let padded = decimals + String(repeating: "0", count: 3 - decimals.utf8.count)
        let weight = whole * 1000 + (Int(padded) ?? 0)
        return (0...1000).contains(weight) ? weight : nil
    }
}
