import Postgres
import Synchronization
import Usage

/// The stores of one database in one process, whose threads ask and record together.
public final class StoreGroup: Sendable {
    private let revision: SharedAnswer<Int64>

    /// Single messages of many clients, recorded in one transaction.
    private let recording: SharedBatch<NewMessage, RecordingOutcome?>

    /// How tokens are counted, as far as the price list was read.
    private let counter = Mutex<TokenCounter?>(nil)

    private let tokenizers: Tokenizers

    private let zones = Mutex<Set<String>?>(nil)

    private let health: SharedAnswer<[HealthCheck]>

    /// The last checks without a fault, and until when they count.
    private let healthy = Mutex<(checks: [HealthCheck], until: ContinuousClock.Instant)?>(nil)

    /// How long the database counts as healthy without being asked again.
    private static var healthyPeriod: Duration { .milliseconds(500) }

    /// Makes a group of which up to `patientLimit` threads wait while the database is silent.
    public init(
        patientLimit: Int = .max, tokenizers: Tokenizers = Tokenizers(directory: "")
    ) {
        self.tokenizers = tokenizers
        health = SharedAnswer(patientLimit: patientLimit)
        revision = SharedAnswer(patientLimit: patientLimit)
        recording = SharedBatch(patientLimit: patientLimit)
    }

    /// The revision that `ask` reads, or that another thread's `ask` began to read after `instant`.
    func revision(
        since instant: ContinuousClock.Instant, _ ask: () throws -> Int64
    ) throws -> Int64 {
        try reportingSilence { try revision.answer(since: instant, ask) }
    }

    /// What became of `message`, recorded by `record` or by another thread's `record`.
    func outcome(
        of message: NewMessage, _ record: ([NewMessage]) throws -> [RecordingOutcome?]
    ) throws -> RecordingOutcome? {
        try reportingSilence { try recording.outcome(of: message, record) }
    }

    /// The counter of tokens; made anew when it `isOutdated`.
    func counter(_ connection: Connection, isOutdated: Bool) throws -> TokenCounter {
        if !isOutdated, let counter = counter.withLock({ $0 }) { return counter }
        let made = try TokenCounter(connection, tokenizers)
        counter.withLock { $0 = made }
        return made
    }

    /// The names of the time zones, once they were asked for.
    var zoneNames: Set<String>? { zones.withLock { $0 } }

    func remember(zoneNames: Set<String>) { zones.withLock { $0 = zoneNames } }

    /// The state of the database that `ask` finds, or another thread's `ask`, or one that found no
    /// fault in the last half second.
    func healthChecks(_ ask: () throws -> [HealthCheck]) throws -> [HealthCheck] {
        let now = ContinuousClock.now
        if let healthy = healthy.withLock({ $0 }), now < healthy.until { return healthy.checks }
        let checks = try reportingSilence { try health.answer(since: now, ask) }
        if checks.allSatisfy({ $0.fault == nil }) {
            healthy.withLock { $0 = (checks, now + Self.healthyPeriod) }
        }
        return checks
    }

    private func reportingSilence<Answer>(_ body: () throws -> Answer) throws -> Answer {
        do {
            return try body()
        } catch is ServerSilent {
            throw DatabaseUnavailable(description: "no answer, and others wait for it already")
        }
    }
}
