/// The paths whose requests do not wait behind others.
public struct UrgentPaths: Sendable {
    /// Requests whose path begins so overtake others in the queue, so that a monitor can tell a long
    /// queue from a dead process.
    let urgent: String

    /// Requests of exactly this path, which never wait for anything, have a thread of their own while
    /// all workers are busy, if all of the request has arrived.
    let live: String

    /// The paths as they begin in `SCRIPT_NAME`.
    public init(urgent: String, live: String) {
        self.urgent = urgent
        self.live = live
    }
}
