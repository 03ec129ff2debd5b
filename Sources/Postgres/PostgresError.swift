/// A failure that PostgreSQL or libpq reported; for operators, never for clients.
public struct PostgresError: Error, CustomStringConvertible {
    /// The SQLSTATE, five characters; `08006` where the connection failed and none came.
    public let state: String

    /// The server's or libpq's primary message.
    public let message: String

    /// The constraint that the statement violated.
    public let constraint: String?

    /// The statement, without its parameters; empty when connecting.
    public let statement: String

    /// The state, the message and the statement.
    public var description: String {
        let place = statement.isEmpty ? "" : " in: \(oneLine(statement))"
        return "\(state): \(oneLine(message))\(place)"
    }

    /// Whether a retry of the transaction may succeed.
    ///
    /// serialization_failure and deadlock_detected.
    public var isRetriable: Bool { state == "40001" || state == "40P01" }

    /// Whether a prepared statement no longer fits the schema, or the server has lost it.
    ///
    /// feature_not_supported ("cached plan must not change result type") and
    /// invalid_sql_statement_name; other connections are not affected.
    public var isStaleStatement: Bool { state == "0A000" || state == "26000" }

    /// Whether the server is unavailable, so that a later retry may succeed.
    ///
    /// All errors that prevent a connection, and classes 08 (connection), 25006 (a standby), 53
    /// (resources), 57P (shutdown), 58 (system).
    public var isUnavailability: Bool {
        statement.isEmpty
            || ["08", "25006", "28", "3D", "53", "57P", "58"].contains { state.hasPrefix($0) }
    }
}

extension PostgresError {
    /// The server did not respond to `statement` within the timeout.
    static func timeout(_ statement: String, _ limit: String = "in time") -> PostgresError {
        PostgresError(
            state: connectionFailure, message: "no response \(limit)", constraint: nil,
            statement: statement)
    }

    /// No connection, or it broke: connection_failure.
    public static let connectionFailure = "08006"

    /// The statement was cancelled, by us or by an operator: query_canceled.
    public static let queryCanceled = "57014"

    /// Lock timeout: lock_not_available.
    public static let lockNotAvailable = "55P03"

    /// A unique value exists already: unique_violation.
    public static let uniqueViolation = "23505"

    /// A sequence is exhausted: sequence_generator_limit_exceeded.
    public static let sequenceExhausted = "2200H"

    /// A number does not fit its type or its sequence: numeric_value_out_of_range.
    public static let numberOutOfRange = "22003"

    /// The server, database or role is at its connection limit: too_many_connections.
    public static let tooManyConnections = "53300"

    /// The role lacks a privilege: insufficient_privilege.
    public static let notPermitted = "42501"

    /// The table does not exist: undefined_table.
    public static let undefinedTable = "42P01"

    /// The column does not exist: undefined_column.
    public static let undefinedColumn = "42703"
}

/// The client disconnected while the query ran; the query ends with its connection.
public struct QueryAbandoned: Error {
    /// Makes the error.
    public init() {}
}
