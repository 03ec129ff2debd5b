import Postgres
public import Usage

/// A read-only REPEATABLE READ snapshot of the database; ends with the store's `release`.
public final class Snapshot {
    /// The revision of the snapshot.
    public let revision: Int64

    let connection: Connection

    /// The filter that all records of the snapshot must match.
    let bounds: UsageFilter

    /// Plans each query for its own values: a generic plan cannot distinguish a range of a day from
    /// one of ten years.
    init(_ connection: Connection, _ bounds: UsageFilter) throws {
        self.connection = connection
        self.bounds = bounds
        let result = try connection.run(
            """
            BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
            SET LOCAL plan_cache_mode = force_custom_plan;
            SELECT sum(changes)::bigint FROM usage_revision
            """, as: "snapshot")
        guard let revision = result[0, 0].flatMap(Int64.init) else {
            throw DatabaseUnavailable(description: "usage_revision has lost its rows")
        }
        self.revision = revision
    }

    /// Waits for locks without a timeout from now on; for long responses.
    public func waitForLocks() throws {
        try reportingUnavailability {
            _ = try connection.run("SET LOCAL lock_timeout = 0", as: "lock_timeout")
        }
    }

    /// Lets PostgreSQL remember the attributions of records (Memoize) in up to 32 MB, for about
    /// 200,000 of them: twice `work_mem`, which is 4 MB by default.
    private static let rememberAttributions = """
        SELECT set_config('work_mem', '16MB', true)
        WHERE pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('16MB')
        """

    /// The usage records that match `filter`, in order, after `cursor`.
    ///
    /// With a limit: one page, with the cursor of the next one. Without: all records, streamed.
    public func records(
        _ filter: UsageFilter, sort: SortOrder, after cursor: PageCursor? = nil, limit: Int? = nil,
        fields: [UsageRecord.Column] = UsageRows.standardFields
    ) throws -> UsageRows {
        try reportingUnavailability {
            if let limit {
                // One record more than the limit shows whether there is a next page.
                let page = try page(
                    filter.and(bounds), sort: sort, after: cursor, limit: limit + 1, fields: fields)
                return UsageRows(page: page.rows, page.record, limit: limit, sort: sort)
            }
            let statement = RecordsStatement(
                filter.and(bounds), sort: sort, after: cursor, limit: nil, fields: fields)
            if fields.needAttributions { try connection.run(Self.rememberAttributions) }
            let values = statement.bindings.values
            // COPY has no parameters, but is faster: libpq makes no result for each row.
            return UsageRows(
                values.isEmpty
                    ? try CopyReader(
                        connection, "list", "COPY (\(statement.text)) TO STDOUT (FORMAT binary)",
                        columns: statement.columnCount)
                    : try QueryReader(
                        connection, "list", statement.text, values, isStreamed: true),
                statement.record)
        }
    }

    /// The number of usage records that match `filter`, and the sum of their credits.
    public func totals(_ filter: UsageFilter) throws -> (messages: Int64, creditsUsed: String) {
        try reportingUnavailability {
            var bindings = Bindings()
            let conditions = filter.and(bounds).conditions(&bindings)
            var list = SelectList()
            let messages = list.add("count(*)", as: Int64.self)
            let creditsUsed = list.add(
                "coalesce(sum(credit_hundredths), 0) * 0.01", as: String.self)
            let reader = try QueryReader(
                connection, "totals",
                "SELECT \(list.sql) FROM usage_record \(whereClause(conditions))",
                bindings.values)
            guard try reader.next() else { return (0, "0.00") }
            return (reader[messages], reader[creditsUsed])
        }
    }
}

extension UsageStore {
    /// Takes a snapshot of the records that match `bounds`; it lasts until `release`.
    public func snapshot(within bounds: UsageFilter = UsageFilter()) throws -> Snapshot {
        try reportingUnavailability { try Snapshot(try connected(), bounds) }
    }
}
