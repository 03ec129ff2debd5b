import Postgres
public import Usage

/// A read-only REPEATABLE READ snapshot of the database; ends with the store's `release`.
public final class Snapshot {
    /// The revision of the snapshot.
    public var revision: Int64 { state.revision }

    /// What is read when the snapshot is taken.
    private struct State {
        let revision: Int64
        let closedBefore: Timestamp?
        let summedBefore: Timestamp?
        let hasClosedRecords: Bool
    }

    private var state: State

    let connection: Connection

    /// The filter that all records of the snapshot must match.
    let bounds: UsageFilter

    /// The first instant that is open; nil if nothing is closed.
    public var closedBefore: Timestamp? { state.closedBefore }

    /// Before this instant, sums of records are not complete; nil if nothing is closed.
    var summedBefore: Timestamp? { state.summedBefore }

    /// The filter that all records of lists must match, where closed ones are left out.
    var open: UsageFilter {
        guard state.hasClosedRecords else { return bounds }
        var open = UsageFilter()
        open.from = closedBefore
        return bounds.and(open)
    }

    /// Converts the permit of the request to one for a long response, or throws `AdmissionRefused`.
    let becomeLong: () throws -> Void

    /// Plans each query for its own values: a generic plan cannot distinguish a range of a day from
    /// one of ten years.
    init(
        _ connection: Connection, _ bounds: UsageFilter, becomeLong: @escaping () throws -> Void
    ) throws {
        self.connection = connection
        self.bounds = bounds
        self.becomeLong = becomeLong
        state = try Self.begin(connection, "snapshot")
    }

    /// Begins the transaction; the snapshot is taken after `settings`.
    private static func begin(
        _ connection: Connection, _ name: StaticString, before: String = "", settings: String = ""
    ) throws -> State {
        let result = try connection.run(
            """
            \(before)
            BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
            SET LOCAL plan_cache_mode = force_custom_plan;
            \(settings)
            SELECT sum(changes)::bigint,
                (SELECT extract(epoch FROM max(closed_before))::bigint FROM usage_closing),
                (SELECT extract(epoch FROM max(summed_before))::bigint FROM usage_closing),
                EXISTS (SELECT FROM usage_closing WHERE status <> 'done')
            FROM usage_revision
            """, as: name)
        guard let revision = result[0, 0].flatMap(Int64.init) else {
            throw DatabaseUnavailable(description: "usage_revision has lost its rows")
        }
        let lines = [1, 2].map { column in
            result[0, column].flatMap(Int64.init).map { Timestamp(microseconds: $0 * 1_000_000) }
        }
        return State(
            revision: revision, closedBefore: lines[0], summedBefore: lines[1],
            hasClosedRecords: result[0, 3] == "t")
    }

    /// Takes the snapshot again, for a long response, which waits for locks without a timeout.
    public func waitForLocks() throws {
        try lockRecords("lock_timeout", before: "SET LOCAL lock_timeout = 0;")
    }

    /// Takes the snapshot again, for sums: TRUNCATE, which also empties older snapshots, waits for its end.
    public func prepareForSums() throws { try lockRecords("lock") }

    private func lockRecords(_ name: StaticString, before: String = "") throws {
        try reportingUnavailability {
            state = try Self.begin(
                connection, name, before: "ROLLBACK;",
                settings: """
                    \(before)
                    LOCK TABLE usage_record IN ACCESS SHARE MODE;
                    \(Self.moreMemory);
                    """)
        }
    }

    /// Prepares for a query that is about as short as that of a page, or for a long one.
    ///
    /// Starting parallel workers takes longer than the sums of levels, whose groups they would also have to
    /// send: only those of many records gain.
    func expect(isShort: Bool, hasManyRecords: Bool) throws {
        if !isShort { try becomeLong() }
        if !hasManyRecords {
            try connection.run("SET LOCAL max_parallel_workers_per_gather = 0", as: "serial")
        }
    }

    /// Lets PostgreSQL use up to 32 MB to remember the attributions of records (Memoize), about 200,000,
    /// or to sum groups: twice `work_mem`, which is 4 MB by default.
    private static let moreMemory = """
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
                    filter.and(open), sort: sort, after: cursor, limit: limit + 1, fields: fields)
                return UsageRows(page: page, limit: limit, sort: sort)
            }
            let statement = RecordsStatement(
                filter.and(open), sort: sort, fields: fields)
            if fields.needAttributions { try connection.run(Self.moreMemory) }
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
    public func totals(_ filter: UsageFilter) throws -> (records: Int64, creditsUsed: String) {
        try reportingUnavailability {
            // Closed records are in sums, but not in lists.
            var listed = UsageFilter()
            listed.from = closedBefore
            let sum = try total(filter.and(listed))
            return (sum.messages + sum.corrections, sum.creditsUsed)
        }
    }
}

extension UsageStore {
    /// Takes a snapshot of the records that match `bounds`; it lasts until `release`.
    public func snapshot(within bounds: UsageFilter = UsageFilter()) throws -> Snapshot {
        try reportingUnavailability {
            try Snapshot(try connected(), bounds) { [unowned self] in try becomeLong() }
        }
    }
}
