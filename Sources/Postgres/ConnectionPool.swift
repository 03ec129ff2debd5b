import Glibc
import Synchronization
import Threads

/// The connections of several threads to one database, each borrowed for as long as it is needed.
///
/// A server that grants fewer than there are threads teaches the pool how many: from then on the
/// threads wait for one another's, in the order in which they came. Whoever holds one must not wait
/// for a thread that may need one.
public final class ConnectionPool: Sendable {
    /// A connection on its way from one thread to another.
    private struct Loan: @unchecked Sendable {
        let connection: Connection
    }

    private struct State {
        /// The last one given back is the first one lent again: its server process is in the caches.
        var idle: [Loan] = []
        /// How many are open, lent or idle, and how many are being opened.
        var openCount = 0
        var openingCount = 0
        /// How many were open when the server last refused one more; and when that was.
        var limit: (count: Int, since: ContinuousClock.Instant)?
        /// The limit that was last told of.
        var toldLimit: Int?
        /// Threads that wait; nil lets one open a connection.
        var waiting: [Handoff<Loan?>] = []
        var isClosed = false

        /// Takes the right to open one more: now and then beyond the limit, which may have changed.
        mutating func beginOpening() -> Bool {
            let count = openCount + openingCount
            if let limit, count > 0, count >= limit.count {
                guard limit.since + ConnectionPool.limitPeriod <= .now else { return false }
                self.limit?.since = .now
            }
            openingCount += 1
            return true
        }

        /// Who opens a connection in the place of one that is not to be; nil when nobody waits.
        mutating func successor() -> Handoff<Loan?>? {
            if waiting.isEmpty { return nil }
            openingCount += 1
            return waiting.removeFirst()
        }
    }

    private let state = Mutex(State())

    /// For how long a refusal counts.
    private static var limitPeriod: Duration { .seconds(10) }

    /// Makes a pool without connections.
    public init() {}

    /// How many connections the server grants, while it is known to refuse one more.
    public var granted: Int? { state.withLock { $0.limit.map { max(1, $0.count) } } }

    /// How many threads wait for one.
    public var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Lends a connection: one that is idle, or what `open` makes, or the next one that is given back.
    ///
    /// Waits for that up to `seconds`. Throws what `open` throws; but when the server has too many
    /// connections already, only if it grants us none, or after the wait. Throws `QueryAbandoned` when
    /// `watchedDescriptor` hangs up. `refused` learns how many the server grants, each time that
    /// this is new. `giveBack` or `giveUp` must follow.
    public func borrow(
        seconds: Int, watching watchedDescriptor: Int32?, refused: (Int) -> Void,
        _ open: () throws -> Connection
    ) throws -> Connection {
        let deadline = ContinuousClock.now + .seconds(seconds)
        var isRefused = false
        while true {
            let turn = Handoff<Loan?>()
            var (loan, isOpening) = state.withLock { state -> (Loan?, Bool) in
                if let idle = state.idle.popLast() { return (idle, false) }
                if !isRefused, state.beginOpening() { return (nil, true) }
                state.waiting.append(turn)
                return (nil, false)
            }
            if loan == nil && !isOpening {
                loan = try wait(for: turn, until: deadline, seconds, watchedDescriptor)
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

    /// What `open` makes; nil when the server has too many connections, and some of them are ours.
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
                // Others that are being opened may still be granted.
                guard state.openingCount == 0, state.toldLimit != state.openCount else {
                    return (false, nil, nil)
                }
                state.toldLimit = state.openCount
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

    /// Takes a connection back that can be used again.
    public func giveBack(_ connection: Connection) {
        let loan = Loan(connection: connection)
        let next = state.withLock { state -> Handoff<Loan?>? in
            if !state.waiting.isEmpty { return state.waiting.removeFirst() }
            if state.isClosed { state.openCount -= 1 } else { state.idle.append(loan) }
            return nil
        }
        next?.give(loan)
    }

    /// Counts off a connection that is of no more use.
    public func giveUp() {
        let next = state.withLock { state in
            state.openCount -= 1
            return state.successor()
        }
        next?.give(nil)
    }

    /// Ends the idle connections now, and the others when they are given back.
    public func close() {
        // Those taken out end here, outside the lock.
        _ = state.withLock { state in
            state.isClosed = true
            state.openCount -= state.idle.count
            defer { state.idle = [] }
            return state.idle
        }
    }

    /// Waits for a connection that is given back; nil when one may be opened instead.
    private func wait(
        for turn: Handoff<Loan?>, until deadline: ContinuousClock.Instant, _ seconds: Int,
        _ watchedDescriptor: Int32?
    ) throws -> Loan? {
        while true {
            let pause = min(deadline - .now, .milliseconds(500))
            if let given = turn.wait(for: max(pause, .zero)) { return given }
            let isAbandoned = watchedDescriptor.map(hasHungUp) ?? false
            guard isAbandoned || deadline <= .now else { continue }
            let isLeft = state.withLock { state in
                let count = state.waiting.count
                state.waiting.removeAll { $0 === turn }
                return state.waiting.count < count
            }
            // What was given meanwhile is taken.
            guard isLeft else { return turn.wait() }
            if isAbandoned { throw QueryAbandoned() }
            throw PostgresError(
                state: PostgresError.tooManyConnections,
                message: "no connection became free within \(seconds) s", constraint: nil,
                statement: "")
        }
    }
}

/// Whether nobody is behind `descriptor` any more.
private func hasHungUp(_ descriptor: Int32) -> Bool {
    var event = pollfd(fd: descriptor, events: 0, revents: 0)
    return poll(&event, 1, 0) > 0
}
