import TestSupport
import Testing
import UsageStore

/// Random events in the life of pure state; the seed is in each failure.
@Suite struct `An admission gate` {
    private typealias Gate = AdmissionGate<Int>

    private static let origin = ContinuousClock.now

    private static func instant(_ milliseconds: Int) -> ContinuousClock.Instant {
        origin + .milliseconds(milliseconds)
    }

    /// The callers of one gate, and what they know.
    private struct World {
        var gate: Gate
        var time = 0
        var permits: [(caller: Int, permit: Gate.Permit)] = []
        /// Those who wait, in order, each until a time.
        var waiting: [(caller: Int, end: ContinuousClock.Instant)] = []
        var deadlines: [Int: Int] = [:]
        /// When a request was last done, or a permit was last free.
        var progress = 0
        var faults: [String] = []

        init(limit: Int) { gate = Gate(limit: limit, hasHealthPermit: true, at: instant(0)) }

        var now: ContinuousClock.Instant { instant(time) }

        mutating func arrive(_ caller: Int, timeout: Int) {
            deadlines[caller] = time + timeout
            let hadRoom = gate.count < gate.limit
            let action = gate.enter(at: now, until: instant(time + timeout), caller)
            if hadRoom != (action == .admit) { faults.append("\(action) with \(gate.count)") }
            follow(action, caller)
        }

        mutating func follow(_ action: Gate.Action, _ caller: Int) {
            switch action {
            case .admit: admit(caller, .short)
            case .refuse:
                let isOverdue = time >= deadlines[caller, default: 0]
                if !isOverdue, time < progress + 25 { faults.append("refused too early") }
            case .wait(let end): waiting.append((caller, end))
            }
        }

        mutating func admit(_ caller: Int, _ permit: Gate.Permit) {
            permits.append((caller, permit))
            if gate.count == gate.limit, permit != .health { progress = time }
        }

        mutating func leave(_ place: Int, isDone: Bool) {
            guard permits.indices.contains(place) else { return }
            let permit = permits.remove(at: place).permit
            if isDone, permit != .health { progress = time }
            guard let next = gate.leave(permit, at: now, isDone: isDone) else {
                if permit != .health, !waiting.isEmpty { faults.append("a waiter is forgotten") }
                return
            }
            if next != waiting.first?.caller { faults.append("not in order") }
            waiting.removeAll { $0.caller == next }
            permits.append((next, .short))
        }

        mutating func becomeLong(_ place: Int) {
            guard permits.indices.contains(place), permits[place].permit == .short else { return }
            if gate.becomeLong() { permits[place].permit = .long }
        }

        /// Whoever's time has come asks again.
        mutating func check() {
            for (caller, end) in waiting where end <= now {
                let action = gate.check(
                    caller, at: now, until: instant(deadlines[caller, default: 0]))
                let place = waiting.firstIndex { $0.caller == caller } ?? 0
                if case .wait(let later) = action {
                    waiting[place].end = later
                } else {
                    if action == .admit { faults.append("admitted by a check") }
                    waiting.remove(at: place)
                    follow(action, caller)
                }
            }
        }

        mutating func verify() {
            let taken = permits.count { $0.permit != .health }
            let long = permits.count { $0.permit == .long }
            if taken != gate.count || taken > gate.limit { faults.append("\(taken) permits") }
            if long != gate.longCount || long > (gate.limit + 1) / 2 {
                faults.append("\(long) long permits")
            }
            if permits.count - taken > 1 { faults.append("two health permits") }
            if !waiting.isEmpty && taken < gate.limit { faults.append("waits without need") }
            for (caller, end) in waiting
            where end > instant(max(progress, time) + 1000)
                || end > instant(deadlines[caller, default: 0])
            {
                faults.append("waits too long")
            }
        }
    }

    @Test func `keeps its limits and its order, and lets nobody wait after a stall`() {
        for seed in UInt64(1)...500 {
            var random = SeededGenerator(seed)
            var world = World(limit: Int.random(in: 1...5, using: &random))
            for caller in 0..<300 {
                world.time += [0, 1, 1, 30, 80].randomElement(using: &random) ?? 0
                world.check()
                let place = Int.random(in: 0...5, using: &random)
                switch Int.random(in: 0..<8, using: &random) {
                case 0...2: world.arrive(caller, timeout: [5, 1000][caller % 2])
                case 3:
                    let permit = world.gate.enterHealthCheck(at: world.now)
                    if let permit { world.admit(caller, permit) }
                case 4: world.becomeLong(place)
                default: world.leave(place, isDone: Bool.random(using: &random))
                }
                world.verify()
            }
            #expect(world.faults == [], "seed \(seed)")
        }
    }

