import CFastCGI
import Glibc
import Synchronization

/// The connections that no worker holds: new ones, and kept ones between two requests.
///
/// Each is in epoll for one event. Whoever gets the event owns the connection until `park`.
final class Connections: Sendable {
    private struct Parked {
        let since: ContinuousClock.Instant
        /// Whether a request was already answered on it, so that closing it loses none.
        let isKept: Bool
    }

    private struct State {
        var parked: [Int32: Parked] = [:]
        var acceptsKept = true
        var acceptsNews = true
    }

    private let epoll: Int32
    private let state = Mutex(State())

    init(epoll: Int32) { self.epoll = epoll }

    /// Waits for the first request on a connection just accepted.
    func add(_ connection: Int32) { register(connection, EPOLL_CTL_ADD, isKept: false) }

    /// Waits for the next request on a connection, or closes it when a drain has begun.
    func park(_ connection: Int32) { register(connection, EPOLL_CTL_MOD, isKept: true) }

    private func register(_ connection: Int32, _ operation: Int32, isKept: Bool) {
        // One critical section: the event may be taken before epoll_ctl returns.
        state.withLock { state in
            guard
                state.acceptsKept || !isKept || state.acceptsNews && Self.hasNews(connection)
            else {
                close(connection)
                return
            }
            state.parked[connection] = Parked(since: .now, isKept: isKept)
            var event = epoll_event()
            event.events = EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLONESHOT.rawValue
            event.data.fd = connection
            if epoll_ctl(epoll, operation, connection, &event) != 0 {
                state.parked[connection] = nil
                close(connection)
            }
        }
    }

    /// Takes a connection that has an event; false when it was closed meanwhile.
    func claim(_ connection: Int32) -> Bool {
        state.withLock { $0.parked.removeValue(forKey: connection) != nil }
    }

    var count: Int { state.withLock { $0.parked.count } }

    /// Closes those that have been silent since before `instant`; one that waits to be read is not.
    func closeSilent(since instant: ContinuousClock.Instant) {
        closeAll { $0.since < instant }
    }

    /// Closes the kept connection that has been silent longest; false when none is parked.
    func closeOldestKept() -> Bool {
        state.withLock { state in
            var kept = state.parked.filter { $0.value.isKept }
            while let oldest = kept.min(by: { $0.value.since < $1.value.since })?.key {
                kept[oldest] = nil
                if Self.hasNews(oldest) { continue }
                state.parked[oldest] = nil
                close(oldest)
                return true
            }
            return false
        }
    }

    /// Closes the kept connections that have been silent since before `instant`; how many are left,
    /// those that wait to be read among them.
    func closeKept(since instant: ContinuousClock.Instant) -> Int {
        closeAll { $0.isKept && $0.since < instant }
        return state.withLock { $0.parked.count { $0.value.isKept } }
    }

    /// Closes kept connections, now and whenever a worker returns one; not those that wait to be
    /// read.
    func closeKept() {
        state.withLock { $0.acceptsKept = false }
        closeAll { $0.isKept }
    }

    /// Closes all, and with them what nobody has read.
    func breakOff() {
        state.withLock { state in
            state.acceptsNews = false
            for connection in state.parked.keys { close(connection) }
            state.parked = [:]
        }
    }

    private func closeAll(where isDoomed: (Parked) -> Bool) {
        state.withLock { state in
            for (connection, parked) in state.parked
            where isDoomed(parked) && !Self.hasNews(connection) {
                state.parked[connection] = nil
                close(connection)
            }
        }
    }

    /// Whether bytes have come whose event was not taken yet: closing would lose a request.
    private static func hasNews(_ connection: Int32) -> Bool {
        var byte: UInt8 = 0
        return recv(connection, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
    }
}
