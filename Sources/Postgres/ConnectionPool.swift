import Glibc
import Threads

/// A pool of connections to one database, which several threads borrow.
///
/// A thread that holds one must not wait for a thread that may need one.
public final class ConnectionPool: Sendable {
    /// A connection on its way from one thread to another.
    private struct Loan: @unchecked Sendable { let connection: Connection }

    /// A waiting thread that receives nil opens a connection.
    private let state = Lock(PooledConnections<Loan, Handoff<Loan?>>())

    /// Makes a pool without connections.
    public init() {}

    /// The number of connections that the server grants; nil while no refusal is known.
    public var granted: Int? { state.withLock { $0.granted } }

    /// The number of threads that wait for a connection.
    public var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Borrows a connection: an idle one, a new one from `open`, or the next one that is returned.
    ///
    /// Waits for a returned one until `deadline`. Rethrows errors of `open`; if the server has too
    /// many connections, it throws only if the pool has none, or at the deadline. Throws
    /// `QueryAbandoned` if `watchedDescriptor` hangs up. `refused` is called with the number of
    /// connections that the server grants whenever it changes. `meter` is then the connection's. The
    /// caller must call `giveBack` or `giveUp`.
    public func borrow(
        until deadline: ContinuousClock.Instant, watching watchedDescriptor: Int32?,
        _ meter: WaitMeter, refused: (Int) -> Void, _ open: () throws -> Connection
    ) throws -> Connection {
        var isRefused = false
        while true {
            let turn = Handoff<Loan?>()
            var loan: Loan?
            switch state.withLock({ $0.borrow(at: .now, isRefused: isRefused, turn) }) {
            case .use(let idle): loan = idle
            case .open: break
            case .wait: loan = try wait(for: turn, until: deadline, watchedDescriptor)
            }
            if let loan {
                loan.connection.meter = meter
                if loan.connection.isOpen { return loan.connection }
                giveUp()
                continue
            }
            do {
                let connection = try open()
                state.withLock { $0.opened() }
                return connection
            } catch {
                isRefused = (error as? PostgresError)?.state == PostgresError.tooManyConnections
                switch state.withLock({ $0.failed(at: .now, isRefused: isRefused) }) {
                case .retry(let granted): granted.map(refused)
                case .fail(let next):
                    next?.give(nil)
                    throw error
                }
            }
        }
    }

    /// Returns a usable connection to the pool.
    public func giveBack(_ connection: Connection) {
        let loan = Loan(connection: connection)
        state.withLock { $0.giveBack(loan) }?.give(loan)
    }

    /// Reports that a borrowed connection is unusable.
    public func giveUp() { state.withLock { $0.giveUp() }?.give(nil) }

    /// Closes the idle connections now, outside the lock, and the others when they are returned;
    /// returns how many were idle.
    public func close() -> Int {
        let idle = state.withLock { $0.close() }
        // Their meters belong to other threads.
        for loan in idle { loan.connection.meter = WaitMeter() }
        return idle.count
    }

    /// Waits for a returned connection; nil if the thread may open one instead.
    private func wait(
        for turn: Handoff<Loan?>, until deadline: ContinuousClock.Instant,
        _ watchedDescriptor: Int32?
    ) throws -> Loan? {
        while true {
            if let given = turn.wait(until: min(deadline, .now + .seconds(0.5))) { return given }
            let isAbandoned = watchedDescriptor.map(hasHungUp) ?? false
            guard isAbandoned || deadline <= .now else { continue }
            guard state.withLock({ $0.withdraw(turn) }) else { return turn.wait() }
            if isAbandoned { throw QueryAbandoned() }
            throw PostgresError(
                state: PostgresError.tooManyConnections,
                message: "no connection became free in time", constraint: nil, statement: "")
        }
    }
}

/// Whether the peer of `descriptor` has disconnected.
private func hasHungUp(_ descriptor: Int32) -> Bool {
    var event = pollfd(fd: descriptor, events: 0, revents: 0)
    return poll(&event, 1, 0) > 0
}

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
