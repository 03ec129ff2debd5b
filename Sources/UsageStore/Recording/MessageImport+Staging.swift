import Postgres
public import Usage

extension MessageImport {
    /// The results of the staged messages.
    public struct Outcome: Equatable, Sendable {
        /// Messages that were recorded.
        public var created = 0
        /// Messages that had already been recorded, with the same content.
        public var duplicates = 0
        /// Messages whose id is recorded with different content, or whose credits or rate differ.
        public var conflicts = 0
        /// Invalid messages.
        public var invalid = 0
    }

    /// Why a staged message was refused.
    public enum Rejection: Sendable {
        /// One of its ids is recorded with different content: the members that differ.
        case conflict([String])
        /// Its credits differ from those by the price list, which are these.
        case otherCredits(Credits)
        /// Its rate in the file is not the one in force at its time.
        case otherRate
        /// It is invalid.
        case refused(MessageRefusal)
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
