import Postgres

/// The usage records in PostgreSQL, seen through one connection that is opened when needed.
///
/// Belongs to one thread. Every call throws `DatabaseUnavailable` when the database is away,
/// `QueryAbandoned` when the client went, and `PostgresError` otherwise.
public final class UsageStore {
    private let databaseURL: String
    private let applicationName: String
    private let waitSeconds: Int
    private var connection: Connection?

    /// The client's descriptor; when it hangs up, nobody waits for the running query.
    public var watchedDescriptor: Int32?

    /// Makes a store that will connect to `databaseURL`.
    ///
    /// `waitSeconds` limits each wait for the server.
    public init(databaseURL: String, applicationName: String, waitSeconds: Int) {
        self.databaseURL = databaseURL
        self.applicationName = applicationName
        self.waitSeconds = waitSeconds
    }

    /// What is wrong with `databaseURL`, in libpq's words; nil when it can be read.
    public static func fault(inURL databaseURL: String) -> String? {
        Connection.fault(inURL: databaseURL)
    }

    /// The open connection, made anew when there is none or the server ended it.
    ///
    /// `patienceSeconds` replaces the store's own limit until the next call.
    func connected(patienceSeconds: Int? = nil) throws -> Connection {
        let usable: Connection
        if let connection, connection.isOpen {
            usable = connection
        } else {
            connection = nil
            usable = try Connection(
                url: databaseURL, applicationName: applicationName, waitSeconds: waitSeconds)
            connection = usable
        }
        usable.watchedDescriptor = watchedDescriptor
        usable.patienceSeconds = patienceSeconds
        return usable
    }

    /// Forgets the client; ends the connection if its query was not read to the end.
    ///
    /// With the connection ends the query, and with that its snapshot and its locks.
    public func release() {
        watchedDescriptor = nil
        if let connection, !connection.isIdle { self.connection = nil }
    }
}
