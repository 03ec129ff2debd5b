import CFastCGI
import Glibc
import Threads

/// The connections that no worker holds: new ones, and keep-alive ones between two requests.
///
/// Each is in epoll for one event. Whoever gets the event owns the connection until `park`. Unread
/// bytes are a request, so only `breakOff` closes a connection that has any.
final class Connections: Sendable {
    private struct State {
        var parked = ParkedConnections()
        /// Whether a keep-alive connection is closed as soon as a worker returns it.
        var closesKept = false
        var isBrokenOff = false
    }

    private let epoll: Int32
    private let state = Lock(State())

    /// The number of keep-alive connections that are examined to find one that can be closed.
    private static let searchLimit = 16

    init(epoll: Int32) { self.epoll = epoll }

    /// Waits for the first request on a connection just accepted.
    func add(_ connection: Int32) { register(connection, isKept: false) }

    /// Waits for the next request on a connection, or closes it when a drain has begun.
    func park(_ connection: Int32) { register(connection, isKept: true) }

    private func register(_ connection: Int32, isKept: Bool) {
        // One critical section: the event may be taken before epoll_ctl returns.
        state.withLock { state in
            let isClosed = isKept && state.closesKept && !Self.hasUnreadBytes(connection)
            guard !isClosed, !state.isBrokenOff else {
                close(connection)
                return
            }
            state.parked.add(connection, since: .now, isKept: isKept)
            var event = epoll_event()
            event.events = EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLONESHOT.rawValue
            event.data.fd = connection
            // One that had a request when it was accepted is not in epoll yet.
            if epoll_ctl(epoll, EPOLL_CTL_MOD, connection, &event) != 0
                && epoll_ctl(epoll, EPOLL_CTL_ADD, connection, &event) != 0
            {
                _ = state.parked.remove(connection)
                close(connection)
            }
        }
    }

    /// Takes a connection that has an event; false when it was closed meanwhile.
    func claim(_ connection: Int32) -> Bool {
        state.withLock { $0.parked.remove(connection) }
    }

    var count: Int { state.withLock { $0.parked.count } }

    /// Closes the connections that have been idle since before `instant`.
    func closeSilent(since instant: ContinuousClock.Instant) {
        state.withLock { state in
            Self.closeIdle(in: &state.parked, false, before: instant)
            Self.closeIdle(in: &state.parked, true, before: instant)
        }
    }

    /// Closes one keep-alive connection that the peer has closed or that has been idle since before
    /// `instant`; false if there is none among the oldest.
    func closeOldestKept(since instant: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            var candidate = state.parked.oldest(isKept: true)
            for _ in 1...Self.searchLimit {
                guard let connection = candidate, let entry = state.parked[connection] else {
                    return false
                }
                let isSilent = entry.since < instant && !Self.hasUnreadBytes(connection)
                if isSilent || Self.isAtEnd(connection) {
                    _ = state.parked.remove(connection)
                    close(connection)
                    return true
                }
                candidate = state.parked.next(after: connection)
            }
            return false
        }
    }

    /// Closes the keep-alive connections that have been idle since before `instant`; returns the
    /// number of the others.
    func closeKept(since instant: ContinuousClock.Instant) -> Int {
        state.withLock { state in
            Self.closeIdle(in: &state.parked, true, before: instant)
            return state.parked.keptCount
        }
    }

    /// Closes the keep-alive connections, now and whenever a worker returns one.
    func closeKept() {
        state.withLock { state in
            state.closesKept = true
            Self.closeIdle(in: &state.parked, true, before: nil)
        }
    }

    /// Closes all connections, including those with unread bytes.
    func breakOff() {
        state.withLock { state in
            state.isBrokenOff = true
            for isKept in [false, true] {
                while let connection = state.parked.oldest(isKept: isKept) {
                    _ = state.parked.remove(connection)
                    close(connection)
                }
            }
        }
    }

    /// Closes those of one list that were parked before `instant` and have no unread bytes.
    private static func closeIdle(
        in parked: inout ParkedConnections, _ isKept: Bool, before instant: ContinuousClock.Instant?
    ) {
        var next = parked.oldest(isKept: isKept)
        while let connection = next, let entry = parked[connection] {
            if let instant, entry.since >= instant { return }
            next = parked.next(after: connection)
            if hasUnreadBytes(connection) { continue }
            _ = parked.remove(connection)
            close(connection)
        }
    }

    /// Whether the peer has sent something.
    static func hasUnreadBytes(_ connection: Int32) -> Bool { peek(connection) > 0 }

    /// Whether the peer has closed the connection and everything was read.
    static func isAtEnd(_ connection: Int32) -> Bool {
        let count = peek(connection)
        return count == 0 || count < 0 && errno != EAGAIN && errno != EINTR
    }

    private static func peek(_ connection: Int32) -> Int {
        var byte: UInt8 = 0
        return recv(connection, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
    }
}

/// A connection on which a request waits.
struct ReadyConnection: Sendable {
    let descriptor: Int32

    /// When the request was seen.
    let since: ContinuousClock.Instant
}
