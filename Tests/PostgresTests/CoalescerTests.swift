import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

/// The threads around the pure state, which has tests of its own.
@Suite(.timeLimit(.minutes(1))) struct `Threads that coalesce` {
    private static var later: ContinuousClock.Instant { .now + .seconds(20) }

    private struct Failure: Error {}

    @Test func `share a query's failure, but not that a client has gone`() throws {
        let query = QueryCoalescer<Int>()
        let ask = { (answer: Result<Int, any Error>) in
            try query.answer(until: Self.later) { try answer.get() }
        }
        #expect(throws: QueryAbandoned.self) { try ask(.failure(QueryAbandoned())) }
        #expect(try ask(.success(5)) == 5)
        #expect(throws: Failure.self) { try ask(.failure(Failure())) }
        #expect(try ask(.success(6)) == 6)
    }

    @Test func `run a query once for all who arrive during another run`() throws {
        let query = QueryCoalescer<Int>()
        let runs = Mutex(0)
        let isHeld = Mutex(true)
        let crowd = Crowd(8) { number in
            try query.answer(until: Self.later) {
                let count = runs.withLock {
                    $0 += 1
                    return $0
                }
                if count == 1 { #expect(eventually { isHeld.withLock { !$0 } }) }
                return count
            }
        }
        #expect(eventually { runs.withLock { $0 } == 1 && crowd.startedCount == 8 })
        isHeld.withLock { $0 = false }
        #expect(crowd.outcomes.values.allSatisfy { (try? $0.get()) != nil })
        // Whoever came after the second run had begun needs a third one.
        #expect(runs.withLock { $0 } <= 4)
    }

    @Test func `get the outcome of their own item, each handed over once`() throws {
        let coalescer = BatchCoalescer<Int, Int>()
        let handedOver = Mutex<[Int]>([])
        let crowd = Crowd(40) { number in
            try coalescer.outcome(of: number, until: Self.later) { items, _ in
                handedOver.withLock { $0 += items }
                return items.map { $0 * 2 }
            }
        }
        let outcomes = crowd.outcomes.mapValues { try? $0.get() }
        #expect(outcomes == Dictionary(uniqueKeysWithValues: (0..<40).map { ($0, $0 * 2) }))
        #expect(handedOver.withLock { $0.sorted() } == Array(0..<40))
    }

    /// The client of an item that is given up sends it again, and would be charged twice.
    @Test func `give up at their deadline, unless their item was handed over`() throws {
        let coalescer = BatchCoalescer<Int, Int>()
        let isHeld = Mutex(true)
        let handedOver = Mutex<[Int]>([])
        let run = { @Sendable (items: [Int], _: ContinuousClock.Instant) in
            handedOver.withLock { $0 += items }
            #expect(eventually { isHeld.withLock { !$0 } })
            return items
        }
        let crowd = Crowd(2) { number in
            try coalescer.outcome(of: number, until: .now + .milliseconds(10), run)
        }
        #expect(eventually { handedOver.withLock { $0.count } == 2 })
        let error = #expect(throws: PostgresError.self) {
            try coalescer.outcome(of: 2, until: .now + .milliseconds(10), run)
        }
        #expect(error?.isUnavailability == true)
        isHeld.withLock { $0 = false }
        #expect(crowd.outcomes.mapValues { try? $0.get() } == [0: 0, 1: 1])
        #expect(handedOver.withLock { $0.sorted() } == [0, 1])
    }

    @Test func `run a batch with the earliest deadline of its members`() throws {
        let coalescer = BatchCoalescer<Int, Int>()
        let deadline = Self.later
        let outcome = try coalescer.outcome(of: 1, until: deadline) { items, earliest in
            #expect(earliest == deadline)
            return items
        }
        #expect(outcome == 1)
    }
}

/// Threads that each do something with their number.
private final class Crowd: Sendable {
    private let started = Mutex(0)
    private let found = Mutex<[Int: Result<Int, any Error>]>([:])
    private let count: Int

    init(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Int) {
        self.count = count
        for number in 0..<count {
            Thread.detachNewThread { [self] in
                started.withLock { $0 += 1 }
                let outcome = Result { try body(number) }
                found.withLock { $0[number] = outcome }
            }
        }
    }

    var startedCount: Int { started.withLock { $0 } }

    /// What came of each, once all have ended.
    var outcomes: [Int: Result<Int, any Error>] {
        #expect(eventually { found.withLock { $0.count } == count })
        return found.withLock { $0 }
    }
}
