public import Metrics

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
