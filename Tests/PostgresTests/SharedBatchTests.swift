import Foundation
import Postgres
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct `A shared batch` {
    /// What became of the items of a crowd of threads.
    private final class Crowd: Sendable {
        let given = Mutex<[Int: Int]>([:])
        let refused = Mutex<Set<Int>>([])
        let batches = Mutex<[[Int]]>([])

        /// Each of `items` comes in a thread of its own; the first two batches take 0.3 s, later ones
        /// `seconds`.
        init(_ items: Range<Int>, in batch: SharedBatch<Int, Int>, seconds: Double) {
            let group = DispatchGroup()
            for item in items {
                let thread = Thread {
                    do {
                        let outcome = try batch.outcome(of: item) { items in
                            let number = self.batches.withLock {
                                $0.append(items)
                                return $0.count
                            }
                            Thread.sleep(forTimeInterval: number > 2 ? seconds : 0.3)
                            return items.map { $0 * 2 }
                        }
                        self.given.withLock { $0[item] = outcome }
                    } catch {
                        _ = self.refused.withLock { $0.insert(item) }
                    }
                    group.leave()
                }
                group.enter()
                thread.start()
            }
            #expect(group.wait(timeout: .now() + 40) == .success)
        }

        var handedOver: [Int] { batches.withLock { $0.flatMap(\.self) } }
    }

    @Test func `gives each thread the outcome of its own item`() {
        let crowd = Crowd(0..<40, in: SharedBatch(), seconds: 0.05)
        #expect(
            crowd.given.withLock { $0 }
                == Dictionary(uniqueKeysWithValues: (0..<40).map { ($0, $0 * 2) }))
        #expect(crowd.handedOver.sorted() == Array(0..<40))
        #expect(crowd.batches.withLock { $0.count } < 10)
    }

    /// The client of an item that is given up sends it again, and would be charged twice.
    @Test func `gives up no item that was handed over, however long that takes`() {
        let crowd = Crowd(0..<12, in: SharedBatch(patientLimit: 3), seconds: 0.8)
        let (given, refused) = (crowd.given.withLock { $0 }, crowd.refused.withLock { $0 })
        #expect(given.count + refused.count == 12 && given.allSatisfy { $1 == $0 * 2 })
        #expect(crowd.handedOver.sorted() == given.keys.sorted())
        #expect(refused.count >= 6, "a slow server holds more threads than it may")
    }
}
