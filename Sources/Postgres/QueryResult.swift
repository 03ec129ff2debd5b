import CPostgres

/// The complete result of a short query, in text form.
public final class QueryResult {
    let handle: OpaquePointer

    init(_ handle: OpaquePointer) { self.handle = handle }

    deinit { PQclear(handle) }

    /// The number of rows.
    public var count: Int { Int(PQntuples(handle)) }

    /// The number of rows that an INSERT, UPDATE or DELETE changed.
    public var changedCount: Int { Int(String(cString: PQcmdTuples(handle))) ?? 0 }

    /// The text at `row` and `column`, both from 0; nil if it is NULL.
    public subscript(row: Int, column: Int) -> String? {
        guard PQgetisnull(handle, Int32(row), Int32(column)) == 0 else { return nil }
        return String(cString: PQgetvalue(handle, Int32(row), Int32(column)))
    }

    var status: ExecStatusType { PQresultStatus(handle) }

    func error(_ statement: String) -> PostgresError {
        PostgresError(
            state: field(PG_DIAG_SQLSTATE) ?? PostgresError.connectionFailure,
            message: field(PG_DIAG_MESSAGE_PRIMARY)
                ?? oneLine(String(cString: PQresultErrorMessage(handle))),
            constraint: field(PG_DIAG_CONSTRAINT_NAME), statement: statement)
    }

    private func field(_ code: UnicodeScalar) -> String? { text(code, of: handle) }
}

/// The message of a notice, if it is of RAISE INFO.
func information(_ notice: OpaquePointer) -> String? {
    text(PG_DIAG_SEVERITY_NONLOCALIZED, of: notice) == "INFO"
        ? text(PG_DIAG_MESSAGE_PRIMARY, of: notice) : nil
}

private func text(_ code: UnicodeScalar, of result: OpaquePointer) -> String? {
    PQresultErrorField(result, Int32(code.value)).map { String(cString: $0) }
}

// libpq-fe.h defines them as character constants, which Swift does not import as integers.
private let PG_DIAG_SEVERITY_NONLOCALIZED: UnicodeScalar = "V"
private let PG_DIAG_SQLSTATE: UnicodeScalar = "C"
private let PG_DIAG_MESSAGE_PRIMARY: UnicodeScalar = "M"
private let PG_DIAG_CONSTRAINT_NAME: UnicodeScalar = "n"
