extension UsageRecord.Kind {
    /// The kind's name.
    public var name: String {
        switch self {
        case .integer: "integer"
        case .timestamp: "timestamp"
        case .text: "text"
        case .credits: "credits"
        case .flag: "flag"
        }
    }

    /// Whether JSON has the value in quotes.
    public var isQuoted: Bool {
        switch self {
        case .timestamp, .text: true
        case .integer, .credits, .flag: false
        }
    }
}

extension UsageRecord {
    /// The value in `column` as JSON without quotes and CSV have it; nil where there is none.
    public func value(in column: Column) -> String? {
        switch column.kind {
        case .integer(let place): place.get(self).map { String($0) }
        case .timestamp(let place): place.get(self)?.description
        case .text(let place, _): place.get(self)
        case .credits(let place): place.get(self)?.description
        case .flag(let place): place.get(self) ? "true" : nil
        }
    }
}

extension UsageRecord.Column {
    /// What is wrong with a text for this column, from whatever source.
    public func faults(_ text: String) -> [MessageFault] {
        guard case .text(_, let limit?) = kind else { return [] }
        var faults: [MessageFault] = []
        switch limit {
        case .characters(let most) where !(1...most).contains(text.unicodeScalars.count):
            faults = [MessageFault(name, .malformed, "\(name) must have 1 to \(most) characters.")]
        case .mebibytes(let most) where text.utf8.count > most << 20:
            return [MessageFault(name, .outOfRange, "\(name) must have at most \(most) MiB.")]
        default: break
        }
        let holdsNUL = text.utf8.withContiguousStorageIfAvailable { $0.contains(0) }
        guard holdsNUL ?? text.utf8.contains(0) else { return faults }
        let reason = "\(name) holds a NUL character (U+0000), which PostgreSQL cannot store."
        return faults + [MessageFault(name, .malformed, reason)]
    }
}
