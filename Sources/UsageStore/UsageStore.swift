import Postgres

/// The usage records in PostgreSQL, read and written through one connection, which is borrowed from
/// the shared pool when needed.
///
/// Belongs to one thread. Every method throws `DatabaseUnavailable` if the database is unavailable,
/// `QueryAbandoned` if the client disconnected, and `PostgresError` otherwise.
public final class UsageStore {
    let databaseURL: String
    private let applicationName: String
    private let waitSeconds: Int

    /// What it shares with the stores of other threads.
    let shared: SharedState
    private var connection: Connection?

    /// The client's descriptor; if it disconnects, the running query is cancelled.
    public var watchedDescriptor: Int32?

    /// When the current request arrived; nil means now.
    ///
    /// Results that other threads have read since then are fresh enough for it.
    public var requestArrival: ContinuousClock.Instant?

    /// How many connections PostgreSQL grants, if this request was the first to find the limit.
    public private(set) var learnedGrant: Int?

    /// The request's permit to wait for PostgreSQL.
    private var permit: Admission.Gate.Permit? {
        didSet { if let permit { admission = permit.rawValue } }
    }

    /// The gate's decision: `short`, `long`, `health` or `refused`; nil if it was not asked.
    public private(set) var admission: String?

    /// How long the request has waited for its permit.
    public private(set) var admissionWait = Duration.zero

    /// Whether the request has seen an error.
    private var hasFailed = false

    let meter = WaitMeter()

    /// How long the request has waited for PostgreSQL, or for another thread's query.
    public var waited: Duration { meter.waited }

    /// How many commands it has sent.
    public var commandCount: Int { meter.commandCount }

    /// The names of the statements that it has run, in order; the first ones if there are many.
    public var statements: String { meter.statements.map(\.description).joined(separator: ",") }

    /// How many connections it has opened, or tried to open, and closed.
    public var connections: (opened: Int, closed: Int) {
        (meter.connectCount, meter.disconnectCount)
    }

    /// Makes a store that connects to `databaseURL` on demand.
    ///
    /// `waitSeconds` limits each wait for the server, and all waits of a request together until its
    /// response begins. Stores of the same database may have the same `shared` state.
    public init(
        databaseURL: String, applicationName: String, waitSeconds: Int,
        shared: SharedState = SharedState()
    ) {
        self.shared = shared
        self.databaseURL = databaseURL
        self.applicationName = applicationName
        self.waitSeconds = waitSeconds
    }

    /// The connection of this thread; borrows one if there is none or the server closed it.
    ///
    /// With `isWatching` false, a query continues even if the client disconnects.
    func connected(isWatching: Bool = true) throws -> Connection {
        try admit()
        let client = isWatching ? watchedDescriptor : nil
        let usable: Connection
        if let connection, connection.isOpen {
            usable = connection
        } else {
            giveConnectionBack()
            usable = try meter.timing {
                try shared.connections.borrow(
                    until: deadline, watching: client, meter, refused: { learnedGrant = $0 }
                ) {
                    try shared.admission.connecting {
                        try Connection(
                            url: databaseURL, applicationName: applicationName,
                            waitSeconds: waitSeconds, session: Self.session, meter: meter)
                    }
                }
            }
            connection = usable
        }
        usable.watchedDescriptor = client
        return usable
    }

    /// Returns the connection to the pool, unless a transaction is open; must be called before
    /// waiting for another thread, which may need it.
    func lendConnection() {
        if let connection, connection.isIdle { giveConnectionBack() }
    }

    private func giveConnectionBack() {
        guard let connection else { return }
        self.connection = nil
        if connection.isOpen && !connection.hasGrown {
            shared.connections.giveBack(connection)
        } else {
            shared.connections.giveUp()
        }
    }

    /// Settings of each session, so that nothing depends on the server's defaults.
    ///
    /// JIT compilation costs more than it saves here. Recording statements are planned once;
    /// snapshots plan each query. Every statement waits at most two seconds for a lock, except
    /// those of long responses. Acknowledged messages are on disk, even if the server's default is
    /// asynchronous commit.
    private static let session = """
        SET jit = off;
        SET plan_cache_mode = force_generic_plan;
        SET default_transaction_isolation = 'read committed';
        SET lock_timeout = '2s';
        SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') = 'off'
        """

    /// The deadline of a wait that begins now.
    var deadline: ContinuousClock.Instant {
        .now + min(meter.remaining ?? .seconds(waitSeconds), .seconds(waitSeconds))
    }

    /// Takes a permit to wait for PostgreSQL, unless this request has one; throws
    /// `AdmissionRefused`.
    func admit() throws {
        if permit != nil { return }
        admission = "refused"
        let before = meter.waited
        defer { admissionWait += meter.waited - before }
        permit = try meter.timing {
            try shared.admission.enter(until: deadline) { shared.connections.granted != nil }
        }
    }

    /// `admit` for a health check, which does not wait; false if there is no permit.
    func admitHealthCheck() -> Bool {
        if permit == nil { permit = shared.admission.enterHealthCheck() }
        return permit != nil
    }

    /// Converts the permit to one for a response that takes long or waits for locks; throws
    /// `AdmissionRefused` at the limit.
    public func becomeLong() throws {
        try admit()
        let short = permit
        admission = "refused"
        permit = try short.map {
            try shared.admission.becomeLong($0, granted: shared.connections.granted)
        }
    }

    /// Makes the next health check query the database, because this request has seen an error.
    public func noteFailure() {
        hasFailed = true
        shared.noteFailure()
    }

    private func leave() {
        guard let permit else { return }
        self.permit = nil
        shared.admission.leave(permit, isDone: !hasFailed)
    }

    /// Begins a request that arrived at `arrival` from the client with `descriptor`.
    public func begin(
        arrival: ContinuousClock.Instant, watching descriptor: Int32?
    ) {
        watchedDescriptor = descriptor
        requestArrival = arrival
        learnedGrant = nil
        hasFailed = false
        admission = nil
        admissionWait = .zero
        meter.reset(limit: .seconds(waitSeconds))
    }

    /// The response begins.
    ///
    /// If it `isWhole`, the connection and the permit are released now, unless a snapshot is open.
    /// Otherwise, the timeout applies to each wait for rows instead of all together.
    public func beginResponse(isWhole: Bool) {
        guard isWhole else { return meter.endLimit() }
        lendConnection()
        if connection == nil { leave() }
    }

    /// Ends the request: ends its snapshot, if any, and releases the connection, then the permit.
    ///
    /// If a query was not read to its end, its connection is closed, which also releases its
    /// snapshot and locks. A connection whose buffers a long message has enlarged is closed, too.
    public func release() {
        watchedDescriptor = nil
        requestArrival = nil
        if let connection, connection.isInTransaction {
            _ = try? meter.within(Self.healthTimeout) {
                try connection.run("ROLLBACK", as: "rollback")
            }
        }
        giveConnectionBack()
        meter.endLimit()
        leave()
    }
}
