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
