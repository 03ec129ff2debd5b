import Glibc
import Threads

/// A pool of connections to one database, which several threads borrow.
///
/// If the server grants fewer connections than there are threads, the pool remembers how many, and
/// the threads wait for a free one, first come, first served. A thread that holds one must not wait
/// for a thread that may need one.
public final class ConnectionPool: Sendable {
    /// A connection on its way from one thread to another.
    private struct Loan: @unchecked Sendable {
        let connection: Connection
    }

    private struct State {
        /// Last in, first out: the server process used last is most likely in the CPU's caches.
        var idle: [Loan] = []
        /// The number of open connections, borrowed or idle, and of connections being opened.
        var openCount = 0
        var openingCount = 0
        /// The number of open connections when the server last refused another one, and the time.
        var limit: (count: Int, since: ContinuousClock.Instant)?
        /// The limit that was last reported to `refused`.
        var reportedLimit: Int?
        /// Waiting threads, in order; a thread that receives nil opens a connection.
        var waiting: [Handoff<Loan?>] = []
        var isClosed = false

        /// Reserves one more; once per `limitPeriod` also beyond the limit, which may have changed.
        mutating func beginOpening() -> Bool {
            let count = openCount + openingCount
            if let limit, count > 0, count >= limit.count {
                guard limit.since + ConnectionPool.limitPeriod <= .now else { return false }
                self.limit?.since = .now
            }
            openingCount += 1
            return true
        }

        /// The waiting thread that may open a replacement for a lost connection; nil if none waits.
        mutating func successor() -> Handoff<Loan?>? {
            if waiting.isEmpty { return nil }
            openingCount += 1
            return waiting.removeFirst()
        }
    }

    private let state = Lock(State())

    /// How long a refusal is remembered.
    private static var limitPeriod: Duration { .seconds(10) }

    /// Makes a pool without connections.
    public init() {}

    /// The number of connections that the server grants; nil while no refusal is known.
    public var granted: Int? { state.withLock { $0.limit.map { max(1, $0.count) } } }

    /// The number of threads that wait for a connection.
    public var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Borrows a connection: an idle one, a new one from `open`, or the next one that is returned.
    ///
    /// Waits for a returned one until `deadline`. Rethrows errors of `open`; if the server has too
    /// many connections, it throws only if the pool has none, or at the deadline. Throws
    /// `QueryAbandoned` if `watchedDescriptor` hangs up. `refused` is called with the number of
    /// connections that the server grants whenever it changes. The caller must call `giveBack` or
    /// `giveUp`.
    public func borrow(
        until deadline: ContinuousClock.Instant, watching watchedDescriptor: Int32?,
        refused: (Int) -> Void, _ open: () throws -> Connection
    ) throws -> Connection {
        var isRefused = false
        while true {
            let turn = Handoff<Loan?>()
            var (loan, isOpening) = state.withLock { state -> (Loan?, Bool) in
                if let idle = state.idle.popLast() { return (idle, false) }
                // After a refusal, it waits for a connection if the pool has any.
                let mayWait = isRefused && state.openCount + state.openingCount > 0
                if !mayWait, state.beginOpening() { return (nil, true) }
                state.waiting.append(turn)
                return (nil, false)
            }
            if loan == nil && !isOpening {
                loan = try wait(for: turn, until: deadline, watchedDescriptor)
                isOpening = loan == nil
            }
            if let loan {
                if loan.connection.isOpen { return loan.connection }
                giveUp()
            } else if let opened = try opened(open, refused) {
                return opened
            } else {
                isRefused = true
            }
        }
    }

    /// The connection from `open`; nil if the server has too many connections, some of them ours.
    private func opened(
        _ open: () throws -> Connection, _ refused: (Int) -> Void
    ) throws -> Connection? {
        do {
            let connection = try open()
            state.withLock { state in
                state.openingCount -= 1
                state.openCount += 1
                if let limit = state.limit, limit.count < state.openCount { state.limit = nil }
            }
            return connection
        } catch let error as PostgresError where error.state == PostgresError.tooManyConnections {
            let (isLast, news, next) = state.withLock { state -> (Bool, Int?, Handoff<Loan?>?) in
                state.openingCount -= 1
                guard state.openCount + state.openingCount > 0 else {
                    return (true, nil, state.successor())
                }
                state.limit = (state.openCount, .now)
                // Other connections that are being opened may still succeed.
                guard state.openingCount == 0, state.reportedLimit != state.openCount else {
                    return (false, nil, nil)
                }
                state.reportedLimit = state.openCount
                return (false, state.openCount, nil)
            }
            next?.give(nil)
            if let news { refused(news) }
            if isLast { throw error }
            return nil
        } catch {
            let next = state.withLock { state in
                state.openingCount -= 1
                return state.successor()
            }
            next?.give(nil)
            throw error
        }
    }

    /// Returns a usable connection to the pool.
    public func giveBack(_ connection: Connection) {
        let loan = Loan(connection: connection)
        let next = state.withLock { state -> Handoff<Loan?>? in
            if !state.waiting.isEmpty { return state.waiting.removeFirst() }
            if state.isClosed { state.openCount -= 1 } else { state.idle.append(loan) }
            return nil
        }
        next?.give(loan)
    }

    /// Reports that a borrowed connection is unusable.
    public func giveUp() {
        let next = state.withLock { state in
            state.openCount -= 1
            return state.successor()
        }
        next?.give(nil)
    }

    /// Closes the idle connections now, and the others when they are returned.
    public func close() {
        // The removed connections are closed here, outside the lock.
        _ = state.withLock { state in
            state.isClosed = true
            state.openCount -= state.idle.count
            defer { state.idle = [] }
            return state.idle
        }
    }

    /// Waits for a returned connection; nil if the thread may open one instead.
    private func wait(
        for turn: Handoff<Loan?>, until deadline: ContinuousClock.Instant,
        _ watchedDescriptor: Int32?
    ) throws -> Loan? {
        while true {
            let pause = min(deadline, .now + .milliseconds(500))
            if let given = turn.wait(until: pause) { return given }
            let isAbandoned = watchedDescriptor.map(hasHungUp) ?? false
            guard isAbandoned || deadline <= .now else { continue }
            let isLeft = state.withLock { state in
                let count = state.waiting.count
                state.waiting.removeAll { $0 == turn }
                return state.waiting.count < count
            }
            // A connection has been assigned to it in the meantime.
            guard isLeft else { return turn.wait() }
            if isAbandoned { throw QueryAbandoned() }
            throw PostgresError(
                state: PostgresError.tooManyConnections,
                message: "no connection became free in time", constraint: nil,
                statement: "")
        }
    }
}

/// Whether the peer of `descriptor` has disconnected.
private func hasHungUp(_ descriptor: Int32) -> Bool {
    var event = pollfd(fd: descriptor, events: 0, revents: 0)
    return poll(&event, 1, 0) > 0
}
