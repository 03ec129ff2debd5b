import Synchronization
import Threads

/// A queue of limited length between the acceptor and the workers.
///
/// The worker that has waited for the shortest time takes the next element: as many workers as
/// there is work for stay busy, and with them their database connections stay warm, here and in
/// PostgreSQL. By turns, sixteen workers recorded an eighth less than four did.
final class BoundedQueue<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var head = 0
        var isClosed = false
        /// The takers that wait, the latest last; with one, no element is queued.
        var idle: [Handoff<Element?>] = []

        /// The oldest element; the others move up only once in a while.
        mutating func removeFirst() -> Element {
            let element = elements[head]
            head += 1
            if head == elements.count || head == 256 {
                elements.removeFirst(head)
                head = 0
            }
            return element
        }
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    /// Gives `element` to a taker or appends it; false when the queue is full or closed.
    func offer(_ element: Element) -> Bool {
        let (isTaken, taker) = state.withLock { state -> (Bool, Handoff<Element?>?) in
            guard !state.isClosed else { return (false, nil) }
            if let taker = state.idle.popLast() { return (true, taker) }
            guard state.elements.count - state.head < limit else { return (false, nil) }
            state.elements.append(element)
            return (true, nil)
        }
        taker?.give(element)
        return isTaken
    }

    /// Gives `element` to the next taker, though the queue be full; does nothing once it is closed.
    func offerFirst(_ element: Element) {
        let taker = state.withLock { state -> Handoff<Element?>? in
            guard !state.isClosed else { return nil }
            if let taker = state.idle.popLast() { return taker }
            state.elements.insert(element, at: state.head)
            return nil
        }
        taker?.give(element)
    }

    /// Takes the oldest element, waiting for one; nil once the queue is closed and empty.
    func take() -> Element? {
        let taker = Handoff<Element?>()
        let (element, isReady) = state.withLock { state -> (Element?, Bool) in
            guard state.head == state.elements.count else { return (state.removeFirst(), true) }
            if state.isClosed { return (nil, true) }
            state.idle.append(taker)
            return (nil, false)
        }
        return isReady ? element : taker.wait()
    }

    /// How many elements are queued, and how many takers wait.
    var occupancy: (queued: Int, waiting: Int) {
        state.withLock { ($0.elements.count - $0.head, $0.idle.count) }
    }

    /// Lets the takers finish what is queued, then ends them.
    func close() {
        let idle = state.withLock { state in
            state.isClosed = true
            defer { state.idle = [] }
            return state.idle
        }
        idle.forEach { $0.give(nil) }
    }
}
