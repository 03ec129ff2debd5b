/// How long one thread has waited for PostgreSQL, and how many commands it has sent.
public final class WaitMeter {
    /// The time of all waits.
    public private(set) var waited = Duration.zero

    /// The commands.
    public internal(set) var commandCount = 0

    /// Starts at 0.
    public init() {}

    /// Starts anew.
    public func reset() {
        waited = .zero
        commandCount = 0
    }

    /// Counts the time that `body` takes, and no wait within it twice.
    public func timing<Answer, Failure: Error>(
        _ body: () throws(Failure) -> Answer
    ) throws(Failure) -> Answer {
        let before = waited
        let start = ContinuousClock.now
        defer { waited = before + (.now - start) }
        return try body()
    }
}
