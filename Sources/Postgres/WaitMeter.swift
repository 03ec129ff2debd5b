/// How long one thread has waited for PostgreSQL and still may, and how many commands it has sent.
public final class WaitMeter {
    /// The time of the waits that have ended, and the start of the one that has not.
    private var ended = Duration.zero
    private var start: ContinuousClock.Instant?

    /// What `waited` may come to; nil if each wait has a limit of its own.
    private var limit: Duration?

    /// The commands.
    public internal(set) var commandCount = 0

    /// Starts at 0, without a limit.
    public init() {}

    /// The time of all waits.
    public var waited: Duration { ended + (start.map { .now - $0 } ?? .zero) }

    /// How long all further waits together may take; nil if each has a limit of its own.
    public var remaining: Duration? { limit.map { max($0 - waited, .zero) } }

    /// Starts anew; all waits together may take `limit` until the next `endLimit`.
    public func reset(limit: Duration? = nil) {
        ended = .zero
        start = nil
        self.limit = limit
        commandCount = 0
    }

    /// From here on, each wait has a limit of its own.
    public func endLimit() { limit = nil }

    /// Lets the waits in `body` take `duration` together, or what remains if that is less.
    public func within<Answer>(
        _ duration: Duration, _ body: () throws -> Answer
    ) rethrows -> Answer {
        let outer = limit
        defer { limit = outer }
        let inner = waited + duration
        limit = min(outer ?? inner, inner)
        return try body()
    }

    /// Counts the time that `body` takes, and no wait within it twice.
    public func timing<Answer, Failure: Error>(
        _ body: () throws(Failure) -> Answer
    ) throws(Failure) -> Answer {
        guard start == nil else { return try body() }
        let now = ContinuousClock.now
        start = now
        defer {
            ended += .now - now
            start = nil
        }
        return try body()
    }
}
