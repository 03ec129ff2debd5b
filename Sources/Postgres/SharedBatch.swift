import Glibc
import Threads

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

    private let lock = Lock()
    private var waiting: [Ticket] = []
    private var runningCount = 0

    private static var runningLimit: Int { 2 }
    private static var patience: Duration { .milliseconds(500) }

    private let patientLimit: Int
    private var waitingCount = 0
    private var takenCount = 0

    /// Starts with nothing to do.
    ///
    /// Of the threads, up to `patientLimit` wait however long it takes; the others give up after
    /// half a second, so that a slow server does not hold all of them. Only what no batch has taken
    /// is given up.
    public init(patientLimit: Int = .max) { self.patientLimit = patientLimit }

    /// What became of `item`, by this thread's `run` or by another's.
    ///
    /// `run` gets a batch with at least one item and returns as many outcomes; its error is that of
    /// all items in the batch, done or not. Throws `ServerSilent` in a thread that may not wait
    /// longer; its item was not handed over, and will not be.
    public func outcome(of item: Item, _ run: ([Item]) throws -> [Outcome]) throws -> Outcome {
        let ticket = Ticket(item)
        let batch = try lock.whileLocked { () throws(ServerSilent) in try enter(ticket) }
        if !batch.isEmpty {
            let results = Result { try run(batch.map(\.item)) }
            lock.whileLocked {
                runningCount -= 1
                takenCount -= batch.count - 1
                deliver(results, to: batch)
            }
            lock.wakeAll()
        }
        guard let result = ticket.result else { preconditionFailure("a batch left out an item") }
        return try result.get()
    }

    /// Waits for the ticket's result; a batch with the ticket in it when this thread is to run it.
    private func enter(_ ticket: Ticket) throws(ServerSilent) -> [Ticket] {
        waiting.append(ticket)
        while ticket.result == nil && (ticket.isTaken || runningCount >= Self.runningLimit) {
            guard wait(for: ticket) else {
                waiting.removeAll { $0 === ticket }
                throw ServerSilent()
            }
        }
        if ticket.result != nil { return [] }
        return batch(with: ticket)
    }

    /// This thread's ticket, and those of as many others as may be held by a slow server.
    private func batch(with ticket: Ticket) -> [Ticket] {
        runningCount += 1
        waiting.removeAll { $0 === ticket }
        let others = waiting.prefix(max(0, patientLimit - runningCount - takenCount))
        waiting.removeFirst(others.count)
        takenCount += others.count
        others.forEach { $0.isTaken = true }
        return [ticket] + others
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
    private func wait(for ticket: Ticket) -> Bool {
        waitingCount += 1
        defer { waitingCount -= 1 }
        if !ticket.isTaken && waitingCount + runningCount > patientLimit {
            // What was taken meanwhile may be done, and is waited for.
            return lock.wait(for: Self.patience) || ticket.isTaken
        }
        lock.wait()
        return true
    }
}
