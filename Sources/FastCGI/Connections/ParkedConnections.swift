/// Connections without a running request, ordered by the time at which they were parked.
///
/// There are two lists, of new and of keep-alive connections, linked through an array that is
/// indexed by descriptor: adding, removing and finding the oldest take constant time.
struct ParkedConnections: Sendable {
    /// One connection.
    struct Entry: Sendable {
        /// When it was parked.
        let since: ContinuousClock.Instant
        /// Whether it has served a request already, so that it can be closed without losing one.
        let isKept: Bool
        fileprivate var previous: Int32?
        fileprivate var next: Int32?
    }

    private struct List {
        var first: Int32?
        var last: Int32?
        var count = 0
    }

    private var entries: [Entry?] = []
    private var new = List()
    private var kept = List()

    /// The number of connections in both lists.
    var count: Int { new.count + kept.count }

    /// The number of keep-alive connections.
    var keptCount: Int { kept.count }

    /// The connection that has been in its list longest.
    func oldest(isKept: Bool) -> Int32? { isKept ? kept.first : new.first }

    /// The connection that was added to the same list after `descriptor`.
    func next(after descriptor: Int32) -> Int32? { self[descriptor]?.next }

    /// The connection with this descriptor; nil when it is not parked.
    subscript(_ descriptor: Int32) -> Entry? {
        entries.indices.contains(Int(descriptor)) ? entries[Int(descriptor)] : nil
    }

    /// Appends a connection that is not parked; `instant` is not before that of any other.
    mutating func add(_ descriptor: Int32, since instant: ContinuousClock.Instant, isKept: Bool) {
        precondition(self[descriptor] == nil, "the connection is already parked")
        let missing = Int(descriptor) + 1 - entries.count
        if missing > 0 {
            entries += [Entry?](repeating: nil, count: max(missing, entries.count))
        }
        update(isKept) { list, entries in
            entries[Int(descriptor)] = Entry(
                since: instant, isKept: isKept, previous: list.last, next: nil)
            if let last = list.last { entries[Int(last)]?.next = descriptor }
            list.last = descriptor
            list.first = list.first ?? descriptor
            list.count += 1
        }
    }

    /// Removes a connection; false when it is not parked.
    mutating func remove(_ descriptor: Int32) -> Bool {
        guard let entry = self[descriptor] else { return false }
        update(entry.isKept) { list, entries in
            entries[Int(descriptor)] = nil
            if let previous = entry.previous {
                entries[Int(previous)]?.next = entry.next
            } else {
                list.first = entry.next
            }
            if let next = entry.next {
                entries[Int(next)]?.previous = entry.previous
            } else {
                list.last = entry.previous
            }
            list.count -= 1
        }
        return true
    }

    private mutating func update(_ isKept: Bool, _ body: (inout List, inout [Entry?]) -> Void) {
        if isKept { body(&kept, &entries) } else { body(&new, &entries) }
    }
}
