public import UsageStore

/// What routes may ask: the records, what is remembered of them, and the state of the process.
///
/// Each worker has its own; only the answers kept are shared.
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
    public let isDraining: () -> Bool

    /// Tells the operator what a client is not told.
    public let report: (String) -> Void

    /// What is counted.
    public let metrics: ServiceMetrics

    /// The metrics of the whole process, as text.
    public let exposition: () -> String

    let keys = KeyMemo()
    let recordsQueries = QueryMemo<RecordsQuery>()
    let summaryQueries = QueryMemo<SummaryQuery>()

    /// Makes a service.
    public init(
        store: UsageStore, cache: AnswerCache, cacheSeconds: Int, isKeyed: Bool,
        claimBulkSlot: @escaping () throws -> Void, isDraining: @escaping () -> Bool,
        metrics: ServiceMetrics = ServiceMetrics(), exposition: @escaping () -> String = { "" },
        report: @escaping (String) -> Void
    ) {
        self.metrics = metrics
        self.exposition = exposition
        self.store = store
        self.cache = cache
        self.cacheSeconds = cacheSeconds
        self.isKeyed = isKeyed
        self.claimBulkSlot = claimBulkSlot
        self.isDraining = isDraining
        self.report = report
    }
}
