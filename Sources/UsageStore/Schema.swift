import Postgres

/// The database schema that this program was written for.
public enum Schema {
    /// The newest migration that must have been applied; a newer schema serves as well.
    public static let version = "0016"
}

/// The answer to one question of a health check.
public struct HealthCheck: Equatable, Sendable {
    /// What was checked: `database`, `schema` or `tokenizer`.
    public let name: String

    /// What is wrong, in words that a client may see; nil when it is well.
    public let fault: String?

    /// The cause for operators.
    public let cause: String?

    /// Makes the answer to a question.
    public init(name: String, fault: String?, cause: String?) {
        self.name = name
        self.fault = fault
        self.cause = cause
    }
}

extension UsageStore {
    /// The longest that a health check waits for the database, in seconds.
    static let healthTimeoutSeconds = 2

    /// Makes the next health check query the database, even if the last one is less than half a
    /// second old: a request has seen a database error.
    public func noteFailure() { group.noteFailure() }

    /// Whether the database responds and has the expected schema; queries it at most every half
    /// second, and after each `noteFailure`.
    public func healthChecks() -> [HealthCheck] {
        lendConnection()
        do {
            return try meter.timing { try group.healthChecks(askForHealth) }
        } catch let error as PostgresError where error.state == PostgresError.undefinedTable {
            return [HealthCheck(name: "database", fault: nil, cause: nil), Self.oldSchema]
        } catch {
            return [Self.unreachable(error)]
        }
    }

    static func unreachable(_ error: any Error) -> HealthCheck {
        HealthCheck(
            name: "database", fault: "The database is unavailable.",
            cause: String(describing: error))
    }

    private func askForHealth() throws -> [HealthCheck] {
        let connection = try connected(timeoutSeconds: Self.healthTimeoutSeconds)
        let reader = try QueryReader(
            connection, "SELECT count(*) FROM schema_migrations WHERE version = $1::text",
            [Schema.version], isStreamed: false)
        let hasVersion = try reader.next() && reader.integer(0) > 0
        return [
            HealthCheck(name: "database", fault: nil, cause: nil),
            hasVersion ? HealthCheck(name: "schema", fault: nil, cause: nil) : Self.oldSchema,
        ]
    }

    private static let oldSchema = HealthCheck(
        name: "schema", fault: "The database schema is not the expected one.",
        cause: "migration \(Schema.version) is not applied; run: orbitalctl migrate up")
}
