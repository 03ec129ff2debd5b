import CPostgres
import Glibc

/// One attempt to connect, which hides secrets in its error messages.
struct ConnectionAttempt {
    private var options: [(String, String)]

    /// The values that messages must not contain: all parameters except host, port,
    /// database and timeout.
    private let hidden: [String]

    init(_ url: DatabaseURL, _ applicationName: String) {
        // Defaults come first: the connection string may override them.
        options =
            [("connect_timeout", "3"), ("fallback_application_name", applicationName)]
            + url.parameters + [("client_encoding", "UTF8")]
        let shown = ["host", "hostaddr", "port", "dbname", "connect_timeout"]
        let shownValues = url.parameters.filter { shown.contains($0.keyword) }.map(\.value)
        hidden = url.parameters.map(\.value).filter { !$0.isEmpty && !shownValues.contains($0) }
    }

    /// The open connection; throws `PostgresError` without any of the hidden values.
    ///
    /// Each address may take the timeout of the connection string, and all together `limit`, by the
    /// monotonic clock; `PQconnectdbParams` would count whole seconds of the wall clock, and at
    /// least two. libpq chooses the next host, except after a timeout, which it does not see: then
    /// another attempt begins with the other hosts.
    func connect(within limit: Duration?) throws -> OpaquePointer {
        if let limit, limit <= .zero { throw PostgresError.timeout("CONNECT") }
        let end = limit.map { ContinuousClock.now + $0 }
        let hostLimit = try hostLimit
        var hosts: [Host]?
        var report = ""
        while true {
            guard let handle = start(hosts) else { throw failure("out of memory") }
            // Adds the SQLSTATE to messages: libpq does not return it otherwise.
            PQsetErrorVerbosity(handle, PQERRORS_VERBOSE)
            let status = complete(handle, hostLimit, end)
            if status == PGRES_POLLING_OK {
                PQsetErrorVerbosity(handle, PQERRORS_DEFAULT)
                return handle
            }
            defer { PQfinish(handle) }
            var message = String(cString: PQerrorMessage(handle))
            guard status != PGRES_POLLING_FAILED else { throw refusal(report + message) }
            message += "timeout expired"
            let others = Host.others(handle)
            if others.isEmpty || end.map({ $0 <= .now }) == true { throw refusal(report + message) }
            hosts = others
            // The next attempt reports the other hosts again.
            report += (message.split(separator: "\n").last ?? "") + "\n"
        }
    }

    /// The timeout for each address; nil if there is none.
    private var hostLimit: Duration? {
        get throws {
            let value = options.last { $0.0 == "connect_timeout" }?.1 ?? ""
            guard let seconds = Int32(value) else {
                throw failure("connect_timeout is not a number of seconds")
            }
            return seconds > 0 ? .seconds(seconds) : nil
        }
    }

    /// Runs one attempt until it succeeds or fails; any other status means a timeout.
    private func complete(
        _ handle: OpaquePointer, _ hostLimit: Duration?, _ end: ContinuousClock.Instant?
    ) -> PostgresPollingStatusType {
        if PQstatus(handle) == CONNECTION_BAD { return PGRES_POLLING_FAILED }
        var status = PGRES_POLLING_WRITING
        var host: Host?
        var hostEnd: ContinuousClock.Instant?
        while status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING {
            let current = Host(handle)
            if host != current {
                host = current
                hostEnd = hostLimit.map { .now + $0 }
            }
            let remaining = [hostEnd, end].compactMap { $0 }.min().map { $0 - .now }
            if let remaining, remaining <= .zero { break }
            let milliseconds = remaining.map { ($0 / .milliseconds(1)).rounded(.up) } ?? -1
            let awaited = status == PGRES_POLLING_READING ? POLLIN : POLLOUT
            var event = pollfd(fd: PQsocket(handle), events: Int16(awaited), revents: 0)
            let count = poll(&event, 1, Int32(min(milliseconds, Double(Int32.max))))
            if count > 0 { status = PQconnectPoll(handle) }
            if count < 0 && errno != EINTR { return PGRES_POLLING_FAILED }
        }
        return status
    }

    /// The error of libpq's verbose messages, with the SQLSTATE that the last host sent.
    private func refusal(_ report: String) -> PostgresError {
        var state: String?
        var text = ""
        for var line in report.split(separator: "\n") where !line.hasPrefix("LOCATION:  ") {
            if line.hasPrefix("connection to server") { state = takeState(from: &line) }
            text += line + " "
        }
        return failure(hiding(hidden, in: text), state ?? PostgresError.connectionFailure)
    }

    private func failure(
        _ message: String, _ state: String = PostgresError.connectionFailure
    ) -> PostgresError {
        PostgresError(state: state, message: oneLine(message), constraint: nil, statement: "")
    }

    /// Starts to connect; `hosts` replace those of the connection string.
    private func start(_ hosts: [Host]?) -> OpaquePointer? {
        var options = options
        if let hosts {
            options.removeAll { ["host", "hostaddr", "port"].contains($0.0) }
            options.append(("host", hosts.map(\.name).joined(separator: ",")))
            options.append(("hostaddr", hosts.map(\.address).joined(separator: ",")))
            options.append(("port", hosts.map(\.port).joined(separator: ",")))
        }
        let names = options.map { strdup($0.0) }
        let values = options.map { strdup($0.1) }
        defer { (names + values).forEach { free($0) } }
        let namePointers = names.map { UnsafePointer($0) } + [nil]
        let valuePointers = values.map { UnsafePointer($0) } + [nil]
        // Without expansion: a database name is not parsed as a connection string.
        return PQconnectStartParams(namePointers, valuePointers, 0)
    }
}

/// Removes the SQLSTATE from a line of a verbose message: `… FATAL:  28P01: …`.
private func takeState(from line: inout Substring) -> String? {
    for range in line.ranges(of: ":  ") {
        let rest = line[range.upperBound...]
        let state = rest.prefix(5)
        let isState = state.allSatisfy { $0.isASCII && ($0.isNumber || $0.isUppercase) }
        guard isState, rest.dropFirst(5).hasPrefix(": ") else { continue }
        line = line[..<range.upperBound] + rest.dropFirst(7)
        return String(state)
    }
    return nil
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
