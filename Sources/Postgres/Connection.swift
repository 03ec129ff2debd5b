import CPostgres
import Glibc

/// A connection to PostgreSQL, used by one thread at a time.
public final class Connection {
    let handle: OpaquePointer
    private let waitSeconds: Int

    /// Measures the waits and commands of its current user.
    public var meter: WaitMeter

    /// The names of the statements that are prepared, by their texts.
    var preparedNames: [String: String] = [:]

    /// Whether a prepared statement has become useless, so that the connection is of no more use.
    var isStale = false

    /// Whether libpq has enlarged its buffers for a long message: it keeps them until the
    /// connection is closed.
    public internal(set) var hasGrown = false

    /// A descriptor whose hang-up ends the wait for a query, such as the client's connection.
    public var watchedDescriptor: Int32?

    /// Connects to `url`, a libpq connection string or URI.
    ///
    /// Waits up to three seconds for each host, unless the string says otherwise; after that, up to
    /// `waitSeconds` whenever the server is silent, and never beyond the limit of `meter`, which
    /// measures waits and commands. `session` is a setup script, which runs first. Throws `PostgresError`: class 08 if there is no server,
    /// the server's own state if it refuses.
    public init(
        url: String, applicationName: String, waitSeconds: Int, session: String = "",
        meter: WaitMeter = WaitMeter()
    ) throws {
        self.meter = meter
        self.waitSeconds = waitSeconds
        let attempt: ConnectionAttempt
        do throws(DatabaseURLFault) {
            attempt = ConnectionAttempt(try DatabaseURL(url), applicationName)
        } catch {
            throw PostgresError(
                state: PostgresError.connectionFailure,
                message: "the connection string \(error.description)",
                constraint: nil, statement: "")
        }
        handle = try meter.timing { try attempt.connect(within: meter.remaining) }
        // What the socket does not take at once is sent by `flush`, within the limits of a wait.
        PQsetnonblocking(handle, 1)
        // Notices such as "table does not exist, skipping" are no business of ours.
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        try run(endQueriesOnClose + session)
    }

    deinit { PQfinish(handle) }

    /// Whether the server has not closed the connection, asked without a question to it.
    public var isOpen: Bool {
        var event = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
        // Between queries the server only speaks to say that it ends the connection.
        return isIdle && !isStale && poll(&event, 1, 0) == 0
    }

    /// Whether no query and no transaction is open, as far as we know.
    public var isIdle: Bool {
        PQstatus(handle) == CONNECTION_OK && PQtransactionStatus(handle) == PQTRANS_IDLE
    }

    /// Whether a transaction is open in which no query runs.
    public var isInTransaction: Bool {
        [PQTRANS_INTRANS, PQTRANS_INERROR].contains(PQtransactionStatus(handle))
    }

    /// Has the server look every half second whether we are still there while it runs a query.
    ///
    /// So closing the connection is all that it takes to end a query. `PQcancel` is not used: it
    /// blocks without limit when the server is frozen, and a server that is blocked in sending
    /// does not act on it.
    private var endQueriesOnClose: String {
        let isSupported = PQserverVersion(handle) >= 140_000
        return isSupported ? "SET client_connection_check_interval = '500ms';" : ""
    }

    /// Waits until the server has taken all that is to be sent.
    func flush(_ statement: String) throws {
        while true {
            switch PQflush(handle) {
            case 0: return
            case 1: try wait(statement, isSending: true)
            default: throw error(statement)
            }
        }
    }

    /// Waits until the server has sent something, and reads it, or until it takes more.
    ///
    /// Throws when the watched descriptor hangs up, or at the time limit; the query then ends with
    /// the connection, which is of no more use.
    func wait(_ statement: String, isSending: Bool = false) throws {
        // A server that cannot send takes nothing either: it is always read from.
        let awaited = isSending ? POLLIN | POLLOUT : POLLIN
        var events = [pollfd(fd: PQsocket(handle), events: Int16(awaited), revents: 0)]
        if let watchedDescriptor {
            // A hang-up is always reported; a peer that only has no more to say is none.
            events.append(pollfd(fd: watchedDescriptor, events: 0, revents: 0))
        }
        let limit = min(meter.remaining ?? .seconds(waitSeconds), .seconds(waitSeconds))
        let milliseconds = Int32((limit / .milliseconds(1)).rounded(.up))
        let count = meter.timing { poll(&events, nfds_t(events.count), milliseconds) }
        if count < 0 && errno == EINTR { return }
        if events.count == 2 && events[1].revents != 0 {
            throw QueryAbandoned()
        }
        guard count > 0 else {
            throw PostgresError.timeout(
                statement, limit == .seconds(waitSeconds) ? "within \(waitSeconds) s" : "in time")
        }
        if events[0].revents == Int16(POLLOUT) { return }
        guard PQconsumeInput(handle) == 1 else { throw error(statement) }
    }

    /// The error of the connection itself.
    func error(_ statement: String) -> PostgresError {
        PostgresError(
            state: PostgresError.connectionFailure, message: connectionMessage, constraint: nil,
            statement: statement)
    }

    private var connectionMessage: String { oneLine(String(cString: PQerrorMessage(handle))) }
}

/// `text` with every run of blanks and line breaks as one blank: messages go into log lines.
func oneLine(_ text: String) -> String {
    text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
}
