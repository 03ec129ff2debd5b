import Threads

/// Why a request is not admitted; a retry may succeed.
public enum AdmissionRefused: Error, CustomStringConvertible {
    /// The limit of long responses is reached.
    case long
    /// All permits are taken, and none was released in time.
    case full

    /// For clients.
    public var description: String {
        switch self {
        case .long: "All workers for long responses are busy."
        case .full: "All workers for the database are busy."
        }
    }
}

/// The admission gate of a process: limits how many requests of all kinds wait for PostgreSQL.
public final class Admission: Sendable {
    typealias Gate = AdmissionGate<Handoff<Void>>

    private let gate: Lock<Gate>
    private let reservedCount: Int

    /// Makes a gate that leaves `reserved` of `workers` free.
    public init(workers: Int = .max, reserved: Int = 0) {
        reservedCount = reserved
        // With a single permit, one long response would refuse all other requests.
        let limit = max(1, min(2, workers - 1), workers - reserved)
        gate = Lock(Gate(limit: limit, hasHealthPermit: workers - limit >= 2))
    }

    /// The maximum and the current number of long responses.
    public var long: (limit: Int, count: Int) { gate.withLock { ($0.longLimit, $0.longCount) } }

    /// How many requests were refused: by the limit of long responses, and without a free permit.
    public var refusals: (long: Int, full: Int) {
        gate.withLock { ($0.longRefusalCount, $0.refusalCount) }
    }

    /// A thread that wakes up later than this competes for a processor, as PostgreSQL does.
    private static var latenessLimit: Duration { .milliseconds(5) }

    /// Takes a permit, waiting for one while the gate makes progress.
    ///
    /// `isScarce` tells whether PostgreSQL grants fewer connections than there are permits: then
    /// requests wait for each other, and PostgreSQL counts as slow.
    func enter(
        until deadline: ContinuousClock.Instant, isScarce: () -> Bool
    ) throws(AdmissionRefused) -> Gate.Permit {
        let turn = Handoff<Void>()
        var action = gate.withLock { $0.enter(at: .now, until: deadline, turn) }
        while case .wait(let end) = action {
            if turn.wait(until: end) != nil { return .short }
            let now = ContinuousClock.now
            let isLate = now - end > Self.latenessLimit || isScarce()
            action = gate.withLock { $0.check(turn, at: now, isLate: isLate, until: deadline) }
        }
        guard action == .admit else { throw .full }
        return .short
    }

    /// Takes a permit for a health check; nil if there is none.
    func enterHealthCheck() -> Gate.Permit? { gate.withLock { $0.enterHealthCheck(at: .now) } }

    /// Whether a request succeeded within `period`.
    func hasSuccess(within period: Duration) -> Bool {
        gate.withLock { $0.lastSuccess }.map { .now - $0 < period } ?? false
    }

    /// Converts a permit to one for a long response.
    ///
    /// `granted` is how many connections PostgreSQL grants, if too few; long responses leave some free.
    func becomeLong(_ permit: Gate.Permit, granted: Int?) throws(AdmissionRefused) -> Gate.Permit {
        guard permit == .short else { return permit }
        let bound = granted.map { $0 - reservedCount } ?? .max
        guard gate.withLock({ $0.becomeLong(upTo: bound) }) else { throw .long }
        return .long
    }

    /// Runs `connect`, which takes longer than most queries.
    func connecting<Connection>(_ connect: () throws -> Connection) rethrows -> Connection {
        gate.withLock { $0.beginConnecting() }
        var isDone = false
        defer { gate.withLock { $0.endConnecting(at: .now, isDone: isDone) } }
        let connection = try connect()
        isDone = true
        return connection
    }

    /// Releases a permit.
    func leave(_ permit: Gate.Permit, isDone: Bool) {
        gate.withLock { $0.leave(permit, at: .now, isDone: isDone) }?.give(())
    }
}
