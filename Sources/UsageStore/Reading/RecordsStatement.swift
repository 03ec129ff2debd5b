import Usage

/// The statement that reads usage records in order, after a cursor (keyset pagination).
///
/// "After this record" in several columns is an OR of conditions, which no index supports. So it is
/// split into branches, each one range of one index: first the records that are equal in all columns
/// but the last, then those that are equal in all but the last two, and so on.
struct RecordsStatement {
    /// The statement.
    let text: String

    /// Its parameters.
    let bindings: Bindings

    /// Its columns: the fields, then the columns of the order that a page's cursor needs.
    let record: RecordFields

    /// The number of its columns.
    let columnCount: Int

    /// A range of records, which follow those of the previous branch.
    private struct Branch {
        var conditions: [String]
        let terms: ArraySlice<SortOrder.Term>
        /// Whether all records in it have a value in the first term.
        var isComplete = false

        func adding(_ condition: String) -> Branch {
            var branch = self
            branch.conditions.insert(condition, at: 0)
            return branch
        }

        /// Without NULLS LAST where possible: an index that is read backwards has NULLs first.
        var order: String {
            let first = terms.prefix(1).map { isComplete ? $0.plainSQL : $0.sql }
            return (first + terms.dropFirst().map(\.sql)).joined(separator: ", ")
        }
    }

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

    /// Makes the statement for at most `limit` records after `cursor`.
    init(
        _ filter: UsageFilter, sort: SortOrder, after cursor: PageCursor?, limit: Int?,
        fields: [UsageRecord.Column] = UsageRows.standardFields
    ) {
        let order = limit == nil ? [] : sort.terms.map(\.column)
        self.init(fields, order: order) { list, columns, bindings in
            let conditions = filter.conditions(&bindings)
            let terms = sort.terms[...]
            let branches: [Branch]
            if let cursor {
                branches = Self.branches(after: cursor.values[...], terms, &bindings)
            } else {
                branches = limit == nil ? [Branch(conditions: [], terms: terms)] : Self.all(terms)
            }
            let end = limit.map { "LIMIT \(bindings.bind(Int64($0)))" } ?? ""
            // A page is found first, and then joined.
            let isNested = branches.count > 1 || limit != nil && columns.needAttributions
            let parts = branches.enumerated().map { number, branch in
                """
                SELECT \(isNested ? "\(number) AS branch, \(columns.ofRecords)" : list)
                FROM \(isNested ? "usage_record" : columns.source())
                \(whereClause(conditions + branch.conditions)) ORDER BY \(branch.order) \(end)
                """
            }
            guard isNested else { return parts[0] }
            let all = parts.map { "(\($0))" }.joined(separator: " UNION ALL ")
            let order = terms.map(\.sql).joined(separator: ", ")
            return """
                SELECT \(list) FROM \(columns.source("(\(all)) AS page", name: "page"))
                ORDER BY branch, \(order) \(end)
                """
        }
    }

    /// All records; NULLs that would come first in the index get a branch of their own.
    private static func all(_ terms: ArraySlice<SortOrder.Term>) -> [Branch] {
        guard let first = terms.first, first.column.isOptional, first.isDescending else {
            return [Branch(conditions: [], terms: terms)]
        }
        let column = first.column.sql
        return [
            Branch(conditions: ["\(column) IS NOT NULL"], terms: terms, isComplete: true),
            Branch(conditions: ["\(column) IS NULL"], terms: terms.dropFirst()),
        ]
    }

    /// The records after the one that has `values` in the columns of `terms`.
    private static func branches(
        after values: ArraySlice<PageCursor.Value>, _ terms: ArraySlice<SortOrder.Term>,
        _ bindings: inout Bindings
    ) -> [Branch] {
        guard let term = terms.first, let value = values.first else { return [] }
        if terms.allSatisfy({ !$0.isDescending && !$0.column.isOptional }) {
            // All ascending without NULLs: one row comparison is enough.
            let columns = terms.map(\.column.sql).joined(separator: ", ")
            let bound = zip(terms, values).map { bindings.bind($1, of: $0.column) }
            let after = "(\(columns)) > (\(bound.joined(separator: ", ")))"
            return [Branch(conditions: [after], terms: terms)]
        }
        let column = term.column.sql
        guard value != .text(nil) else {
            return branches(after: values.dropFirst(), terms.dropFirst(), &bindings)
                .map { $0.adding("\(column) IS NULL") }
        }
        let bound = bindings.bind(value, of: term.column)
        let equal = branches(after: values.dropFirst(), terms.dropFirst(), &bindings)
            .map { $0.adding("\(column) = \(bound)") }
        let after = Branch(
            conditions: ["\(column) \(term.isDescending ? "<" : ">") \(bound)"], terms: terms,
            isComplete: true)
        guard term.column.isOptional else { return equal + [after] }
        let missing = Branch(conditions: ["\(column) IS NULL"], terms: terms.dropFirst())
        return equal + [after, missing]
    }
}

extension Bindings {
    fileprivate mutating func bind(
        _ value: PageCursor.Value, of column: UsageRecord.Column
    ) -> String {
        switch value {
        case .integer(let microseconds) where column == .timestamp:
            return bind(Timestamp(microseconds: microseconds))
        case .integer(let number): return bind(number)
        case .text(let text): return bind(text ?? "", as: "text")
        }
    }
}

extension [UsageRecord.Column] {
    /// The columns of the table of records that they need.
    fileprivate var ofRecords: String {
        let own = filter { $0.table == .record }.map(\.sql)
        return (own + (needAttributions ? ["attribution_id"] : [])).joined(separator: ", ")
    }
}

extension SortOrder.Term {
    /// The term in an ORDER BY clause.
    fileprivate var sql: String { plainSQL + (column.isOptional ? " NULLS LAST" : "") }

    /// The same without NULLs.
    fileprivate var plainSQL: String { column.sql + (isDescending ? " DESC" : "") }
}
