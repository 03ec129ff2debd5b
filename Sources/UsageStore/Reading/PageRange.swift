import Usage

/// Records that are consecutive in an order, and one range of an index.
///
/// "After this record" in several columns is an OR of conditions, which no index supports. So it is
/// split into ranges: first the records that are equal in all columns but the last, then those that
/// are equal in all but the last two, and so on. NULLs are a range of their own.
struct PageRange {
    /// A condition that all records of a range meet.
    enum Condition {
        /// The column has the value, which may be NULL.
        case equal(UsageRecord.Column, PageCursor.Value)
        /// The first term is not NULL.
        case present(UsageRecord.Column)
        /// The term's value comes after this one.
        case beyond(SortOrder.Term, PageCursor.Value)
        /// The values come after these; all terms are ascending and never NULL.
        case after([(term: SortOrder.Term, value: PageCursor.Value)])
    }

    /// The conditions.
    let conditions: [Condition]

    /// The terms in which the records differ.
    let terms: ArraySlice<SortOrder.Term>

    /// Whether an index has the order of the first of two terms only: the ids of equal records are in
    /// the opposite direction, or in blocks.
    var isPartial: Bool {
        guard terms.count == 2, let first = terms.first, let last = terms.last else { return false }
        return first.isDescending != last.isDescending || first.column.hasBlocks
    }

    /// The ranges of all records, or of those after `cursor`, in order.
    static func ranges(_ sort: SortOrder, after cursor: PageCursor?) -> [PageRange] {
        let all = PageRange(conditions: [], terms: sort.terms[...])
        if let cursor { return after(cursor.values[...], all.terms) }
        guard let first = all.terms.first, first.column.isOptional,
            first.isDescending || all.isPartial
        else { return [all] }
        return [
            PageRange(conditions: [.present(first.column)], terms: all.terms),
            all.equal(.text(nil)),
        ]
    }

    /// The ranges of the records after the one with `values` in the columns of `terms`.
    private static func after(
        _ values: ArraySlice<PageCursor.Value>, _ terms: ArraySlice<SortOrder.Term>
    ) -> [PageRange] {
        guard let term = terms.first, let value = values.first else { return [] }
        let all = PageRange(conditions: [], terms: terms)
        if !all.isPartial, terms.allSatisfy({ !$0.isDescending && !$0.column.isOptional }) {
            // One row comparison is enough.
            let values = zip(terms, values).map { (term: $0, value: $1) }
            return [PageRange(conditions: [.after(values)], terms: terms)]
        }
        let equal = after(values.dropFirst(), terms.dropFirst()).map {
            $0.within(term.column, value)
        }
        guard value != .text(nil) else { return equal }
        let beyond = PageRange(conditions: [.beyond(term, value)], terms: terms)
        guard term.column.isOptional else { return equal + [beyond] }
        return equal + [beyond, all.equal(.text(nil))]
    }

    /// The records after `cursor` that are equal to it in the first of two terms.
    static func equal(_ sort: SortOrder, to cursor: PageCursor) -> PageRange? {
        guard let term = sort.terms.first, let value = cursor.values.first else { return nil }
        return after(cursor.values.dropFirst(), sort.terms.dropFirst()).first?
            .within(term.column, value)
    }

    private func within(_ column: UsageRecord.Column, _ value: PageCursor.Value) -> PageRange {
        PageRange(conditions: [.equal(column, value)] + conditions, terms: terms)
    }

    /// The records of this range that have `value` in the first term.
    func equal(_ value: PageCursor.Value) -> PageRange {
        guard let first = terms.first else { return self }
        return PageRange(
            conditions: conditions + [.equal(first.column, value)], terms: terms.dropFirst())
    }
}

extension UsageRecord.Column {
    /// Whether its index has blocks of ids after it, so that records with equal values share an entry.
    fileprivate var hasBlocks: Bool { self == .creditsUsed || self == .reportName }
}

extension PageRange {
    /// The block of an id in an index; its records are sorted when they are read.
    private func block(_ id: String) -> String { "(\(id) >> 17)" }

    /// The column whose value all records have, if its index has blocks and is the best one.
    private var blockColumn: UsageRecord.Column? {
        let equal = conditions.compactMap { condition in
            if case .equal(let column, _) = condition { column } else { nil }
        }
        guard terms.count == 1, let first = equal.first, !equal.contains(.timestamp) else {
            return nil
        }
        return first.hasBlocks ? first : nil
    }

    /// Whether the records have one value, and are in the blocks of an index.
    var isInBlocks: Bool { blockColumn != nil }

    /// The condition of the id alone.
    func idCondition(_ bindings: inout Bindings) -> [String] {
        guard isInBlocks, let last = conditions.last else { return [] }
        switch last {
        case .beyond, .after:
            return PageRange(conditions: [last], terms: terms).conditions(&bindings)
        case .equal, .present: return []
        }
    }

    /// The conditions in SQL.
    func conditions(_ bindings: inout Bindings) -> [String] {
        conditions.flatMap { condition -> [String] in
            switch condition {
            case .equal(let column, .text(nil)): return ["\(column.sql) IS NULL"]
            case .equal(let column, let value):
                return ["\(column.sql) = \(bindings.bind(value, of: column))"]
            case .present(let column): return ["\(column.sql) IS NOT NULL"]
            case .beyond(let term, let value):
                let bound = bindings.bind(value, of: term.column)
                let isBeyond = "\(term.column.sql) \(term.isDescending ? "<" : ">") \(bound)"
                guard isInBlocks, term.column == .messageID else { return [isBeyond] }
                return ["\(block("message_id")) <= \(block(bound))", isBeyond]
            case .after(let values): return after(values, &bindings)
            }
        }
    }

    private func after(
        _ values: [(term: SortOrder.Term, value: PageCursor.Value)], _ bindings: inout Bindings
    ) -> [String] {
        let bound = values.map { bindings.bind($0.value, of: $0.term.column) }
        func row(_ items: [String]) -> String { "(\(items.joined(separator: ", ")))" }
        let isAfter = "\(row(values.map(\.term.column.sql))) > \(row(bound))"
        guard isInBlocks, let id = bound.last else { return [isAfter] }
        return ["\(block("message_id")) >= \(block(id))", isAfter]
    }

    /// The order in which an index has the records.
    ///
    /// Without NULLS LAST where possible: an index that is read backwards has NULLs first.
    var indexOrder: String {
        let isComplete = conditions.contains { condition in
            switch condition {
            case .present, .beyond: true
            case .equal, .after: false
            }
        }
        let first = terms.prefix(1).map { isComplete ? $0.plainSQL : $0.sql }
        if isPartial { return first.joined() }
        guard let blockColumn, let id = terms.last else {
            return (first + terms.dropFirst().map(\.sql)).joined(separator: ", ")
        }
        // With the column: PostgreSQL takes one that is NULL for one that may differ.
        let direction = id.isDescending ? " DESC" : ""
        return "\(blockColumn.sql)\(direction), \(block("message_id"))\(direction), \(id.sql)"
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

extension SortOrder.Term {
    /// The term in an ORDER BY clause.
    var sql: String { plainSQL + (column.isOptional ? " NULLS LAST" : "") }

    /// The same without NULLs.
    fileprivate var plainSQL: String { column.sql + (isDescending ? " DESC" : "") }
}
