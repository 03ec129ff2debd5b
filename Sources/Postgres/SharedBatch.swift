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

    private let patientLimit: Int
    private var waitingCount = 0

    /// Starts with nothing to do.
    ///
    /// Of the threads, up to `patientLimit` wait however long it takes; the others give up after
    /// half a second, so that a slow server does not hold all of them.
    public init(patientLimit: Int = .max) {
        self.patientLimit = patientLimit
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// What became of `item`, by this thread's `run` or by another's.
    ///
    /// `run` gets a batch with at least one item and returns as many outcomes; its error is that of
    /// all items in the batch, done or not. Throws `ServerSilent` in a thread that may not wait
    /// longer, whose item may be done nevertheless.
    public func outcome(of item: Item, _ run: ([Item]) throws -> [Outcome]) throws -> Outcome {
        let ticket = Ticket(item)
        pthread_mutex_lock(mutex)
        waiting.append(ticket)
        while ticket.result == nil && (ticket.isTaken || runningCount >= Self.runningLimit) {
            guard wait() else {
                waiting.removeAll { $0 === ticket }
                pthread_mutex_unlock(mutex)
                throw ServerSilent()
            }
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
        deliver(results, to: batch)
        pthread_mutex_unlock(mutex)
        pthread_cond_broadcast(condition)
        return try (ticket.result ?? .failure(ServerSilent())).get()
    }

    private func deliver(_ results: Result<[Outcome], any Error>, to batch: [Ticket]) {
        switch results {
        case .success(let outcomes):
            for (ticket, outcome) in zip(batch, outcomes) { ticket.result = .success(outcome) }
        case .failure(let error):
            // Never tried again: some of it may have been done.
            for ticket in batch { ticket.result = .failure(error) }
        }
    }

    /// Waits for what the others do; false when this thread gives up.
    private func wait() -> Bool {
        waitingCount += 1
        defer { waitingCount -= 1 }
        guard waitingCount + runningCount > patientLimit else {
            pthread_cond_wait(condition, mutex)
            return true
        }
        var deadline = timespec()
        clock_gettime(CLOCK_MONOTONIC, &deadline)
        deadline.tv_nsec += 500_000_000
        if deadline.tv_nsec >= 1_000_000_000 {
            deadline.tv_sec += 1
            deadline.tv_nsec -= 1_000_000_000
        }
        return pthread_cond_timedwait(condition, mutex, &deadline) != ETIMEDOUT
    }
}
