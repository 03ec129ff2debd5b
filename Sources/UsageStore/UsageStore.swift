import Postgres

/// The usage records in PostgreSQL, seen through one connection that is borrowed from the group when
/// needed.
///
/// Belongs to one thread. Every call throws `DatabaseUnavailable` when the database is away,
/// `QueryAbandoned` when the client went, and `PostgresError` otherwise.
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

    /// How many connections PostgreSQL grants, if this request was the first one to learn it.
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

    /// The connection of this thread; another one when there is none or the server ended it.
    ///
    /// `timeoutSeconds` replaces the store's own limit until the next call; with `isWatching` false
    /// the client may hang up.
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

    /// Lends the connection to others, unless a transaction is open; so it must be before a wait for
    /// another thread, which may need one.
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

    /// What does not depend on the server's settings.
    ///
    /// Compiling a query costs more than it saves here. Statements that record are planned once;
    /// every statement waits two seconds for a lock, but for those of long responses. Snapshots plan
    /// each query anew. What is acknowledged is on disk, even where the server's default is not to wait.
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
    /// A query that was not read to the end is ended with its connection, and with that its
    /// snapshot and its locks. So is a connection that a long message has made large.
    public func release() {
        watchedDescriptor = nil
        requestArrival = nil
        guard let connection else { return }
        if connection.isInTransaction { _ = try? connection.run("ROLLBACK") }
        giveConnectionBack()
    }
}
