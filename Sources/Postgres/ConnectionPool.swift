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