    @Test func `refuses after 25 ms without progress, and after a second at once`() {
        var gate = Gate(limit: 2, hasHealthPermit: false)
        let end = Self.instant(9000)
        for caller in 0..<2 {
            #expect(gate.enter(at: Self.instant(0), until: end, caller) == .admit)
        }
        #expect(
            gate.enter(at: Self.instant(5), until: end, 2) == .wait(until: Self.instant(30)))
        #expect(gate.enterHealthCheck(at: Self.instant(5)) == nil)
        // Its place goes to the next one, and the others may wait longer.
        #expect(
            gate.enter(at: Self.instant(6), until: end, 3) == .wait(until: Self.instant(31)))
        #expect(gate.leave(.short, at: Self.instant(20), isDone: true) == 2)
        #expect(gate.check(3, at: Self.instant(31), until: end) == .wait(until: Self.instant(45)))
        // A failure is not progress.
        #expect(gate.leave(.short, at: Self.instant(30), isDone: false) == 3)
        #expect(
            gate.enter(at: Self.instant(40), until: end, 4) == .wait(until: Self.instant(65)))
        #expect(gate.check(4, at: Self.instant(65), until: end) == .refuse)
        #expect(gate.enter(at: Self.instant(1020), until: end, 5) == .refuse)
        #expect(gate.refusalCount == 2)
    }

    @Test func `waits up to a second for a disk that takes 60 ms again and again`() {
        var gate = Gate(limit: 1, hasHealthPermit: false)
        var refused: [Int] = []
        for round in 0..<5 {
            let start = round * 100
            let deadline = Self.instant(start + 1000)
            #expect(gate.enter(at: Self.instant(start), until: deadline, 0) == .admit)
            let action = gate.enter(at: Self.instant(start + 5), until: deadline, 1)
            #expect(action == .wait(until: Self.instant(start + 30)))
            if gate.check(1, at: Self.instant(start + 30), until: deadline) == .refuse {
                refused.append(round)
            }
            for time in [60, 65] where gate.count > 0 {
                _ = gate.leave(.short, at: Self.instant(start + time), isDone: true)
            }
        }
        #expect(refused == [0, 1])
    }

    /// "All workers for the database are busy." in two of 6,853 requests beside upgrades.
    @Test func `waits up to a second while others connect, and for their first queries`() {
        var gate = Gate(limit: 1, hasHealthPermit: false)
        let deadline = Self.instant(9000)
        #expect(gate.enter(at: Self.instant(0), until: deadline, 0) == .admit)
        #expect(gate.leave(.short, at: Self.instant(0), isDone: true) == nil)
        #expect(gate.enter(at: Self.instant(0), until: deadline, 0) == .admit)
        gate.beginConnecting()
        for caller in 1...3 {
            #expect(gate.enter(at: Self.instant(1), until: deadline, caller).isWait)
        }
        #expect(
            gate.check(1, at: Self.instant(26), until: deadline) == .wait(until: Self.instant(51)))
        // A PostgreSQL that is frozen lets nobody connect.
        #expect(gate.check(1, at: Self.instant(1000), until: deadline) == .refuse)
        gate.endConnecting(at: Self.instant(1001), isDone: false)
        gate.beginConnecting()
        gate.endConnecting(at: Self.instant(1005), isDone: true)
        #expect(gate.check(2, at: Self.instant(2004), until: deadline).isWait)
        #expect(gate.check(2, at: Self.instant(2005), until: deadline) == .refuse)
        // Two seconds later, its queries are no longer the first.
        #expect(gate.leave(.short, at: Self.instant(3000), isDone: true) == 3)
        #expect(gate.enter(at: Self.instant(3004), until: deadline, 4).isWait)
        #expect(gate.check(4, at: Self.instant(3029), until: deadline) == .refuse)
    }

    @Test func `lets callers wait longer on a machine that is too busy to wake them in time`() {
        var gate = Gate(limit: 1, hasHealthPermit: false, at: Self.instant(0))
        let deadline = Self.instant(9000)
        #expect(gate.enter(at: Self.instant(0), until: deadline, 0) == .admit)
        #expect(gate.enter(at: Self.instant(1), until: deadline, 1).isWait)
        let late = gate.check(1, at: Self.instant(40), isLate: true, until: deadline)
        #expect(late == .wait(until: Self.instant(65)))
        #expect(gate.check(1, at: Self.instant(65), until: deadline) == .refuse)
        #expect(gate.enter(at: Self.instant(70), until: deadline, 2).isWait)
        #expect(gate.check(2, at: Self.instant(1000), isLate: true, until: deadline) == .refuse)
    }

    @Test func `lets half of its permits be long, and fewer where PostgreSQL grants fewer`() {
        var gate = Gate(limit: 5, hasHealthPermit: false)
        #expect((0..<5).map { _ in gate.becomeLong() } == [true, true, true, false, false])
        #expect(gate.longRefusalCount == 2)
        var bound = Gate(limit: 5, hasHealthPermit: false)
        #expect((0..<3).map { _ in bound.becomeLong(upTo: -1) } == [true, false, false])
        #expect(Gate(limit: .max, hasHealthPermit: true).longLimit == .max / 2 + 1)
    }

    @Test func `admits a burst after a request that failed and a pause`() {
        var gate = Gate(limit: 2, hasHealthPermit: false, at: Self.instant(0))
        let deadline = Self.instant(9000)
        #expect(gate.enter(at: Self.instant(0), until: deadline, 0) == .admit)
        #expect(gate.leave(.short, at: Self.instant(10), isDone: false) == nil)
        for caller in 1...2 {
            #expect(gate.enter(at: Self.instant(900), until: deadline, caller) == .admit)
        }
        #expect(gate.enter(at: Self.instant(900), until: deadline, 3).isWait)
        #expect(gate.leave(.short, at: Self.instant(901), isDone: true) == 3)
    }
}

extension AdmissionGate.Action {
    fileprivate var isWait: Bool { if case .wait = self { true } else { false } }
}
