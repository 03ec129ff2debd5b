import Glibc

/// Items that many threads want to have worked on at once, and one of them hands over for all.
///
/// While two batches are under way, the items that come form the next one: while one of the two is
/// written to disk, the other is worked on.
public final class SharedBatch<Item: Sendable, Outcome: Sendable>: @unchecked Sendable {
    private final class Ticket {
        let item: Item
        var isTaken = false
        var result: Result<Outcome, any Error>?

        init(_ item: Item) { self.item = item }
    }

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var waiting: [Ticket] = []
    private var runningCount = 0

    private static var runningLimit: Int { 2 }

    /// Starts with nothing to do.
    public init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// What became of `item`, by this thread's `run` or by another's.
    ///
    /// `run` gets a batch with at least one item and returns as many outcomes. Its error is that of
    /// all items in the batch, but for `QueryAbandoned`, which tells of one thread's client only.
    public func outcome(of item: Item, _ run: ([Item]) throws -> [Outcome]) throws -> Outcome {
        let ticket = Ticket(item)
        pthread_mutex_lock(mutex)
        waiting.append(ticket)
        while ticket.result == nil && (ticket.isTaken || runningCount >= Self.runningLimit) {
            pthread_cond_wait(condition, mutex)
        }
        if let result = ticket.result {
            pthread_mutex_unlock(mutex)
            return try result.get()
        }
        runningCount += 1
        let batch = waiting
        batch.forEach { $0.isTaken = true }
        waiting.removeAll()
        pthread_mutex_unlock(mutex)
        let results = Result { try run(batch.map(\.item)) }
        pthread_mutex_lock(mutex)
        runningCount -= 1
        deliver(results, to: batch, leader: ticket)
        pthread_mutex_unlock(mutex)
        pthread_cond_broadcast(condition)
        return try (ticket.result ?? .failure(QueryAbandoned())).get()
    }

    private func deliver(
        _ results: Result<[Outcome], any Error>, to batch: [Ticket], leader: Ticket
    ) {
        switch results {
        case .success(let outcomes):
            for (ticket, outcome) in zip(batch, outcomes) { ticket.result = .success(outcome) }
        case .failure(let error as QueryAbandoned):
            leader.result = .failure(error)
            let others = batch.filter { $0 !== leader }
            others.forEach { $0.isTaken = false }
            waiting.insert(contentsOf: others, at: 0)
        case .failure(let error):
            for ticket in batch { ticket.result = .failure(error) }
        }
    }
}
