/// The state of the permits of all requests that may wait for PostgreSQL.
///
/// Pure: each call is an event with its time, and returns the caller's action. A request with a
/// permit may wait for PostgreSQL. Requests without one wait here, first come, first served, and
/// only while the gate makes progress, because their threads must soon be free again. After a short
/// stall, waiting requests are refused; after a long one, new requests, too.
package struct AdmissionGate<Caller: Equatable> {
    /// The permit of a request that may wait for PostgreSQL.
    package enum Permit: String, Sendable {
        case short
        case long
        /// The extra permit of health checks.
        case health
    }

    /// The caller's action.
    package enum Action: Equatable {
        case admit
        case refuse
        /// Wait until `leave` returns the caller; at this time, call `check`.
        case wait(until: ContinuousClock.Instant)
    }

    /// The number of permits, without the one for health checks.
    package let limit: Int

    /// How many permits may be long: half of them, rounded up.
    package var longLimit: Int { limit / 2 + limit % 2 }

    /// How many permits are taken.
    package private(set) var count = 0

    /// How many permits are long.
    package private(set) var longCount = 0

    /// How many requests were refused because no permit became free.
    package private(set) var refusalCount = 0

    /// How many requests were refused because they are long.
    package private(set) var longRefusalCount = 0

    /// Whether there is an extra permit for health checks.
    private let hasHealthPermit: Bool
    private var isHealthPermitTaken = false

    private var waiting: [Caller] = []

    /// When a request last succeeded, or when all permits were taken after that.
    private var progress: ContinuousClock.Instant

    /// When a request last succeeded.
    package private(set) var lastSuccess: ContinuousClock.Instant?

    /// When the gate last recovered from a short stall.
    private var recovery: ContinuousClock.Instant?

    /// Until when PostgreSQL counts as slow, not frozen: after two short stalls, or a new connection,
    /// whose first queries take longer than later ones.
    private var slowEnd: ContinuousClock.Instant?

    /// How many requests are connecting to PostgreSQL.
    private var connectingCount = 0

    /// How long a caller waits without progress.
    package static var stallLimit: Duration { .milliseconds(25) }

    /// How long a caller waits if PostgreSQL or the machine is slow: a commit may take 60 ms, and a new
    /// connection and its first queries take longer; after this time without progress, new callers
    /// are refused.
    package static var slowStallLimit: Duration { .seconds(1) }

    /// After two recoveries in this period, or a new connection, PostgreSQL counts as slow for this
    /// period.
    private static var slowPeriod: Duration { .seconds(2) }

    /// Makes a gate with `limit` permits.
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

    /// The waiting time of `caller` has ended.
    ///
    /// With `isLate`, a busy machine or a lack of connections explains a pause: PostgreSQL counts as
    /// slow.
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

    /// A health check needs a permit, but never waits for one; nil if there is none.
    package mutating func enterHealthCheck(at now: ContinuousClock.Instant) -> Permit? {
        if take(at: now) { return .short }
        guard hasHealthPermit, !isHealthPermitTaken else { return nil }
        isHealthPermitTaken = true
        return .health
    }

    /// A request with a short permit needs a long one; false if there is none.
    ///
    /// `bound` is another limit on long permits.
    package mutating func becomeLong(upTo bound: Int = .max) -> Bool {
        guard longCount < min(longLimit, max(1, bound)) else {
            longRefusalCount += 1
            return false
        }
        longCount += 1
        return true
    }

    /// A request releases its permit; returns the waiting caller that takes it over.
    ///
    /// `isDone` means that PostgreSQL completed its queries: failures are not progress.
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
            lastSuccess = now
        }
        guard waiting.isEmpty else { return waiting.removeFirst() }
        count -= 1
        return nil
    }

    /// A request begins to connect, which takes longer than most queries.
    package mutating func beginConnecting() { connectingCount += 1 }

    /// The connection is open, which is progress, or has failed.
    package mutating func endConnecting(at now: ContinuousClock.Instant, isDone: Bool) {
        connectingCount -= 1
        guard isDone else { return }
        progress = now
        slowEnd = now + Self.slowPeriod
    }

    /// Takes a permit; false if there is none.
    private mutating func take(at now: ContinuousClock.Instant) -> Bool {
        guard count < limit else { return false }
        count += 1
        if count == limit { progress = now }
        return true
    }

    /// A request is done; detects a short stall before it, which is a sign of a slow PostgreSQL.
    private mutating func recover(at now: ContinuousClock.Instant) {
        guard (Self.stallLimit..<Self.slowStallLimit).contains(now - progress) else { return }
        if let recovery, now - recovery < Self.slowPeriod {
            slowEnd = now + Self.slowPeriod
        }
        recovery = now
    }

    private mutating func refuse() -> Action {
        refusalCount += 1
        return .refuse
    }
}
