import Postgres
import Threads
import Tokenizer
import Usage

/// The database schema that this program was written for.
public enum Schema {
    /// The newest migration that must be applied; a newer schema works, too.
    public static let version = "0039"
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
            connection, "health", "SELECT count(*) FROM schema_migrations WHERE version = $1::text",
            [Schema.version])
        let hasVersion = try reader.next() && reader.integer(0) > 0
        return [
            HealthCheck(name: "database"),
            hasVersion ? HealthCheck(name: "schema") : Self.oldSchema,
        ]
    }

    private static let oldSchema = HealthCheck(
        name: "schema", fault: "The database schema is out of date.",
        cause: "migration \(Schema.version) is not applied; run: orbitalctl migrate up")

    /// How far ahead readiness checks the price list, in microseconds: ten minutes.
    private static let readinessPeriod: Int64 = 600_000_000

    /// `healthChecks`, and whether the vocabularies that the price list requires within ten minutes
    /// can be loaded; without this check if the price list only counts characters.
    public func readinessChecks() -> [HealthCheck] {
        let checks = healthChecks()
        guard checks.allSatisfy({ $0.fault == nil }) else { return checks }
        do {
            let needed = try neededTokenizers()
            let faults = TokenEncoding.allCases.filter(needed.contains).compactMap(tokenizerFault)
            guard !needed.isEmpty else { return checks }
            return checks + [faults.first ?? HealthCheck(name: "tokenizer")]
        } catch {
            return [Self.unreachable(error)]
        }
    }

    /// The required tokenizers; without a permit, those of the last check.
    private func neededTokenizers() throws -> Set<TokenEncoding> {
        guard admitHealthCheck() else { return shared.neededTokenizers.withLock { $0 } }
        let now = Timestamp.now
        let end = Timestamp(microseconds: now.microseconds + Self.readinessPeriod)
        let needed = try meter.within(Self.healthTimeout) {
            try TokenCounter(try connected(), shared.tokenizers).encodings(of: now...end)
        }
        shared.neededTokenizers.withLock { $0 = needed }
        return needed
    }

    private func tokenizerFault(_ encoding: TokenEncoding) -> HealthCheck? {
        do {
            try shared.tokenizers.tokenizer(encoding)
            return nil
        } catch {
            return HealthCheck(
                name: "tokenizer",
                fault: "The vocabulary of the tokenizer \(encoding.rawValue) is missing or "
                    + "damaged; the price list requires it.",
                cause: String(describing: error))
        }
    }
}
