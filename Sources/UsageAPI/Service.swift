public import Metrics
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

/// Counters that the routes of all workers share.
public final class ServiceMetrics: Sendable {
    /// Usage records sent.
    public let rows = Counter()

    /// Responses from the client's cache: 304.
    public let responsesOfClients = Counter()
    /// Responses from the response cache.
    public let responsesFromMemory = Counter()
    /// Responses from PostgreSQL.
    public let responsesFromDatabase = Counter()

    /// Newly recorded messages.
    public let created = Counter()
    /// Their credits, in hundredths.
    public let createdHundredths = Counter()
    /// Messages that had been recorded before.
    public let duplicates = Counter()
    /// Messages with the id of another message.
    public let conflicts = Counter()
    /// Messages that were rejected.
    public let invalid = Counter()

    /// Starts at 0.
    public init() {}

    /// Adds the outcomes of one request.
    func add(_ counts: BatchCounts) {
        created.add(counts.created)
        createdHundredths.add(counts.createdHundredths)
        duplicates.add(counts.duplicates)
        conflicts.add(counts.conflicts)
        invalid.add(counts.invalid)
    }
}
