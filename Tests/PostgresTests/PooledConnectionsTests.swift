import Postgres
import TestSupport
import Testing

/// Random events in the life of pure state; the seed is in each failure.
@Suite struct `Pooled connections` {
    private typealias Pool = PooledConnections<Int, Int>

    private static let origin = ContinuousClock.now

    private static func instant(_ seconds: Int) -> ContinuousClock.Instant {
        origin + .seconds(seconds)
    }

    /// A server that grants few connections, and the callers of a pool.
    private struct World {
        var pool = Pool()
        var time = 0
        var granted: Int
        var openedCount = 0
        var isClosed = false
        /// Connections, by number.
        var idle: [Int] = []
        var lent: [Int] = []
        /// Callers.
        var opening: [Int] = []
        var waiting: [Int] = []
        /// Those that were refused, and are about to borrow again.
        var refused: [Int] = []
        /// What the server last granted, and until when the pool must not ask for more.
        var limit: (count: Int, end: Int)?
        var reported: Int?
        var faults: [String] = []

        var total: Int { idle.count + lent.count + opening.count }

        mutating func borrow(_ caller: Int, isRefused: Bool = false) {
            let isFull = limit.map { total >= $0.count && time < $0.end } ?? false
            let mustWait = total > 0 && (isFull || isRefused)
            switch pool.borrow(at: instant(time), isRefused: isRefused, caller) {
            case .use(let connection):
                if isClosed { faults.append("an idle connection after close") }
                if idle.popLast() != connection { faults.append("not the last one") }
                lent.append(connection)
            case .open:
                if !idle.isEmpty { faults.append("opens beside an idle one") }
                if mustWait { faults.append("opens beyond what is granted") }
                if let limit, total > 0, total >= limit.count { self.limit?.end = time + 10 }
                opening.append(caller)
            case .wait:
                if !idle.isEmpty || !mustWait { faults.append("waits without need") }
                waiting.append(caller)
            }
        }

        /// The attempt of a caller to connect ends: with an error, a refusal or a connection.
        mutating func connect(_ place: Int, isUnreachable: Bool) {
            guard opening.indices.contains(place) else { return }
            let caller = opening.remove(at: place)
            if !isUnreachable, idle.count + lent.count < granted {
                openedCount += 1
                lent.append(openedCount)
                pool.opened()
                if let limit, idle.count + lent.count > limit.count { self.limit = nil }
                return
            }
            switch pool.failed(at: instant(time), isRefused: !isUnreachable) {
            case .retry(let news):
                if isUnreachable || total == 0 { faults.append("retries an error") }
                let count = idle.count + lent.count
                let isNews = opening.isEmpty && reported != count
                if news != (isNews ? count : nil) { faults.append("reports \(news ?? -1)") }
                if isNews { reported = count }
                limit = (count, time + 10)
                refused.append(caller)
            case .fail(let next):
                if !isUnreachable && total > 0 { faults.append("fails beside connections") }
                resume(next, with: nil)
            }
        }

        mutating func borrowAgain(_ place: Int) {
            guard refused.indices.contains(place) else { return }
            borrow(refused.remove(at: place), isRefused: true)
        }

        /// A connection is returned, or was found unusable.
        mutating func giveBack(_ place: Int, isBroken: Bool) {
            guard lent.indices.contains(place) else { return }
            let connection = lent.remove(at: place)
            if isBroken { return resume(pool.giveUp(), with: nil) }
            if waiting.isEmpty && !isClosed { idle.append(connection) }
            resume(pool.giveBack(connection), with: connection)
        }

        /// The pool returns a caller, which gets the connection or opens one.
        mutating func resume(_ next: Int?, with connection: Int?) {
            if next != waiting.first { faults.append("not the first one that waits") }
            guard let next, !waiting.isEmpty else { return }
            waiting.removeFirst()
            if let connection { lent.append(connection) } else { opening.append(next) }
        }

        mutating func withdraw(_ caller: Int) {
            let isWaiting = waiting.contains(caller)
            waiting.removeAll { $0 == caller }
            if pool.withdraw(caller) != isWaiting { faults.append("a wrong withdrawal") }
        }

        mutating func close() {
            if pool.close() != idle { faults.append("does not close the idle ones") }
            idle = []
            isClosed = true
        }

        mutating func verify() {
            if pool.waiting != waiting { faults.append("others wait") }
            if pool.granted != limit.map({ max(1, $0.count) }) { faults.append("grants others") }
            if !waiting.isEmpty, !idle.isEmpty || total == 0 { faults.append("a lost waiter") }
        }

