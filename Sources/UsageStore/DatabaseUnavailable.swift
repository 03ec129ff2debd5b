import Postgres

/// PostgreSQL cannot be asked now; the same request may succeed later.
public struct DatabaseUnavailable: Error, CustomStringConvertible {
    /// The cause, for operators.
    public let description: String
}

/// Runs `body`; an error that says that the database is away or not set up becomes its own type.
@discardableResult
func reportingUnavailability<Answer>(_ body: () throws -> Answer) throws -> Answer {
    do {
        return try body()
    } catch let error as PostgresError where error.state == PostgresError.sequenceExhausted {
        throw noIDLeft
    } catch let error as PostgresError {
        let isMissing = [
            PostgresError.undefinedTable, PostgresError.undefinedColumn,
            PostgresError.queryCanceled, PostgresError.lockNotAvailable,
        ].contains(error.state)
        guard error.isUnavailability || error.isStaleStatement || isMissing else { throw error }
        throw DatabaseUnavailable(description: String(describing: error))
    }
}

/// The database has chosen the last id that JavaScript can hold.
private let noIDLeft = DatabaseUnavailable(
    description: "no message_id is left to choose below 2^53; clients must send message_id")

/// Runs `body`, which moves the sequence of ids; one that is at its end becomes its own error.
func reportingExhaustion(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as PostgresError where error.state == PostgresError.numberOutOfRange {
        throw noIDLeft
    }
}
