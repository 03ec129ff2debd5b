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
    } catch let error as TokenizerUnavailable {
        throw DatabaseUnavailable(description: error.description)
    } catch let error as PostgresError {
        let isMissing = [
            PostgresError.undefinedTable, PostgresError.undefinedColumn,
            PostgresError.queryCanceled, PostgresError.lockNotAvailable,
        ].contains(error.state)
        guard error.isUnavailability || error.isStaleStatement || isMissing else { throw error }
        throw DatabaseUnavailable(description: String(describing: error))
    }
}
