/// The bounds of everything that a server holds or waits for.
public struct ServerLimits: Sendable {
    /// Threads that answer requests.
    public var workers = 8

    /// Requests that may wait for a worker; the next one is refused.
    public var queued = 256

    /// Connections without a running request.
    public var connections = 1024

    /// Seconds that a connection may be silent between requests; more than nginx's 60.
    public var idleSeconds = 75

    /// Seconds that one read from the web server may take.
    public var readSeconds = 60

    /// Seconds that one write to it may take.
    ///
    /// While its temporary file is full, nginx takes nothing from us until a slow client has all
    /// of it; a client that takes nothing is nginx's to end (`send_timeout`).
    public var writeSeconds = 3600

    /// Milliseconds that a kept connection was silent when a drain may close it: a web server sends
    /// on the connection that it used last.
    public var quietMilliseconds = 200

    /// Makes the default limits.
    public init() {}
}
