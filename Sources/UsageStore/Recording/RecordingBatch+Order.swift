import Postgres
import Usage

/// The order of insertion, which must be the same in all batches.
extension RecordingBatch {
    /// A message with the id that it will have.
    typealias Row = (id: Int64, index: Int)

    /// The messages of `rest` to insert, in an order by ids that all batches and imports have:
    /// external ids first, because retries may have other message ids.
    ///
    /// Among equal ids the first message counts, clients' before the database's.
    func identified(
        _ rest: [Int], _ connection: Connection, isPlain: Bool
    ) throws -> [Row] {
        let first = isPlain ? rest : firstOfEach(rest)
        var rows = first.compactMap { index in
            messages[index].messageID.map { (id: $0, index: index) }
        }
        rows.sort { ($0.id, $0.index) < ($1.id, $1.index) }
        var last: Int64?
        rows = rows.filter { row in
            defer { last = row.id }
            return row.id != last
        }
        let unnamed = first.filter { messages[$0].messageID == nil }
        if !unnamed.isEmpty { rows += try choose(unnamed, connection, besides: rows) }
        guard !isPlain else { return rows }
        return rows.sorted { left, right in
            switch (messages[left.index].externalID, messages[right.index].externalID) {
            // Bytes, as in the index.
            case (let left?, let right?): left.utf8.lexicographicallyPrecedes(right.utf8)
            case (nil, nil): left.id < right.id
            case (let left, _): left != nil
            }
        }
    }

    /// The `unnamed` messages with ids that the database chooses, and `rows` do not have.
    private func choose(
        _ unnamed: [Int], _ connection: Connection, besides rows: [Row]
    ) throws -> [Row] {
        let reader = try QueryReader(
            connection, "choose_ids", RecordingStatements.chooseIDs, [String(unnamed.count)])
        let named = Set(rows.map(\.id))
        var chosen: [Row] = []
        for index in unnamed where try reader.next() {
            let id = reader.integer(0)
            if !named.contains(id) { chosen.append((id, index)) }
        }
        return chosen
    }

    /// The messages of `rest` without those that have an id of an earlier one.
    ///
    /// The earlier one may be left out itself, and counts if the one before it is not recorded. After
    /// three attempts it does not count any more, because a chain of ids could take as many attempts.
    private func firstOfEach(_ rest: [Int]) -> [Int] {
        var ids: Set<Int64> = []
        // Bytes, because Swift takes texts for equal that only look the same.
        var externalIDs: Set<[UInt8]> = []
        return rest.filter { index in
            let id = messages[index].messageID
            let externalID = messages[index].externalID.map { Array($0.utf8) }
            let isFirst =
                !(id.map(ids.contains) ?? false) && !(externalID.map(externalIDs.contains) ?? false)
            if isFirst || attempts <= 3 {
                if let id { ids.insert(id) }
                if let externalID { externalIDs.insert(externalID) }
            }
            return isFirst
        }
    }
}
