import CPostgres
import Glibc

extension Connection {
    /// Runs one statement with text parameters, where nil is NULL; returns the complete result.
    ///
    /// For short results only. Throws `PostgresError` or `QueryAbandoned`.
    @discardableResult
    public func query(_ statement: String, _ parameters: [String?] = []) throws -> QueryResult {
        let copies = parameters.map { $0.map { strdup($0) } }
        defer { copies.forEach { free($0 ?? nil) } }
        let values = copies.map { UnsafePointer($0 ?? nil) }
        meter.count(nil)
        let sent = PQsendQueryParams(
            handle, statement, Int32(values.count), nil, values, nil, nil, 0)
        guard sent == 1 else { throw error(statement) }
        return try finalResult(statement)
    }

    /// Runs a script of several statements, in one transaction unless it contains its own; returns
    /// the last result.
    ///
    /// Its name is for log lines.
    @discardableResult
    public func run(_ script: String, as name: StaticString? = nil) throws -> QueryResult {
        meter.count(name)
        guard PQsendQuery(handle, script) == 1 else { throw error(script) }
        return try finalResult(script)
    }

    /// Runs `body` in a transaction: committed when it returns, rolled back when it throws.
    public func transaction<Answer>(_ body: () throws -> Answer) throws -> Answer {
        try run("BEGIN")
        do {
            let answer = try body()
            try run("COMMIT")
            return answer
        } catch {
            // The first error is the one to report; a broken connection is rolled back anyway.
            _ = try? run("ROLLBACK")
            throw error
        }
    }

    /// Waits for the end of the command; returns its last result or throws its first error.
    func finalResult(_ statement: String) throws -> QueryResult {
        var last: QueryResult?
        var failure: PostgresError?
        while let result = try nextResult(statement) {
            switch result.status {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: last = result
            case PGRES_COPY_IN, PGRES_COPY_OUT:
                preconditionFailure("use CopyReader or CopyWriter: \(statement)")
            default: failure = failure ?? result.error(statement)
            }
        }
        if let failure { throw failure }
        guard let last else { throw error(statement) }
        return last
    }

    /// Starts a COPY; if the server rejects it, the connection stays usable.
    func beginCopy(
        _ name: StaticString?, _ statement: String, _ expected: ExecStatusType
    ) throws {
        meter.count(name)
        guard PQsendQuery(handle, statement) == 1,
            let first = try nextResult(statement)
        else { throw error(statement) }
        guard first.status == expected else {
            _ = try? finalResult(statement)
            throw first.error(statement)
        }
    }

    /// Waits for the next result of the command; nil at its end.
    func nextResult(_ statement: String) throws -> QueryResult? {
        try flush(statement)
        while PQisBusy(handle) != 0 { try wait(statement) }
        return PQgetResult(handle).map { QueryResult($0) }
    }
}
