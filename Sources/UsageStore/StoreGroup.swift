import Postgres
import Usage

/// The stores of one database in one process, whose threads ask and record together.
public final class StoreGroup: Sendable {
    private let revision: SharedAnswer<Int64>

    /// Single messages of many clients, recorded in one transaction.
    private let recording: SharedBatch<NewMessage, RecordingOutcome?>

    /// Makes a group of which up to `patientLimit` threads wait while the database is silent.
    public init(patientLimit: Int = .max) {
        revision = SharedAnswer(patientLimit: patientLimit)
        recording = SharedBatch(patientLimit: patientLimit)
    }

    /// The revision that `ask` reads, or that another thread's `ask` reads meanwhile.
    func revision(_ ask: () throws -> Int64) throws -> Int64 {
        try reportingSilence { try revision.answer(ask) }
    }

    /// What became of `message`, recorded by `record` or by another thread's `record`.
    func outcome(
        of message: NewMessage, _ record: ([NewMessage]) throws -> [RecordingOutcome?]
    ) throws -> RecordingOutcome? {
        try reportingSilence { try recording.outcome(of: message, record) }
    }

    private func reportingSilence<Answer>(_ body: () throws -> Answer) throws -> Answer {
        do {
            return try body()
        } catch is ServerSilent {
            throw DatabaseUnavailable(description: "no answer, and others wait for it already")
        }
    }
}
