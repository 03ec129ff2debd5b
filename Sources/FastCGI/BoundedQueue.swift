import Glibc
import Threads

/// A queue of limited length between the acceptor and the workers.
final class BoundedQueue<Element: Sendable>: @unchecked Sendable {
    private let limit: Int
    private let lock = Lock()
    private var elements: [Element] = []
    private var head = 0
    private var isClosed = false

    init(limit: Int) {
        self.limit = limit
        elements.reserveCapacity(limit)
    }

    /// Appends `element`; false when the queue is full or closed.
    func offer(_ element: Element) -> Bool {
        let isTaken = lock.whileLocked {
            guard !isClosed, elements.count - head < limit else { return false }
            elements.append(element)
            return true
        }
        // After the lock is free: a thread that wakes only to wait for it would wake twice.
        if isTaken { lock.wakeOne() }
        return isTaken
    }

    /// Takes the oldest element, waiting for one; nil once the queue is closed and empty.
    func take() -> Element? {
        lock.whileLocked {
            while head == elements.count {
                if isClosed { return nil }
                lock.wait()
            }
            defer { compact() }
            return elements[head]
        }
    }

    /// Lets the takers finish what is queued, then ends them.
    func close() {
        lock.whileLocked {
            isClosed = true
            lock.wakeAll()
        }
    }

    private func compact() {
        head += 1
        guard head == elements.count || head > limit else { return }
        elements.removeFirst(head)
        head = 0
    }
}
