import CPostgres

/// The rows of a prepared query with parameters, in binary.
///
/// A reader that is left half read leaves the connection busy.
public final class QueryReader: RowReader {
    private let connection: Connection
    private let statement: String
    private let isStreamed: Bool
    private var result: QueryResult?

    /// The index of the current row; may be set if the result is complete.
    public var row = -1

    /// The number of rows in memory: all rows if the result is complete.
    public var count: Int { result?.count ?? 0 }

    /// Runs `statement` with parameters in text form, preparing it the first time.
    public convenience init(
        _ connection: Connection, _ name: StaticString, _ statement: String,
        _ parameters: [String], isStreamed: Bool = false
    ) throws {
        try self.init(
            connection, name, statement, parameters.map { Parameter.text($0) },
            isStreamed: isStreamed)
    }

    /// Runs `statement` with parameters, preparing it the first time; its name is for log lines.
    ///
    /// If `isStreamed`, rows arrive and are freed one by one, and `next` throws the server's error;
    /// otherwise, the result is complete when this returns.
    public init(
        _ connection: Connection, _ name: StaticString, _ statement: String,
        _ parameters: [Parameter] = [], isStreamed: Bool = false
    ) throws {
        self.connection = connection
        self.statement = statement
        self.isStreamed = isStreamed
        let prepared = try connection.prepared(statement)
        let sent = connection.send(prepared, parameters, name)
        guard sent == 1 else { throw connection.error(statement) }
        if isStreamed {
            PQsetSingleRowMode(connection.handle)
        } else {
            do {
                result = try connection.finalResult(statement)
            } catch let error as PostgresError {
                throw noted(error)
            }
        }
    }

    /// Reads the next row; false after the last one.
    public func next() throws -> Bool {
        row += 1
        while row >= count {
            guard isStreamed, let next = try connection.nextResult(statement) else { return false }
            guard next.status == PGRES_TUPLES_OK || next.status == PGRES_SINGLE_TUPLE else {
                _ = try? connection.finalResult(statement)
                throw noted(next.error(statement))
            }
            result = next
            row = 0
        }
        return true
    }

    /// Marks the connection as stale if a prepared statement is invalid: it would fail every time.
    private func noted(_ error: PostgresError) -> PostgresError {
        if error.isStaleStatement { connection.isStale = true }
        return error
    }

    /// The number in `column`.
    public func integer(_ column: Int) -> Int64 {
        guard let bytes = result?.bytes(row, column), bytes.count == 8 else {
            preconditionFailure("column \(column) is not an int8: \(statement)")
        }
        return Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
    }

    /// Whether `column` is NULL.
    public func isNull(_ column: Int) -> Bool { result?.bytes(row, column) == nil }

    /// The number of bytes in `column`.
    public func byteCount(_ column: Int) -> Int { result?.bytes(row, column)?.count ?? 0 }

    /// Calls `body` with the bytes of the text in `column`.
    public func withText<Answer>(
        _ column: Int, _ body: (Span<UInt8>?) throws -> Answer
    ) rethrows -> Answer {
        guard let bytes = result?.bytes(row, column) else { return try body(nil) }
        return try body(bytes.assumingMemoryBound(to: UInt8.self).span)
    }
}

extension Connection {
    /// The maximum number of prepared statements.
    private static let preparedLimit = 64

    /// The name of `statement`, which is prepared if necessary.
    fileprivate func prepared(_ statement: String) throws -> String {
        if let name = preparedNames[statement] { return name }
        if preparedNames.count >= Self.preparedLimit {
            try run("DEALLOCATE ALL")
            preparedNames.removeAll()
        }
        let name = "q\(preparedNames.count)"
        meter.count(nil)
        guard PQsendPrepare(handle, name, statement, 0, nil) == 1 else { throw error(statement) }
        _ = try finalResult(statement)
        preparedNames[statement] = name
        return name
    }
}

extension Connection {
    /// The length of a message above which libpq's buffers become too large to keep.
    private static let largeBytes = 1 << 20

    /// Sends a prepared statement for execution with a binary result; 1 if it was sent.
    fileprivate func send(
        _ prepared: String, _ parameters: [Parameter], _ name: StaticString
    ) -> Int32 {
        var values: [UnsafePointer<CChar>?] = []
        values.reserveCapacity(parameters.count)
        if parameters.reduce(0, { $0 + $1.byteCount }) > Self.largeBytes { hasGrown = true }
        meter.count(name)
        return lend(parameters[...], &values) { values in
            PQsendQueryPrepared(
                handle, prepared, Int32(values.count), values,
                parameters.map { $0.isBinary ? Int32($0.byteCount) : 0 },
                parameters.map { $0.isBinary ? 1 : 0 }, 1)
        }
    }

    /// Appends the bytes of `parameters` to `values` without copying: a text may have 8 MiB.
    private func lend(
        _ parameters: ArraySlice<Parameter>, _ values: inout [UnsafePointer<CChar>?],
        _ body: ([UnsafePointer<CChar>?]) -> Int32
    ) -> Int32 {
        guard let parameter = parameters.first else { return body(values) }
        let rest = parameters.dropFirst()
        switch parameter {
        case .null:
            values.append(nil)
            return lend(rest, &values, body)
        case .text(let text):
            return text.withCString { text in
                values.append(text)
                return lend(rest, &values, body)
            }
        case .binary(let bytes):
            return bytes.withUnsafeBytes { bytes in
                values.append(bytes.assumingMemoryBound(to: CChar.self).baseAddress)
                return lend(rest, &values, body)
            }
        }
    }
}

extension QueryResult {
    /// The value at `row` and `column`; nil if it is NULL.
    fileprivate func bytes(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer? {
        guard PQgetisnull(handle, Int32(row), Int32(column)) == 0 else { return nil }
        return UnsafeRawBufferPointer(
            start: PQgetvalue(handle, Int32(row), Int32(column)),
            count: Int(PQgetlength(handle, Int32(row), Int32(column))))
    }
}
