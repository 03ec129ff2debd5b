import Postgres
import UsageStore

/// What one request came to; each worker has one, which is opened anew for each request.
final class Account {
    /// When the request came.
    private(set) var arrival = ContinuousClock.now

    /// When a worker began with it.
    private(set) var beginning = ContinuousClock.now

    /// When its answer was known and began to be sent; nil when there was none.
    private(set) var answerBeginning: ContinuousClock.Instant?

    /// The status of the answer; 0 when there was none.
    private(set) var status = 0

    /// The place of its route in the table; nil when there is none.
    var route: Int?

    /// The bytes of its answer.
    var byteCount = 0

    private let store: UsageStore
    private var waitedBefore = Duration.zero
    private var commandsBefore = 0

    /// The database is reached through `store` alone.
    init(_ store: UsageStore) { self.store = store }

    /// How long it has waited for the database.
    var waited: Duration { store.waited - waitedBefore }

    /// How many commands it has sent there.
    var commandCount: Int { store.commandCount - commandsBefore }

    func open(arrival: ContinuousClock.Instant) {
        self.arrival = arrival
        beginning = .now
        answerBeginning = nil
        status = 0
        route = nil
        byteCount = 0
        waitedBefore = store.waited
        commandsBefore = store.commandCount
    }

    func answer(status: Int) {
        self.status = status
        answerBeginning = .now
    }
}
