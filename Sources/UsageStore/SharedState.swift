import Postgres
import Threads
import Tokenizer
import Usage

/// What all workers of a process share to use one database: connections, admission, coalesced
/// queries, batches and small caches.
public final class SharedState: Sendable {
    let revisions = QueryCoalescer<Revisions>()

    /// Single messages of many clients, recorded in one transaction.
    let recording = BatchCoalescer<UsageRecord, RecordingOutcome?>()

    /// The admission gate of all requests that may wait for the database.
    public let admission: Admission

    /// The cached token counter.
    private let counter = Lock<TokenCounter?>(nil)

    let tokenizers: Tokenizers

    /// The cached numbers of attributions.
    let attributions: Attributions

    /// Whether texts of messages are stored; otherwise their digests are.
    let storesTexts: Bool

    let connections = ConnectionPool()

    private let zones = Lock<Set<String>?>(nil)

    private let health = QueryCoalescer<[HealthCheck]>()

    private struct Health {
        /// The last checks without a fault, and when they began.
        var last: (checks: [HealthCheck], since: ContinuousClock.Instant)?
        /// When a request last saw a database error.
        var failedAt: ContinuousClock.Instant?

        /// The last checks, if they began within `period`.
        func checks(within period: Duration) -> [HealthCheck]? {
            guard let last, last.since + period > .now else { return nil }
            if let failedAt, failedAt >= last.since { return nil }
            return last.checks
        }
    }

    private let lastHealth = Lock(Health())

    /// The tokenizers that the price list required at the last readiness check.
    let neededTokenizers = Lock<Set<TokenEncoding>>([])

    /// Makes the state; without `admission`, every request is admitted.
    ///
    /// Beyond number `attributionLimit`, no new attributions are created; 0: no limit. Unless it
    /// `storesTexts`, the digests of texts are stored in their place.
    public init(
        admission: Admission = Admission(), tokenizers: Tokenizers = Tokenizers(directory: ""),
        attributionLimit: Int = 0, storesTexts: Bool = true
    ) {
        self.storesTexts = storesTexts
        self.admission = admission
        attributions = Attributions(limit: attributionLimit)
        self.tokenizers = tokenizers
    }

    /// The token counter; reads the price list again if it `isOutdated`.
    func counter(_ connection: Connection, isOutdated: Bool) throws -> TokenCounter {
        if !isOutdated, let counter = counter.withLock({ $0 }) { return counter }
        let made = try TokenCounter(connection, tokenizers)
        counter.withLock { $0 = made }
        return made
    }

    /// The cached names of the time zones.
    var zoneNames: Set<String>? { zones.withLock { $0 } }

    func remember(zoneNames: Set<String>) { zones.withLock { $0 = zoneNames } }

    /// Closes the idle connections now, and the others when they are returned; returns how many were
    /// idle.
    public func close() -> Int { connections.close() }

    /// Makes the next health check query the database, because a request has just failed.
    func noteFailure() { lastHealth.withLock { $0.failedAt = .now } }

    /// A successful check that began within `period`, if no request has seen a database error since.
    func lastHealthChecks(within period: Duration) -> [HealthCheck]? {
        lastHealth.withLock { $0.checks(within: period) }
    }

    /// The result of `query`, or of another thread's `query` that begins from now on.
    func healthChecks(
        until deadline: ContinuousClock.Instant, _ query: () throws -> [HealthCheck]
    ) throws -> [HealthCheck] {
        let now = ContinuousClock.now
        let checks = try health.answer(since: now, until: deadline, query)
        if checks.allSatisfy({ $0.fault == nil }) {
            lastHealth.withLock { $0.last = (checks, now) }
        }
        return checks
    }
}
