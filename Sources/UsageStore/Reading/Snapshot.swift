import Postgres
public import Usage

/// One state of the database, which stays as it is however long it is read.
///
/// Ends with the store's `release`.
public final class Snapshot {
    /// The revision of this state.
    public let revision: Int64

    let connection: Connection

    /// What every record that it shows must pass, whatever else is asked for.
    let bounds: UsageFilter

    /// A plan that is made without looking at the values cannot know whether a range of time is a
    /// day or ten years, so each query is planned for its own.
    init(_ connection: Connection, _ bounds: UsageFilter) throws {
        self.connection = connection
        self.bounds = bounds
        let result = try connection.run(
            """
            BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
            SET LOCAL plan_cache_mode = force_custom_plan;
            SELECT sum(changes)::bigint FROM usage_revision
            """)
        revision = try Self.revision(result[0, 0])
    }

    /// From here on, waits for locks without a time limit, as long responses may.
    public func waitForLocks() throws {
        try reportingUnavailability { _ = try connection.run("SET LOCAL lock_timeout = 0") }
    }

    fileprivate static func revision(_ text: String?) throws -> Int64 {
        guard let text, let revision = Int64(text) else {
            throw DatabaseUnavailable(description: "usage_revision has lost its rows")
        }
        return revision
    }

    /// The usage records that `filter` lets through, in order, after `cursor`.
    ///
    /// With a limit, up to it and with the cursor of the next page; without, all of them, streamed.
    public func records(
        _ filter: UsageFilter, sort: SortOrder, after cursor: PageCursor? = nil, limit: Int? = nil
    ) throws -> UsageRows {
        try reportingUnavailability {
            // One more than asked for tells whether there is a next page.
            let statement = RecordsStatement(
                filter.and(bounds), sort: sort, after: cursor, limit: limit.map { $0 + 1 })
            let values = statement.bindings.values
            if let limit {
                let reader = try QueryReader(
                    connection, statement.text, values, isStreamed: false)
                return UsageRows(page: reader, limit: limit, sort: sort)
            }
            // COPY takes no parameters, but spares libpq a result for each row.
            return UsageRows(
                values.isEmpty
                    ? try CopyReader(
                        connection, "COPY (\(statement.text)) TO STDOUT (FORMAT binary)",
                        columns: UsageRows.columns.count)
                    : try QueryReader(connection, statement.text, values, isStreamed: true))
        }
    }

    /// How many usage records `filter` lets through, and the sum of their credits.
    public func totals(_ filter: UsageFilter) throws -> (messages: Int64, creditsUsed: String) {
        try reportingUnavailability {
            var bindings = Bindings()
            let conditions = filter.and(bounds).conditions(&bindings)
            var list = SelectList()
            let messages = list.add("count(*)", as: Int64.self)
            let creditsUsed = list.add(
                "coalesce(sum(credit_hundredths), 0) * 0.01", as: String.self)
            let reader = try QueryReader(
                connection,
                "SELECT \(list.sql) FROM usage_record \(whereClause(conditions))",
                bindings.values, isStreamed: false)
            guard try reader.next() else { return (0, "0.00") }
            return (reader[messages], reader[creditsUsed])
        }
    }
}

extension UsageStore {
    /// Takes a snapshot, which shows only what `bounds` lets through; it lasts until `release`.
    public func snapshot(within bounds: UsageFilter = UsageFilter()) throws -> Snapshot {
        try reportingUnavailability { try Snapshot(try connected(), bounds) }
    }
}
