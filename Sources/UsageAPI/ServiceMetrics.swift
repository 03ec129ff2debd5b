public import Metrics

/// What all workers count while they handle requests, as long as the process runs.
public final class ServiceMetrics: Sendable {
    /// Usage records that were sent.
    public let rows = Counter()

    /// Queries whose response the client had already: 304.
    public let responsesOfClients = Counter()
    /// Queries whose response was cached.
    public let responsesFromMemory = Counter()
    /// Queries whose response was read from PostgreSQL.
    public let responsesFromDatabase = Counter()

    /// Messages that were recorded.
    public let created = Counter()
    /// What they cost, in hundredths of a credit.
    public let createdHundredths = Counter()
    /// Messages that were recorded before.
    public let duplicates = Counter()
    /// Messages whose id another one has.
    public let conflicts = Counter()
    /// Messages that cannot be recorded.
    public let invalid = Counter()

    /// Starts at 0.
    public init() {}

    /// Counts what became of messages.
    func add(_ counts: BatchCounts) {
        created.add(counts.created)
        createdHundredths.add(counts.createdHundredths)
        duplicates.add(counts.duplicates)
        conflicts.add(counts.conflicts)
        invalid.add(counts.invalid)
    }
}
