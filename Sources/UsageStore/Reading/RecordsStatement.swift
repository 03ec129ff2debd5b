import Postgres
import Usage

/// A statement that reads usage records in order.
struct RecordsStatement {
    /// The statement.
    let text: String

    /// Its parameters.
    let bindings: Bindings

    /// Its columns: the fields, then the columns of the order that a page's cursor needs.
    let record: RecordFields

    /// The number of its columns.
    let columnCount: Int

    /// Makes a statement with `fields`, and the columns of `order` that are not among them; `write`
    /// has its SELECT list, its columns and its parameters.
    init(
        _ fields: [UsageRecord.Column], order: [UsageRecord.Column],
        write: (_ list: String, [UsageRecord.Column], inout Bindings) -> String
    ) {
        let columns = fields + order.filter { !fields.contains($0) }
        var list = SelectList()
        record = list.add(stored: columns)
        columnCount = columns.count
        var bindings = Bindings()
        text = write(list.sql, columns, &bindings)
        self.bindings = bindings
    }

    /// Makes the statement for all records.
    init(
        _ filter: UsageFilter, sort: SortOrder,
        fields: [UsageRecord.Column] = UsageRows.standardFields
    ) {
        self.init(fields, order: []) { list, columns, bindings in
            """
            SELECT \(list) FROM \(columns.source())
            \(whereClause(filter.conditions(&bindings))) ORDER BY \(sort.terms[...].sql)
            """
        }
    }

    /// Makes the statement for the first `limit` records of a range; if it is partial, any of those
    /// with the last value.
    init(
        _ filter: UsageFilter, sort: SortOrder, _ range: PageRange, limit: Int,
        fields: [UsageRecord.Column] = UsageRows.standardFields
    ) {
        self.init(fields, order: sort.terms.map(\.column)) { list, columns, bindings in
            let conditions = filter.conditions(&bindings) + range.conditions(&bindings)
            // A page is found first, and then sorted or joined.
            let isNested = range.isPartial || columns.needJoin
            let page = """
                SELECT \(isNested ? columns.ofRecords : list) FROM usage_record
                \(whereClause(conditions)) ORDER BY \(range.indexOrder)
                LIMIT \(bindings.bind(Int64(limit)))
                """
            guard isNested else { return page }
            return """
                SELECT \(list) FROM \(columns.source("(\(page)) AS page", name: "page"))
                ORDER BY \(range.terms.sql)
                """
        }
    }
}

extension RecordsStatement {
    /// The number of records that a walk reads for one record of the page, and at most.
    private static let walkFactor = 16
    private static let walkLimit = 8192

    /// Makes the statement that looks for a range among the next records in the order of ids.
    ///
    /// If it finds fewer than `limit` records, the range may have others.
    init(
        walking filter: UsageFilter, sort: SortOrder, _ range: PageRange, limit: Int,
        fields: [UsageRecord.Column]
    ) {
        let most = max(limit, min(Self.walkFactor * limit, Self.walkLimit))
        self.init(filter, sort: sort, range, limit: limit, fields: fields) { bindings in
            """
            \(whereClause(range.idCondition(&bindings)))
            ORDER BY \(range.terms.sql) LIMIT \(bindings.bind(Int64(most)))
            """
        }
    }

    /// The same among the next `most` records of the range, whether they match the filter or not.
    init(
        next most: Int, _ filter: UsageFilter, sort: SortOrder, _ range: PageRange, limit: Int,
        fields: [UsageRecord.Column]
    ) {
        self.init(filter, sort: sort, range, limit: limit, fields: fields) { bindings in
            """
            \(whereClause(filter.timeConditions(&bindings) + range.conditions(&bindings)))
            ORDER BY \(range.indexOrder) LIMIT \(bindings.bind(Int64(most)))
            """
        }
    }

    /// Makes the statement for the first `limit` records of a range among all that were recorded within
    /// the bounds of the filter.
    init(
        recorded filter: UsageFilter, sort: SortOrder, _ range: PageRange, limit: Int,
        fields: [UsageRecord.Column]
    ) {
        self.init(filter, sort: sort, range, limit: limit, fields: fields) { bindings in
            // Without OFFSET, PostgreSQL might read all records in the order of the page.
            "\(whereClause(filter.recordedConditions(&bindings))) OFFSET 0"
        }
    }

    /// Makes the statement for the first `limit` records of a range among some records, which `some`
    /// selects.
    private init(
        _ filter: UsageFilter, sort: SortOrder, _ range: PageRange, limit: Int,
        fields: [UsageRecord.Column], among some: (inout Bindings) -> String
    ) {
        self.init(fields, order: sort.terms.map(\.column)) { list, columns, bindings in
            let source = "(SELECT * FROM usage_record \(some(&bindings))) AS page"
            let conditions = filter.conditions(&bindings) + range.conditions(&bindings)
            return """
                SELECT \(list) FROM \(columns.source(source, name: "page"))
                \(whereClause(conditions)) ORDER BY \(range.terms.sql)
                LIMIT \(bindings.bind(Int64(limit)))
                """
        }
    }
}

extension [UsageRecord.Column] {
    /// The columns of the table of records that they need.
    var ofRecords: String {
        let own = filter { $0.table == .record }.map(\.sql)
        return (own + (needAttributions ? ["attribution_id"] : [])).joined(separator: ", ")
    }
}

extension ArraySlice<SortOrder.Term> {
    /// The terms in an ORDER BY clause.
    fileprivate var sql: String { map(\.sql).joined(separator: ", ") }
}
