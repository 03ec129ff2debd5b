import CPostgres
import Glibc

/// One attempt to connect, which hides secrets in its error messages.
struct ConnectionAttempt {
    private var options: [(String, String)]

    /// The values that messages must not contain: all parameters except host, port and database.
    private let hidden: [String]

    init(_ url: DatabaseURL, _ applicationName: String) {
        // Defaults come first: the connection string may override them.
        options =
            [("connect_timeout", "3"), ("fallback_application_name", applicationName)]
            + url.parameters + [("client_encoding", "UTF8")]
        let shown = ["host", "hostaddr", "port", "dbname"]
        let shownValues = url.parameters.filter { shown.contains($0.keyword) }.map(\.value)
        hidden = url.parameters.map(\.value).filter { !$0.isEmpty && !shownValues.contains($0) }
    }

    /// The open connection; throws `PostgresError` without any of the hidden values.
    ///
    /// The timeout is `limit`, rounded for libpq, which accepts whole seconds and at least two.
    func connect(within limit: Duration?) throws -> OpaquePointer {
        var attempt = self
        if let limit { try attempt.wait(seconds: Int((limit / .seconds(1)).rounded())) }
        return try attempt.connect()
    }

    /// Lowers the timeout of the connection string.
    private mutating func wait(seconds: Int) throws {
        guard seconds > 0 else { throw PostgresError.timeout("CONNECT") }
        let set = options.last { $0.0 == "connect_timeout" }.flatMap { Int($0.1) } ?? 0
        let timeout = min(set > 0 ? set : .max, max(2, seconds))
        options.append(("connect_timeout", String(timeout)))
    }

    private func connect() throws -> OpaquePointer {
        guard let handle = start(PQconnectdbParams) else {
            throw failure(PostgresError.connectionFailure, "out of memory")
        }
        if PQstatus(handle) == CONNECTION_OK { return handle }
        let message = String(cString: PQerrorMessage(handle))
        PQfinish(handle)
        // Two spaces precede the server's message, whose SQLSTATE libpq does not return.
        let state = message.contains(":  ") ? refusalState() : nil
        throw failure(state ?? PostgresError.connectionFailure, hiding(hidden, in: message))
    }

    private func failure(_ state: String, _ message: String) -> PostgresError {
        PostgresError(state: state, message: oneLine(message), constraint: nil, statement: "")
    }

    /// Connects again to a server that refused, to get the SQLSTATE; nil if there is none.
    private func refusalState() -> String? {
        guard let handle = start(PQconnectStartParams) else { return nil }
        defer { PQfinish(handle) }
        guard PQstatus(handle) != CONNECTION_BAD else { return nil }
        PQsetErrorVerbosity(handle, PQERRORS_SQLSTATE)
        let deadline = ContinuousClock.now + .seconds(3)
        var awaited = POLLOUT
        while deadline > .now {
            var event = pollfd(fd: PQsocket(handle), events: Int16(awaited), revents: 0)
            guard poll(&event, 1, 100) >= 0 || errno == EINTR else { return nil }
            if event.revents == 0 { continue }
            switch PQconnectPoll(handle) {
            case PGRES_POLLING_READING: awaited = POLLIN
            case PGRES_POLLING_WRITING: awaited = POLLOUT
            case PGRES_POLLING_FAILED:
                let words = oneLine(String(cString: PQerrorMessage(handle))).split(separator: " ")
                let isState = words.last?.utf8.count == 5 && words.last?.contains(".") == false
                return isState ? words.last.map(String.init) : nil
            default: return nil
            }
        }
        return nil
    }

    private func start(
        _ function: (
            UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>, Int32
        ) -> OpaquePointer?
    ) -> OpaquePointer? {
        let names = options.map { strdup($0.0) }
        let values = options.map { strdup($0.1) }
        defer { (names + values).forEach { free($0) } }
        let namePointers = names.map { UnsafePointer($0) } + [nil]
        let valuePointers = values.map { UnsafePointer($0) } + [nil]
        // Without expansion: a database name is not parsed as a connection string.
        return function(namePointers, valuePointers, 0)
    }
}

/// `text` with every occurrence of a value as a separate word replaced by an ellipsis.
func hiding(_ values: [String], in text: String) -> String {
    var text = text
    for value in values {
        for range in text.ranges(of: value).reversed() {
            let before = text[..<range.lowerBound].last
            let after = text[range.upperBound...].first
            if [before, after].contains(where: { $0?.isLetter == true || $0?.isNumber == true }) {
                continue
            }
            text.replaceSubrange(range, with: "…")
        }
    }
    return text
}
