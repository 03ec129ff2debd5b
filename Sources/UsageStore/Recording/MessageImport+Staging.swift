import Postgres
import Usage

/// The attributions of staged messages; each has its index as a key.
struct StagedAttributions {
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

    /// The attribution with that key.
    subscript(_ key: Int64?) -> UsageRecord.Attribution {
        key.map { all[Int($0)] } ?? UsageRecord.Attribution()
    }
}

extension MessageImport.Rejection {
    /// Reads a reason of `RecordingStatements.rejected`.
    init(_ reason: String, price: Credits?, differing: [String]) {
        if let refusal = MessageRefusal(rawValue: reason) {
            self = .refused(refusal)
        } else {
            switch reason {
            case "rate": self = .otherRate
            case "credits": self = .otherCredits(price ?? Credits(hundredths: 0))
            default: self = .conflict(differing)
            }
        }
    }
}

extension CopyWriter {
    /// Appends the value of `record` in `column`; 1 for true.
    func append(_ record: UsageRecord, _ column: UsageRecord.Column) {
        switch column.kind {
        case .integer(let place): append(integer: place.get(record))
        case .timestamp(let place):
            append(integer: place.get(record)?.postgresMicroseconds)
        case .text(let place, _): append(text: place.get(record))
        case .credits(let place): append(integer: place.get(record)?.hundredths)
        case .flag(let place): append(integer: place.get(record) ? 1 : nil)
        case .tags(let place): append(text: place.get(record))
        }
    }
}

/// The text is not in the file, so its tokens cannot be counted.
struct TextMissing: Error {}
