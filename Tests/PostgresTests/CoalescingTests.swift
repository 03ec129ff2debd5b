import Postgres
import TestSupport
import Testing

/// Random events in the life of pure state; the seed is in each failure.
@Suite struct `A coalesced query` {
    private typealias Query = CoalescedQuery<Int, Int>

    private static func instant(_ time: Int) -> ContinuousClock.Instant {
        origin + .milliseconds(time)
    }

    private static let origin = ContinuousClock.now

    /// The callers of one query, and what they know.
    private struct World {
        var query = Query()
        var time = 0
        /// Those who wait, with the time of their arrival.
        var waiting: [Int: Int] = [:]
        /// The one that has the turn, or runs since a time.
        var runner: (caller: Int, since: Int?)?
        var arrival: [Int: Int] = [:]
        var runs = 0
        var faults: [String] = []

        mutating func arrive(_ caller: Int) {
            arrival[caller] = time
            switch query.ask(since: instant(time), caller) {
            case .deliver(let answer): check(caller, answer)
            case .wait: waiting[caller] = time
            case .run: become(caller)
            }
        }

        mutating func become(_ caller: Int) {
            if runner != nil { faults.append("two runs at once") }
            runner = (caller, nil)
            runs += 1
        }

        /// A result is the time at which its run began.
        mutating func check(_ caller: Int, _ answer: Int) {
            if answer < arrival[caller, default: .max] { faults.append("an old answer") }
        }

        mutating func begin() {
            guard let (caller, since) = runner, since == nil else { return }
            query.begin(at: instant(time))
            runner = (caller, time)
        }

        mutating func end(_ outcome: Int) {
            guard let (caller, since) = runner, let since else { return }
            // Of six: four results, an error, a client that disconnected.
            let (served, next) = query.end(outcome < 4 ? since : nil, isAbandoned: outcome == 5)
            runner = nil
            if outcome < 4 { check(caller, since) }
            if outcome == 5 && !served.isEmpty { faults.append("an abandoned run is shared") }
            for other in served {
                if waiting.removeValue(forKey: other) == nil { faults.append("served twice") }
                // An error is of a run that everybody served shares.
                check(other, since)
            }
            if let next {
                if waiting.removeValue(forKey: next) == nil { faults.append("served twice") }
                become(next)
            } else if !waiting.isEmpty {
                faults.append("\(waiting.count) are forgotten")
            }
        }

        mutating func withdraw(_ caller: Int) {
            let isWaiting = waiting.removeValue(forKey: caller) != nil
            if query.withdraw(caller) != isWaiting { faults.append("a wrong withdrawal") }
        }
    }

    @Test func `never gives an old result, and resumes every caller once, whatever happens`() {
        for seed in UInt64(1)...500 {
            var random = SeededGenerator(seed)
            var world = World()
            for caller in 0..<200 {
                world.time += Int.random(in: 0...2, using: &random)
                switch Int.random(in: 0..<6, using: &random) {
                case 0...2: world.arrive(caller)
                case 3: world.begin()
                case 4: world.end(Int.random(in: 0..<6, using: &random))
                default: world.withdraw(Int.random(in: 0..<200, using: &random))
                }
            }
            while world.runner != nil {
                world.begin()
                world.end(0)
            }
            #expect(world.faults == [] && world.waiting.isEmpty, "seed \(seed)")
            #expect(world.runs <= world.arrival.count, "seed \(seed)")
        }
    }

    @Test func `is run once more for all who arrived during a run`() {
        var query = Query()
        #expect(query.ask(since: Self.instant(0), 0).isRun)
        query.begin(at: Self.instant(1))
        for caller in 1...7 { #expect(query.ask(since: Self.instant(2), caller).isWait) }
        let first = query.end(1)
        #expect(first.served == [] && first.next == 1)
        query.begin(at: Self.instant(3))
        let second = query.end(2)
        #expect(second.served == Array(2...7) && second.next == nil)
        #expect(query.ask(since: Self.instant(3), 8).answer == 2)
        #expect(query.ask(since: Self.instant(4), 8).isRun)
    }
}

extension CoalescedQuery.Action {
    fileprivate var isRun: Bool { if case .run = self { true } else { false } }
    fileprivate var isWait: Bool { if case .wait = self { true } else { false } }
    fileprivate var answer: Answer? { if case .deliver(let answer) = self { answer } else { nil } }
}

@Suite struct `Coalesced batches` {
    /// The callers, each with an item of its number.
    private struct World {
        var batches = CoalescedBatches<Int>()
        var waiting: Set<Int> = []
        /// Those that are to begin a batch, and the batches under way.
        var starting: [Int] = []
        var running: [[Int]] = []
        var handedOver: [Int] = []
        var faults: [String] = []

        mutating func arrive(_ caller: Int) {
            if batches.enter(caller) { start(caller) } else { waiting.insert(caller) }
        }

        mutating func start(_ caller: Int) {
            starting.append(caller)
            if starting.count + running.count > 2 { faults.append("three batches at once") }
        }

        mutating func begin() {
            guard !starting.isEmpty else { return }
            let batch = batches.begin(starting.removeFirst())
            for other in batch.dropFirst() where waiting.remove(other) == nil {
                faults.append("\(other) does not wait")
            }
            if batch.dropFirst().sorted() != Array(batch.dropFirst()) {
                faults.append("not in order")
            }
            handedOver += batch
            running.append(batch)
        }

        mutating func end() {
            guard !running.isEmpty else { return }
            running.removeFirst()
            guard let next = batches.end() else { return }
            if next != waiting.min() { faults.append("not in order") }
            waiting.remove(next)
            start(next)
        }

        mutating func withdraw(_ caller: Int) {
            let isWaiting = waiting.remove(caller) != nil
            if batches.withdraw(caller) != isWaiting { faults.append("a wrong withdrawal") }
        }
    }

    @Test func `lose no item and hand none over twice, whatever happens`() {
        for seed in UInt64(1)...500 {
            var random = SeededGenerator(seed)
            var world = World()
            var arrived: Set<Int> = []
            var withdrawn: Set<Int> = []
            for caller in 0..<200 {
                switch Int.random(in: 0..<6, using: &random) {
                case 0...2:
                    world.arrive(caller)
                    arrived.insert(caller)
                case 3: world.begin()
                case 4: world.end()
                default:
                    let other = Int.random(in: 0..<200, using: &random)
                    if world.waiting.contains(other) { withdrawn.insert(other) }
                    world.withdraw(other)
                }
            }
            while !(world.starting.isEmpty && world.running.isEmpty) {
                world.begin()
                world.end()
            }
            #expect(world.faults == [], "seed \(seed)")
            #expect(
                world.handedOver.sorted() == arrived.subtracting(withdrawn).sorted(),
                "seed \(seed)")
        }
    }
}
