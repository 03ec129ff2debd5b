import Postgres
import Usage

/// Consecutive rows of a page: the first `count` of a complete result.
struct PagePart {
    /// The result.
    let rows: QueryReader

    /// Its columns.
    let record: RecordFields

    /// The number of its rows that belong to the page.
    var count: Int
}

/// What a page is read from.
private struct PageQuery {
    let snapshot: Snapshot
    let filter: UsageFilter
    let sort: SortOrder
    let fields: [UsageRecord.Column]

    func run(_ statement: RecordsStatement) throws -> PagePart {
        let rows = try QueryReader(
            snapshot.connection, "page", statement.text, statement.bindings.values)
        return PagePart(rows: rows, record: statement.record, count: rows.count)
    }

    /// The first `limit` records of a range.
    ///
    /// If many records have a value, they are soon found in the order of ids; if few have it, its
    /// blocks are small.
    ///
    /// If an index has the order of the first term only, the records are read in that order. If more
    /// than fit have the last value, those of them that belong to the page are read again, as a range
    /// of their own: they may be a tenth of all records.
    func parts(of range: PageRange, limit: Int) throws -> [PagePart] {
        if range.isInBlocks {
            let found = try run(
                RecordsStatement(walking: filter, sort: sort, range, limit: limit, fields: fields))
            if found.count == limit { return [found] }
        }
        let statement = RecordsStatement(
            filter, sort: sort, range, limit: range.isPartial ? limit + 1 : limit, fields: fields)
        var part = try run(statement)
        guard part.count > limit else { return [part] }
        let term = sort.terms.count - range.terms.count
        func value(_ row: Int) -> PageCursor.Value {
            part.rows.row = row
            return PageCursor(part.rows[part.record], sort).values[term]
        }
        defer { part.rows.row = -1 }
        let last = value(limit)
        while part.count > 0, value(part.count - 1) == last { part.count -= 1 }
        guard part.count < limit else { return [part] }
        return try [part] + parts(of: range.equal(last), limit: limit - part.count)
    }

    /// The merged ranges of attributions, unless a walk along the index of time is enough.
    func part(of attributions: [Int64], _ pages: AttributionPages) throws -> PagePart {
        let list = "{\(attributions.map(String.init).joined(separator: ","))}"
        if attributions.count >= AttributionPages.walkMinimum {
            let found = try run(pages.walk(list))
            if found.count == pages.limit { return found }
        }
        return try run(pages.merge(list, count: attributions.count))
    }
}

extension Snapshot {
    /// Reads the first `limit` records after `cursor`: the merged ranges of attributions if that is
    /// possible, or else one range of the order after the other.
    func page(
        _ filter: UsageFilter, sort: SortOrder, after cursor: PageCursor?, limit: Int,
        fields: [UsageRecord.Column]
    ) throws -> [PagePart] {
        let query = PageQuery(snapshot: self, filter: filter, sort: sort, fields: fields)
        var parts: [PagePart] = []
        var missing: Int { limit - parts.reduce(0) { $0 + $1.count } }
        if AttributionPages.isPossible(filter, sort: sort), let numbers = try attributions(filter) {
            // Records of the cursor's time: the index of attributions does not have their ids.
            if let cursor, let range = PageRange.equal(sort, to: cursor) {
                parts = try query.parts(of: range, limit: limit)
            }
            let pages = AttributionPages(
                filter, sort: sort, after: cursor, limit: missing, fields: fields)
            return missing > 0 ? try parts + [query.part(of: numbers, pages)] : parts
        }
        for range in PageRange.ranges(sort, after: cursor) where missing > 0 {
            parts += try query.parts(of: range, limit: missing)
        }
        return parts
    }
}
