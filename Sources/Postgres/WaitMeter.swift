/// Measures and limits the waits of one thread for PostgreSQL, and counts its commands.
public final class WaitMeter {
    /// The sum of the finished waits, and the start of the current one.
    private var ended = Duration.zero
    private var start: ContinuousClock.Instant?

    /// The limit of `waited`; nil if each wait has its own timeout.
    private var limit: Duration?

    /// The number of commands sent.
    public private(set) var commandCount = 0

    /// The names of the first statements, in order, without those that have no name.
    public private(set) var statements: [StaticString] = []

    /// How many names are noted.
    public static let statementLimit = 16

    /// The number of attempts to connect.
    public internal(set) var connectCount = 0

    /// The number of connections that were closed.
    public internal(set) var disconnectCount = 0

    /// Starts at 0 without a limit.
    public init() {}

    /// The sum of all waits.
    public var waited: Duration { ended + (start.map { .now - $0 } ?? .zero) }

    /// The remaining time for all further waits; nil if each has its own timeout.
    public var remaining: Duration? { limit.map { max($0 - waited, .zero) } }

    /// Resets; until `endLimit`, all waits together may take `limit`.
    public func reset(limit: Duration? = nil) {
        ended = .zero
        start = nil
        self.limit = limit
        commandCount = 0
        statements.removeAll(keepingCapacity: true)
        connectCount = 0
        disconnectCount = 0
    }

    /// Counts a command, and notes the name of its statement.
    func count(_ statement: StaticString?) {
        commandCount += 1
        guard let statement, statements.count < Self.statementLimit else { return }
        statements.append(statement)
    }

    /// Removes the limit: each further wait has its own timeout.
    public func endLimit() { limit = nil }

    /// Limits all waits in `body` together to `duration`, or to the remaining time if it is less.
    public func within<Answer>(
        _ duration: Duration, _ body: () throws -> Answer
    ) rethrows -> Answer {
        let outer = limit
        defer { limit = outer }
        let inner = waited + duration
        limit = min(outer ?? inner, inner)
        return try body()
    }

    /// Counts the time of `body` as a wait; nested waits are not counted twice.
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
