import Glibc

/// The bounds of everything that a server holds or waits for.
public struct ServerLimits: Sendable {
    /// Threads that handle requests.
    public var workers = 8

    /// Requests that may wait for a worker; the next one is refused.
    public var queued = 256

    /// Connections without a running request.
    public var connections = 1024

    /// Seconds that a connection may be idle between requests; more than nginx's 60.
    public var idleSeconds = 75

    /// Seconds that one read from the web server may take.
    public var readSeconds = 60

    /// Seconds that one write to it may take.
    ///
    /// While its temporary file is full, nginx reads nothing until a slow client has read all of it;
    /// nginx disconnects a client that reads nothing (`send_timeout`).
    public var writeSeconds = 3600

    /// Minimum idle time before a drain closes a keep-alive connection, in milliseconds: a web
    /// server reuses the connection that it used last.
    public var quietMilliseconds = 200

    /// Makes the default limits.
    public init() {}

    /// Sets the timeouts of a connection.
    ///
    /// In the thread that reads the request: the acceptor, which all connections pass, does as
    /// little as possible.
    func apply(to connection: Int32) {
        var readLimit = timeval(tv_sec: readSeconds, tv_usec: 0)
        var writeLimit = timeval(tv_sec: writeSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &readLimit, size)
        setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &writeLimit, size)
    }
}

/// How busy a server is at one moment.
public struct ServerLoad: Sendable {
    /// Requests that wait for a worker.
    public let queued: Int

    /// Workers that have a request.
    public let busyWorkers: Int

    /// Connections without a request.
    public let parkedConnections: Int

    /// Requests that were refused because the queue was full.
    public let queueRefusals: Int

    /// Connections that were refused because there were too many.
    public let connectionRefusals: Int

    /// The bounds of all this.
    public let limits: ServerLimits
}
