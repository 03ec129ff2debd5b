import Postgres

/// The database schema that this program was written for.
public enum Schema {
    /// The newest migration that must be applied; a newer schema works, too.
    public static let version = "0022"
}

/// The result of one health check.
public struct HealthCheck: Equatable, Sendable {
    /// What was checked: `database`, `schema` or `tokenizer`.
    public let name: String

    /// The fault, for clients; nil if healthy.
    public let fault: String?

    /// The cause, for operators.
    public let cause: String?

    /// Makes a result.
    public init(name: String, fault: String? = nil, cause: String? = nil) {
        self.name = name
        self.fault = fault
        self.cause = cause
    }
}

extension UsageStore {
    /// Timeout of a health check, and of a ROLLBACK.
    static var healthTimeout: Duration { .seconds(2) }

    /// Whether the database responds and has the expected schema; queries it at most every half
    /// second, and after each `noteFailure`.
    ///
    /// Without a permit, a check or any other request that succeeded within two seconds shows that
    /// the database is only busy. If none did, the check waits for a permit as other requests do.
    public func healthChecks() -> [HealthCheck] {
        if let checks = shared.lastHealthChecks(within: .milliseconds(500)) { return checks }
        if !admitHealthCheck() {
            if let checks = shared.lastHealthChecks(within: .seconds(2)) { return checks }
            if shared.admission.hasSuccess(within: .seconds(2)) {
                return [HealthCheck(name: "database")]
            }
            do { try admit() } catch { return [Self.unreachable(error)] }
            if let checks = shared.lastHealthChecks(within: .milliseconds(500)) { return checks }
        }
        lendConnection()
        do {
            return try meter.within(Self.healthTimeout) {
                try meter.timing { try shared.healthChecks(until: deadline, queryHealth) }
            }
        } catch let error as PostgresError where error.state == PostgresError.undefinedTable {
            return [HealthCheck(name: "database"), Self.oldSchema]
        } catch {
            noteFailure()
            return [Self.unreachable(error)]
        }
    }

    static func unreachable(_ error: any Error) -> HealthCheck {
        HealthCheck(
            name: "database", fault: "The database is unavailable.",
            cause: String(describing: error))
    }

    private func queryHealth() throws -> [HealthCheck] {
        let connection = try connected()
        let reader = try QueryReader(
            connection, "SELECT count(*) FROM schema_migrations WHERE version = $1::text",
            [Schema.version], isStreamed: false)
        let hasVersion = try reader.next() && reader.integer(0) > 0
        return [
            HealthCheck(name: "database"),
            hasVersion ? HealthCheck(name: "schema") : Self.oldSchema,
        ]
    }

    private static let oldSchema = HealthCheck(
        name: "schema", fault: "The database schema is out of date.",
        cause: "migration \(Schema.version) is not applied; run: orbitalctl migrate up")
}
