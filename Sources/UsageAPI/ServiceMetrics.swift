public import Metrics

/// What all workers count of their answers, as long as the process lives.
public final class ServiceMetrics: Sendable {
    /// Usage records that were sent.
    public let rows = Counter()

    /// Queries to which the client had the answer already.
    public let answersOfClients = Counter()
    /// Queries that were answered from memory.
    public let answersFromMemory = Counter()
    /// Queries that PostgreSQL has answered.
    public let answersFromDatabase = Counter()

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
