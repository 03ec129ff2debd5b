import Postgres
import Synchronization
import Usage

/// The stores of one database in one process, whose threads ask and record together.
public final class StoreGroup: Sendable {
    private let revision: SharedAnswer<Revisions>

    /// Single messages of many clients, recorded in one transaction.
    private let recording: SharedBatch<UsageRecord, RecordingOutcome?>

    /// How tokens are counted, as far as the price list was read.
    private let counter = Mutex<TokenCounter?>(nil)

    let tokenizers: Tokenizers

    let connections = ConnectionPool()

    private let zones = Mutex<Set<String>?>(nil)

    private let health: SharedAnswer<[HealthCheck]>

    private struct Health {
        /// The last checks without a fault, and a time not later than their start.
        var last: (checks: [HealthCheck], since: ContinuousClock.Instant)?
        /// When a request last saw a database error.
        var failedAt: ContinuousClock.Instant?

        /// The last checks, while they are valid.
        func current(at now: ContinuousClock.Instant) -> [HealthCheck]? {
            guard let last, now < last.since + StoreGroup.healthyPeriod else { return nil }
            if let failedAt, failedAt >= last.since { return nil }
            return last.checks
        }
    }

    private let lastHealth = Mutex(Health())

    /// How long a successful check is valid, unless a request sees a database error.
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

    /// The revisions that `ask` reads, or that another thread's `ask` began to read after `instant`.
    func revisions(
        since instant: ContinuousClock.Instant, _ ask: () throws -> Revisions
    ) throws -> Revisions {
        try reportingSilence { try revision.answer(since: instant, ask) }
    }

    /// What became of `message`, recorded by `record` or by another thread's `record`.
    func outcome(
        of message: UsageRecord, _ record: ([UsageRecord]) throws -> [RecordingOutcome?]
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

    /// Closes the idle connections now, and the others when they are given back.
    public func close() { connections.close() }

    /// Makes the next health check query the database, because a request has just failed.
    func noteFailure() { lastHealth.withLock { $0.failedAt = .now } }

    /// The result of `ask`, of another thread's concurrent `ask`, or of a successful one in the
    /// last half second if no request has seen a database error since.
    func healthChecks(_ ask: () throws -> [HealthCheck]) throws -> [HealthCheck] {
        let now = ContinuousClock.now
        let known = lastHealth.withLock { $0.current(at: now) }
        if let known { return known }
        let checks = try reportingSilence { try health.answer(since: now, ask) }
        if checks.allSatisfy({ $0.fault == nil }) {
            lastHealth.withLock { $0.last = (checks, now) }
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
