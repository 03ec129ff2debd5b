/// The state machine of a pool: lends connections, and limits how many are open.
///
/// Pure: each call is an event with its time, and returns the caller's action. If the server grants
/// fewer connections than there are callers, callers wait, first come, first served.
package struct PooledConnections<Connection, Caller: Equatable> {
    /// The action of a caller that needs a connection.
    package enum Action {
        /// Use this one.
        case use(Connection)
        /// Open one, then call `opened` or `failed`.
        case open
        /// Wait until an event returns the caller: it gets the returned connection, or opens one.
        case wait
    }

    /// The action of a caller that could not open a connection: call `borrow` again, and report how
    /// many the server grants if this is news; or throw the error, and let `next` open one.
    package enum Failure: Equatable {
        case retry(granted: Int?)
        case fail(next: Caller?)
    }

    /// Last in, first out: the server process used last is most likely in the CPU's caches.
    private var idle: [Connection] = []
    /// The number of open connections, borrowed or idle, and of connections being opened.
    private var openCount = 0
    private var openingCount = 0
    /// The number of open connections when the server last refused another one, and the time;
    /// remembered for a period.
    private var limit: (count: Int, since: ContinuousClock.Instant)?
    private static var limitPeriod: Duration { .seconds(10) }
    /// The limit that was last reported.
    private var reportedLimit: Int?
    private var isClosed = false
    /// The waiting callers, in order.
    package private(set) var waiting: [Caller] = []

    /// Starts without connections.
    package init() {}

    /// The number of connections that the server grants; nil while no refusal is known.
    package var granted: Int? { limit.map { max(1, $0.count) } }

    /// A caller needs a connection; one that the server `isRefused` waits if there are others.
    package mutating func borrow(
        at now: ContinuousClock.Instant, isRefused: Bool, _ caller: Caller
    ) -> Action {
        if let last = idle.popLast() { return .use(last) }
        if openCount + openingCount > 0, isRefused || !mayOpenMore(at: now) {
            waiting.append(caller)
            return .wait
        }
        openingCount += 1
        return .open
    }

    /// Whether there may be one more; once per period also beyond the limit, which may have changed.
    private mutating func mayOpenMore(at now: ContinuousClock.Instant) -> Bool {
        guard let limit, openCount + openingCount >= limit.count else { return true }
        guard limit.since + Self.limitPeriod <= now else { return false }
        self.limit?.since = now
        return true
    }

    /// A connection is open.
    package mutating func opened() {
        openingCount -= 1
        openCount += 1
        if let limit, limit.count < openCount { self.limit = nil }
    }

    /// A connection could not be opened; if it `isRefused`, the server has too many.
    package mutating func failed(at now: ContinuousClock.Instant, isRefused: Bool) -> Failure {
        openingCount -= 1
        guard isRefused, openCount + openingCount > 0 else { return .fail(next: successor()) }
        limit = (openCount, now)
        // Other connections that are being opened may still succeed.
        guard openingCount == 0, reportedLimit != openCount else { return .retry(granted: nil) }
        reportedLimit = openCount
        return .retry(granted: openCount)
    }

    /// A usable connection is returned; the result is the waiting caller that gets it.
    package mutating func giveBack(_ connection: Connection) -> Caller? {
        if !waiting.isEmpty { return waiting.removeFirst() }
        if isClosed { openCount -= 1 } else { idle.append(connection) }
        return nil
    }

    /// A borrowed connection is unusable; the result is the waiting caller that opens another one.
    package mutating func giveUp() -> Caller? {
        openCount -= 1
        return successor()
    }

    /// The waiting caller that may open a replacement for a lost connection.
    private mutating func successor() -> Caller? {
        if waiting.isEmpty { return nil }
        openingCount += 1
        return waiting.removeFirst()
    }

    /// A caller stops waiting; false if it has been given its turn.
    package mutating func withdraw(_ caller: Caller) -> Bool {
        guard let place = waiting.firstIndex(of: caller) else { return false }
        waiting.remove(at: place)
        return true
    }

    /// No connection is idle from now on; returns those that were.
    package mutating func close() -> [Connection] {
        isClosed = true
        openCount -= idle.count
        defer { idle = [] }
        return idle
    }
}
