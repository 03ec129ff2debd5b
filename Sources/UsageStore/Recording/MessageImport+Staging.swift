import Postgres
import Usage

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
