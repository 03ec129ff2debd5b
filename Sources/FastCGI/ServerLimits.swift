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

    /// Seconds that one read from, or one write to, the web server may take.
    public var clientSeconds = 60

    /// Makes the default limits.
    public init() {}
}
