import Postgres

/// The database is unavailable; the same request may succeed later.
public struct DatabaseUnavailable: Error, CustomStringConvertible {
    /// The cause, for operators.
    public let description: String

    /// The remedy for administrators, if known.
    public let remedy: String?

    init(description: String, remedy: String? = nil) {
        self.description = description
        self.remedy = remedy
    }
}

/// Runs `body`; maps errors of an unavailable or incomplete database to `DatabaseUnavailable`.
@discardableResult
func reportingUnavailability<Result>(_ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let error as PostgresError where error.state == PostgresError.sequenceExhausted {
        throw noIDLeft
    } catch let error as PostgresError {
        let isStopped = [PostgresError.queryCanceled, PostgresError.lockNotAvailable]
            .contains(error.state)
        guard error.isUnavailability || error.isStaleStatement || error.isOfSchema || isStopped
        else { throw error }
        let cause = error.isOfSchema ? "its schema is missing or out of date: " : ""
        throw DatabaseUnavailable(description: "\(cause)\(error)", remedy: error.remedy)
    }
}

extension UsageStore {
    /// The remedy for administrators if PostgreSQL grants too few connections.
    public static let connectionRemedy =
        "raise max_connections, or the role's or the database's CONNECTION LIMIT, in PostgreSQL, "
        + "or lower WORKERS"
}

extension PostgresError {
    /// Whether a table or a column is missing.
    fileprivate var isOfSchema: Bool {
        state == Self.undefinedTable || state == Self.undefinedColumn
    }

    /// The remedy for administrators if a connection, table or column is missing; nil for other
    /// errors.
    fileprivate var remedy: String? {
        if isOfSchema { return "run: orbitalctl migrate up" }
        guard statement.isEmpty else { return nil }
        return switch state {
        case "28P01":
            "correct the password in DATABASE_URL (% @ / : # ? percent-encoded), or set it in "
                + "PostgreSQL: ALTER ROLE … PASSWORD …"
        case "28000":
            "run this as a user with a PostgreSQL role (sudo -u orbital-usage orbitalctl …), or "
                + "create the role (createuser) and allow it in pg_hba.conf"
        case "3D000":
            "correct the database's name in DATABASE_URL, or create it: "
                + "sudo -u postgres createdb -O orbital-usage orbital"
        case "42501": "as a superuser: GRANT CONNECT ON DATABASE … TO …"
        case PostgresError.tooManyConnections:
            UsageStore.connectionRemedy
        case "57P03": "wait until PostgreSQL has started or recovered"
        default: "start PostgreSQL, and check host and port in DATABASE_URL"
        }
    }
}

/// The database has assigned the last id that JavaScript can represent exactly.
private let noIDLeft = DatabaseUnavailable(
    description: "no message_id is left to assign below 2^53; clients must send message_id")

/// Runs `body`, which advances the sequence of ids; maps an exhausted sequence to its own error.
func reportingExhaustion(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as PostgresError where error.state == PostgresError.numberOutOfRange {
        throw noIDLeft
    }
}
