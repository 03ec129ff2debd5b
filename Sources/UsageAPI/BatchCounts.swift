import MessageReader
import Usage
import UsageStore

/// What became of the messages of one request, in numbers.
struct BatchCounts {
    private(set) var created = 0
    private(set) var createdHundredths = 0
    private(set) var duplicates = 0
    private(set) var conflicts = 0
    private(set) var invalid = 0

    /// Counts; of the items, those that hold a message have an outcome.
    init(_ items: [MessageItem], _ outcomes: [RecordingOutcome]) {
        invalid = items.count { $0.message == nil }
        for outcome in outcomes {
            switch outcome {
            case .created(let record):
                created += 1
                createdHundredths += Int(record.creditsUsed?.hundredths ?? 0)
            case .duplicate: duplicates += 1
            case .conflict: conflicts += 1
            case .refused: invalid += 1
            }
        }
    }
}
