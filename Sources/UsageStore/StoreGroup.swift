import Postgres
import Usage

/// The stores of one database in one process, whose threads ask and record together.
public final class StoreGroup: Sendable {
    private let revision: SharedAnswer<Int64>

    /// Single messages of many clients, recorded in one transaction.
    let recording = SharedBatch<NewMessage, RecordingOutcome?>()

    /// Makes a group of which up to `patientLimit` threads wait while the database is silent.
    public init(patientLimit: Int = .max) { revision = SharedAnswer(patientLimit: patientLimit) }

    /// The revision that `ask` reads, or that another thread's `ask` reads meanwhile.
    func revision(_ ask: () throws -> Int64) throws -> Int64 {
        do {
            return try revision.answer(ask)
        } catch is ServerSilent {
            throw DatabaseUnavailable(description: "no answer, and others wait for it already")
        }
    }
}
