public import UsageStore

/// What the routes work with; each worker has its own, with a cache and counters that all share.
public struct Service {
    /// The usage records.
    public let store: UsageStore

    /// Responses that were sent before.
    public let cache: ResponseCache

    /// `max-age` of responses to queries, in seconds; 0 makes clients revalidate each time.
    public let cacheSeconds: Int

    /// Whether reading needs a key, or a user whom the web server has authenticated.
    public let isKeyed: Bool

    /// Whether the process is about to stop.
    public var isDraining = false

    /// What is counted.
    public let metrics: ServiceMetrics

    let keys = KeyCache()
    let recordsQueries = QueryMemo<RecordsQuery>()
    let summaryQueries = QueryMemo<SummaryQuery>()

    /// Makes a service.
    public init(
        store: UsageStore, cache: ResponseCache, cacheSeconds: Int, isKeyed: Bool,
        metrics: ServiceMetrics = ServiceMetrics()
    ) {
        self.metrics = metrics
        self.store = store
        self.cache = cache
        self.cacheSeconds = cacheSeconds
        self.isKeyed = isKeyed
    }
}
