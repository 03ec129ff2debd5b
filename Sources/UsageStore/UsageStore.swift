import Postgres

/// The usage records in PostgreSQL, read and written through one connection, which is borrowed from
/// the group when needed.
///
/// Belongs to one thread. Every method throws `DatabaseUnavailable` if the database is unavailable,
/// `QueryAbandoned` if the client disconnected, and `PostgresError` otherwise.
public final class UsageStore {
    private let databaseURL: String
    private let applicationName: String
    private let waitSeconds: Int

    /// The stores of the same database.
    let group: StoreGroup
    private var connection: Connection?

    /// The client's descriptor; when it hangs up, nobody waits for the running query.
    public var watchedDescriptor: Int32?

    /// When the request came that is being answered; nil counts as now.
    ///
    /// What other threads have read since then is new enough for it.
    public var requestArrival: ContinuousClock.Instant?

    /// How many connections PostgreSQL grants, if this request was the first to discover it.
    public private(set) var learnedGrant: Int?

    /// How many connections PostgreSQL grants, while it is known to refuse one more.
    public var grantedConnections: Int? { group.connections.granted }

    let meter = WaitMeter()

    /// How long the request has waited for PostgreSQL, or for another thread that asks it, so far.
    public var waited: Duration { meter.waited }

    /// How many commands it has sent so far.
    public var commandCount: Int { meter.commandCount }

    /// Makes a store that will connect to `databaseURL`.
    ///
    /// `waitSeconds` limits each wait for the server; stores of the same database may share a
    /// `group`.
    public init(
        databaseURL: String, applicationName: String, waitSeconds: Int,
        group: StoreGroup = StoreGroup()
    ) {
        self.group = group
        self.databaseURL = databaseURL
        self.applicationName = applicationName
        self.waitSeconds = waitSeconds
    }

    /// The connection of this thread; borrows one if there is none or the server closed it.
    ///
    /// `timeoutSeconds` replaces the store's own limit until the next call. With `isWatching`
    /// false, a query continues even if the client disconnects.
    func connected(
        timeoutSeconds: Int? = nil, isWatching: Bool = true
    ) throws -> Connection {
        let client = isWatching ? watchedDescriptor : nil
        let usable: Connection
        if let connection, connection.isOpen {
            usable = connection
        } else {
            giveConnectionBack()
            usable = try meter.timing {
                try group.connections.borrow(
                    seconds: timeoutSeconds ?? waitSeconds, watching: client,
                    refused: { learnedGrant = $0 },
                    {
                        try Connection(
                            url: databaseURL, applicationName: applicationName,
                            waitSeconds: waitSeconds, session: Self.session, meter: meter)
                    })
            }
            usable.meter = meter
            connection = usable
        }
        usable.watchedDescriptor = client
        usable.timeoutSeconds = timeoutSeconds
        return usable
    }

    /// Returns the connection to the pool, unless a transaction is open; must be called before
    /// waiting for another thread, which may need one.
    func lendConnection() {
        if let connection, connection.isIdle { giveConnectionBack() }
    }

    private func giveConnectionBack() {
        guard let connection else { return }
        self.connection = nil
        if connection.isOpen && !connection.hasGrown {
            group.connections.giveBack(connection)
        } else {
            group.connections.giveUp()
        }
    }

    /// Settings of each session, so that nothing depends on the server's defaults.
    ///
    /// JIT compilation costs more than it saves here. Statements that record are planned once;
    /// snapshots plan each query anew. Every statement waits at most two seconds for a lock, except
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

    /// Begins with a request that came at `arrival`, from the client behind `descriptor`.
    public func begin(
        arrival: ContinuousClock.Instant, watching descriptor: Int32?
    ) {
        watchedDescriptor = descriptor
        requestArrival = arrival
        learnedGrant = nil
        meter.reset()
    }

    /// Forgets the client, ends the snapshot, if there is one, and gives the connection back.
    ///
    /// If a query was not read to its end, its connection is closed, which also releases its
    /// snapshot and locks. A connection whose buffers a long message has enlarged is closed, too.
    public func release() {
        watchedDescriptor = nil
        requestArrival = nil
        guard let connection else { return }
        if connection.isInTransaction { _ = try? connection.run("ROLLBACK") }
        giveConnectionBack()
    }
}
