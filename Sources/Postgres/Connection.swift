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

    /// Whether a prepared statement has become invalid, so that the connection must be closed.
    var isStale = false

    /// Whether libpq has enlarged its buffers for a long message; it frees them only with the
    /// connection.
    public internal(set) var hasGrown = false

    /// Receives the messages of RAISE INFO.
    public var onInformation: ((String) -> Void)?

    /// A descriptor that is watched during waits; its hang-up ends the query.
    public var watchedDescriptor: Int32?

    /// Connects to `url`, a libpq connection string or URI.
    ///
    /// The timeout is three seconds for each address, unless the string sets another, and
    /// `waitSeconds` for each later wait; all waits respect the limit of `meter`, which measures
    /// waits and commands. `session` is a setup script, which runs first. Throws `PostgresError`:
    /// class 08 if the server is unreachable, the server's own state if it refuses.
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
        meter.connectCount += 1
        handle = try meter.timing { try attempt.connect(within: meter.remaining) }
        // Data that the socket does not accept at once is sent by `flush`, which has a timeout.
        PQsetnonblocking(handle, 1)
        // Others, such as "table does not exist, skipping", are ignored.
        PQsetNoticeReceiver(
            handle,
            { connection, notice in
                guard let connection, let message = notice.flatMap(information) else { return }
                Unmanaged<Connection>.fromOpaque(connection).takeUnretainedValue()
                    .onInformation?(message)
            }, Unmanaged.passUnretained(self).toOpaque())
        try run(endQueriesOnClose + session, as: "session")
    }

    deinit {
        meter.disconnectCount += 1
        PQfinish(handle)
    }

    /// Whether the server still has the connection open; sends nothing to it.
    public var isOpen: Bool {
        var event = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
        // Between queries, the server sends data only when it closes the connection.
        return isIdle && !isStale && poll(&event, 1, 0) == 0
    }

    /// Whether the connection is usable and neither a query nor a transaction is open.
    public var isIdle: Bool {
        PQstatus(handle) == CONNECTION_OK && PQtransactionStatus(handle) == PQTRANS_IDLE
    }

    /// Whether a transaction is open in which no query runs.
    public var isInTransaction: Bool {
        [PQTRANS_INTRANS, PQTRANS_INERROR].contains(PQtransactionStatus(handle))
    }

    /// Makes the server check the connection every half second while it runs a query.
    ///
    /// Closing the connection therefore ends its query. `PQcancel` is not used: it blocks without
    /// limit if the server is frozen, and a server that is blocked in sending ignores it.
    private var endQueriesOnClose: String {
        let isSupported = PQserverVersion(handle) >= 140_000
        return isSupported ? "SET client_connection_check_interval = '500ms';" : ""
    }

    /// Waits until all pending data has been sent.
    func flush(_ statement: String) throws {
        while true {
            switch PQflush(handle) {
            case 0: return
            case 1: try wait(statement, isSending: true)
            default: throw error(statement)
            }
        }
    }

    /// Waits until the server has sent data, and reads it, or until the socket is writable.
    ///
    /// Throws if the watched descriptor hangs up, or at the timeout; the connection must then be
    /// closed, which ends the query.
    func wait(_ statement: String, isSending: Bool = false) throws {
        // Always reads: a server that cannot send does not receive either.
        let awaited = isSending ? POLLIN | POLLOUT : POLLIN
        var events = [pollfd(fd: PQsocket(handle), events: Int16(awaited), revents: 0)]
        if let watchedDescriptor {
            // poll always reports a hang-up; a peer that only stops sending has not hung up.
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

/// `text` on one line, for log lines: each run of whitespace becomes one space.
func oneLine(_ text: String) -> String {
    text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
}