        /// All attempts end, and all connections are returned.
        mutating func settle() {
            for _ in 0..<1000 where !opening.isEmpty || !lent.isEmpty || !refused.isEmpty {
                borrowAgain(0)
                connect(0, isUnreachable: false)
                giveBack(0, isBroken: false)
                verify()
            }
        }
    }

    @Test func `are lent within what is granted, and to all who wait in order, whatever happens`() {
        for seed in UInt64(1)...500 {
            var random = SeededGenerator(seed)
            var world = World(granted: Int.random(in: 0...4, using: &random))
            for caller in 0..<300 {
                world.time += [0, 0, 1, 5].randomElement(using: &random) ?? 0
                let place = Int.random(in: 0...2, using: &random)
                switch Int.random(in: 0..<40, using: &random) {
                case 0...9: world.borrow(caller)
                case 10...14: world.borrowAgain(place)
                case 15...22:
                    world.connect(place, isUnreachable: Int.random(in: 0..<6, using: &random) == 0)
                case 23...35:
                    world.giveBack(place, isBroken: Int.random(in: 0..<4, using: &random) == 0)
                case 36: world.granted = Int.random(in: 0...4, using: &random)
                case 37 where caller > 200: world.close()
                default: world.withdraw(caller - place)
                }
                world.verify()
            }
            world.settle()
            #expect(world.faults == [] && world.waiting == [], "seed \(seed)")
        }
    }

    /// A pool whose server has granted one connection, which is lent, and refused another one.
    private func single() -> Pool {
        var pool = Pool()
        for caller in 1...2 {
            #expect(pool.borrow(at: Self.instant(0), isRefused: false, caller).isOpen)
        }
        pool.opened()
        #expect(pool.failed(at: Self.instant(0), isRefused: true) == .retry(granted: 1))
        return pool
    }

    @Test func `are not opened beyond what was granted, except once in ten seconds`() {
        var pool = single()
        #expect(pool.granted == 1)
        #expect(pool.borrow(at: Self.instant(0), isRefused: true, 2).isWait)
        #expect(pool.borrow(at: Self.instant(9), isRefused: false, 3).isWait)
        #expect(pool.borrow(at: Self.instant(10), isRefused: false, 4).isOpen)
        #expect(pool.borrow(at: Self.instant(10), isRefused: false, 5).isWait)
        // The same number is no news.
        #expect(pool.failed(at: Self.instant(11), isRefused: true) == .retry(granted: nil))
        #expect(pool.borrow(at: Self.instant(20), isRefused: false, 6).isWait)
        #expect(pool.borrow(at: Self.instant(21), isRefused: false, 7).isOpen)
        pool.opened()
        #expect(pool.granted == nil)
        #expect(pool.borrow(at: Self.instant(21), isRefused: false, 8).isOpen)
        #expect(pool.waiting == [2, 3, 5, 6])
    }

    @Test func `are replaced by the first one that waits if they break or cannot be opened`() {
        var pool = single()
        for caller in 3...5 {
            #expect(pool.borrow(at: Self.instant(0), isRefused: false, caller).isWait)
        }
        #expect(pool.giveUp() == 3)
        // The attempt of 3 is one of the connections that there may be.
        #expect(pool.borrow(at: Self.instant(0), isRefused: false, 6).isWait)
        #expect(pool.failed(at: Self.instant(0), isRefused: false) == .fail(next: 4))
        // The server grants none any more: nobody has one to wait for.
        #expect(pool.failed(at: Self.instant(0), isRefused: true) == .fail(next: 5))
        #expect(pool.waiting == [6])
    }

    @Test func `are not idle after close, but pass from one to the other while some wait`() {
        var pool = single()
        #expect(pool.giveBack(1) == nil)
        #expect(pool.close() == [1] && pool.close() == [])
        #expect(pool.borrow(at: Self.instant(1), isRefused: false, 3).isOpen)
        pool.opened()
        #expect(pool.borrow(at: Self.instant(1), isRefused: false, 4).isWait)
        #expect(pool.giveBack(2) == 4 && pool.giveBack(2) == nil)
        #expect(pool.borrow(at: Self.instant(1), isRefused: false, 5).isOpen)
    }
}

extension PooledConnections.Action {
    fileprivate var isOpen: Bool { if case .open = self { true } else { false } }
    fileprivate var isWait: Bool { if case .wait = self { true } else { false } }
}
