public import UsageStore

/// What the routes work with; each worker has its own, with a cache and counters that all share.
public struct Service {
    /// The usage records.
    public let store: UsageStore

    /// Answers that were given before.
    public let cache: AnswerCache

    /// Seconds for which clients may use an answer without asking again.
    public let cacheSeconds: Int

    /// Whether reading wants a key, or a user whom the web server knows.
    public let isKeyed: Bool

    /// Takes one of the places for long answers; throws a 503 when none is free.
    public let claimBulkSlot: () throws -> Void

    /// Whether the process is about to stop.
    public var isDraining = false

    /// What is counted.
    public let metrics: ServiceMetrics

    let keys = KeyCache()
    let recordsQueries = QueryMemo<RecordsQuery>()
    let summaryQueries = QueryMemo<SummaryQuery>()

    /// Makes a service.
    public init(
        store: UsageStore, cache: AnswerCache, cacheSeconds: Int, isKeyed: Bool,
        claimBulkSlot: @escaping () throws -> Void, metrics: ServiceMetrics = ServiceMetrics()
    ) {
        self.metrics = metrics
        self.store = store
        self.cache = cache
        self.cacheSeconds = cacheSeconds
        self.isKeyed = isKeyed
        self.claimBulkSlot = claimBulkSlot
    }
}
