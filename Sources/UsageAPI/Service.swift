public import UsageStore

/// The dependencies of the routes; each worker has its own, all share the cache and the metrics.
public struct Service {
    /// The usage records.
    public let store: UsageStore

    /// Cached responses.
    public let cache: ResponseCache

    /// `max-age` of responses to queries, in seconds; 0 makes clients revalidate each time.
    public let cacheSeconds: Int

    /// Whether reading needs a key or a user that the web server has authenticated.
    public let isKeyed: Bool

    /// Whether the process is shutting down.
    public var isDraining = false

    /// The counters.
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
