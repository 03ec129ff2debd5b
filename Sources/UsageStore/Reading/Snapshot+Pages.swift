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

    /// The first `limit` records of consecutive ranges; nil if many records were recorded within the
    /// bounds of the filter.
    func parts(ofFewRecorded ranges: [PageRange], limit: Int) throws -> [PagePart]? {
        guard try snapshot.isRecorded(filter, atMost: Self.recordedLimit) else { return nil }
        return try read(ranges, limit) { try [among(recorded: $0, limit: $1)] }
    }

    /// The same of many, in an order that is nearly that of recording.
    ///
    /// PostgreSQL does not know that, and would read all earlier records. So either the page is among
    /// the next records of the order, or the records within the bounds are read and sorted. Which of
    /// these reads fewer records is found by trying both, with more and more.
    func parts(ofManyRecorded ranges: [PageRange], limit: Int) throws -> [PagePart] {
        try read(ranges, limit) { range, limit in
            guard range.terms.count == sort.terms.count else {
                return try parts(of: range, limit: limit)
            }
            var most = Self.recordedLimit
            while true {
                let next = try run(
                    RecordsStatement(
                        next: most, filter, sort: sort, range, limit: limit, fields: fields))
                if next.count == limit { return [next] }
                most *= 16
                if try snapshot.isRecorded(filter, atMost: most) {
                    return try [among(recorded: range, limit: limit)]
                }
            }
        }
    }

    /// More records than a page has, which are soon read.
    private static let recordedLimit = 8192

    private func among(recorded range: PageRange, limit: Int) throws -> PagePart {
        try run(
            RecordsStatement(recorded: filter, sort: sort, range, limit: limit, fields: fields))
    }

    /// Reads consecutive ranges until the page has `limit` records.
    func read(
        _ ranges: [PageRange], _ limit: Int,
        _ parts: (_ range: PageRange, _ limit: Int) throws -> [PagePart]
    ) throws -> [PagePart] {
        var all: [PagePart] = []
        for range in ranges {
            let missing = limit - all.reduce(0) { $0 + $1.count }
            guard missing > 0 else { break }
            all += try parts(range, missing)
        }
        return all
    }

    /// The page of some attributions: among the next records, or else the merged ranges of the
    /// attributions; nil if these are too many.
    func part(_ pages: AttributionPages) throws -> PagePart? {
        let few = AttributionPages.fewAttributions
        if let attributions = try snapshot.attributions(filter, atMost: few) {
            return try part(of: attributions, pages)
        }
        if pages.limit < few {
            let found = try run(pages.walk(few))
            if found.count == pages.limit { return found }
        }
        let most = AttributionPages.rangeLimit
        guard let attributions = try snapshot.attributions(filter, atMost: most) else { return nil }
        if attributions.count >= AttributionPages.walkMinimum {
            let found = try run(pages.walk(pages.limit * AttributionPages.walkFactor))
            if found.count == pages.limit { return found }
        }
        return try part(of: attributions, pages)
    }

    /// The merged ranges of attributions.
    private func part(of attributions: [Int64], _ pages: AttributionPages) throws -> PagePart {
        let list = "{\(attributions.map(String.init).joined(separator: ","))}"
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
        let ranges = PageRange.ranges(sort, after: cursor)
        if filter.isBoundByRecording,
            let parts = try query.parts(ofFewRecorded: ranges, limit: limit)
        {
            return parts
        }
        if AttributionPages.isPossible(filter, sort: sort) {
            // Records of the cursor's time: the index of attributions does not have their ids.
            let equal = cursor.flatMap { PageRange.equal(sort, to: $0) }.map { [$0] } ?? []
            let parts = try query.read(equal, limit, query.parts)
            let missing = limit - parts.reduce(0) { $0 + $1.count }
            guard missing > 0 else { return parts }
            let pages = AttributionPages(
                filter, sort: sort, after: cursor, limit: missing, fields: fields)
            if let part = try query.part(pages) { return parts + [part] }
        }
        if filter.isBoundByRecording, sort.isNearlyThatOfRecording {
            return try query.parts(ofManyRecorded: ranges, limit: limit)
        }
        return try query.read(ranges, limit, query.parts)
    }

    /// Whether at most so many records were recorded within the bounds of a filter.
    fileprivate func isRecorded(_ filter: UsageFilter, atMost most: Int) throws -> Bool {
        var bindings = Bindings()
        let rows = try QueryReader(
            connection, "recorded",
            """
            SELECT FROM usage_record \(whereClause(filter.recordedConditions(&bindings)))
            ORDER BY recorded_at OFFSET \(bindings.bind(Int64(most))) LIMIT 1
            """, bindings.values)
        return rows.count == 0
    }
}

extension UsageFilter {
    /// Whether it has bounds of the time of recording.
    fileprivate var isBoundByRecording: Bool {
        var bindings = Bindings()
        return !recordedConditions(&bindings).isEmpty
    }
}

extension SortOrder {
    /// Whether records are mostly recorded in this order, or in the opposite one.
    fileprivate var isNearlyThatOfRecording: Bool {
        terms.first?.column == .timestamp || terms.first?.column == .messageID
    }
}
