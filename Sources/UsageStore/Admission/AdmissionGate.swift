/// The state of the permits of all requests that may wait for PostgreSQL.
///
/// Pure: a call is an event at a time, its result is what the caller must do. Whoever holds a
/// permit may wait for PostgreSQL; whoever has none waits here, first come, first served, and only
/// while the gate makes progress: the threads beyond the permits must soon be free again. A pause
/// of a moment costs those few their turn, a long one everybody who comes.
package struct AdmissionGate<Caller: Equatable> {
    /// What a request holds while it may wait for PostgreSQL.
    package enum Permit: Equatable, Sendable {
        case short
        case long
        /// The one of health checks, beyond the others.
        case health
    }

    /// What a caller must do.
    package enum Action: Equatable {
        case admit
        case refuse
        /// Wait until `leave` names it; at this time, call `check`.
        case wait(until: ContinuousClock.Instant)
    }

    /// How many requests may hold a permit, the one for health checks not counted.
    package let limit: Int

    /// How many of them may be long: half, rounded up.
    package var longLimit: Int { limit / 2 + limit % 2 }

    /// How many are taken.
    package private(set) var count = 0

    /// How many of them are long.
    package private(set) var longCount = 0

    /// How many requests were refused because no permit became free.
    package private(set) var refusalCount = 0

    /// How many requests were refused because they are long.
    package private(set) var longRefusalCount = 0

    /// Whether a health check may have a permit beyond the others.
    private let hasHealthPermit: Bool
    private var isHealthPermitTaken = false

    private var waiting: [Caller] = []

    /// When a request was last done, or when all permits were taken after that.
    private var progress: ContinuousClock.Instant

    /// Whether the last request failed: then another one in its place is not progress.
    private var isFailing = false

    /// When the gate last recovered from a pause by itself.
    private var recovery: ContinuousClock.Instant?

    /// Until when PostgreSQL counts as slow, and not frozen, after two pauses.
    private var slowEnd: ContinuousClock.Instant?

    /// How many requests are connecting to PostgreSQL.
    private var connectingCount = 0

    /// How long a caller waits without progress.
    package static var stallLimit: Duration { .milliseconds(25) }

    /// How long it waits where PostgreSQL is slow, as a commit may take 60 ms, and so may connecting;
    /// and after how long without progress nobody waits any more.
    package static var slowStallLimit: Duration { .milliseconds(250) }

    /// How long a recovery is remembered: after a second one, PostgreSQL is slow for as long.
    private static var recoveryPeriod: Duration { .seconds(2) }

    /// Makes a gate with permits for so many requests.
    package init(
        limit: Int, hasHealthPermit: Bool, at now: ContinuousClock.Instant = .now
    ) {
        progress = now
        self.limit = limit
        self.hasHealthPermit = hasHealthPermit
    }

    /// A request may have to wait for PostgreSQL; it waits here until `deadline` at most.
    package mutating func enter(
        at now: ContinuousClock.Instant, until deadline: ContinuousClock.Instant,
        _ caller: Caller
    ) -> Action {
        if take(at: now) { return .admit }
        guard now < min(progress + Self.slowStallLimit, deadline) else { return refuse() }
        waiting.append(caller)
        return .wait(until: min(now + Self.stallLimit, deadline))
    }

    /// The time until which `caller` was to wait has come.
    ///
    /// With `isLate`, it came late: a busy machine explains a pause, and PostgreSQL counts as slow.
    package mutating func check(
        _ caller: Caller, at now: ContinuousClock.Instant, isLate: Bool = false,
        until deadline: ContinuousClock.Instant
    ) -> Action {
        guard let place = waiting.firstIndex(of: caller) else { return .admit }
        let isSlow = isLate || connectingCount > 0 || slowEnd.map { now < $0 } ?? false
        let end = min(progress + (isSlow ? Self.slowStallLimit : Self.stallLimit), deadline)
        if now < end { return .wait(until: min(now + Self.stallLimit, end)) }
        waiting.remove(at: place)
        return refuse()
    }

    /// A health check needs a permit and never waits for one; nil when there is none.
    package mutating func enterHealthCheck(at now: ContinuousClock.Instant) -> Permit? {
        if take(at: now) { return .short }
        guard hasHealthPermit, !isHealthPermitTaken else { return nil }
        isHealthPermitTaken = true
        return .health
    }

    /// A request with a short permit is going to be long: whether it may.
    ///
    /// `bound` is how many may be long because of other limits.
    package mutating func becomeLong(upTo bound: Int = .max) -> Bool {
        guard longCount < min(longLimit, max(1, bound)) else {
            longRefusalCount += 1
            return false
        }
        longCount += 1
        return true
    }

    /// A request gives its permit back; the caller that has it from now on.
    ///
    /// It `isDone` if PostgreSQL did what it was asked: failures are not progress.
    package mutating func leave(
        _ permit: Permit, at now: ContinuousClock.Instant, isDone: Bool
    ) -> Caller? {
        if permit == .health {
            isHealthPermitTaken = false
            return nil
        }
        if permit == .long { longCount -= 1 }
        if isDone {
            if count == limit { recover(at: now) }
            progress = now
        }
        isFailing = !isDone
        guard waiting.isEmpty else { return waiting.removeFirst() }
        count -= 1
        return nil
    }

    /// A request begins to connect, which takes longer than most queries.
    package mutating func beginConnecting() { connectingCount += 1 }

    /// It has connected, which is progress, or failed.
    package mutating func endConnecting(at now: ContinuousClock.Instant, isDone: Bool) {
        connectingCount -= 1
        if isDone { progress = now }
    }

    /// Takes a permit; false when there is none.
    private mutating func take(at now: ContinuousClock.Instant) -> Bool {
        guard count < limit else { return false }
        count += 1
        if count == limit, !isFailing { progress = now }
        return true
    }

    /// A request is done; notes whether there was a pause before, as there is where PostgreSQL is slow.
    private mutating func recover(at now: ContinuousClock.Instant) {
        guard (Self.stallLimit..<Self.slowStallLimit).contains(now - progress) else { return }
        if let recovery, now - recovery < Self.recoveryPeriod {
            slowEnd = now + Self.recoveryPeriod
        }
        recovery = now
    }

    private mutating func refuse() -> Action {
        refusalCount += 1
        return .refuse
    }
}
