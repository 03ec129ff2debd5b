import CFastCGI
import Glibc
import Synchronization

/// The thread that accepts connections and hands those with a request to the workers.
///
/// It never reads a request and never waits for a client: idle connections cost no thread.
final class Acceptor: Sendable {
    /// The connections with a request, for the workers.
    let queue: BoundedQueue<ReadyConnection>

    /// Those whose request never waits, while all workers are busy.
    let live: BoundedQueue<ReadyConnection>

    /// Those whose request is refused; a limit would reset the connections above it, so `accept`
    /// bounds the length.
    let refusals = BoundedQueue<ReadyConnection>(limit: .max)

    private let listener: Listener
    private let connections: Connections
    private let limits: ServerLimits
    let paths: UrgentPaths
    private let epoll: Int32
    private let wakeUp: Int32
    private let queueRefusals = Atomic(0)
    private let connectionRefusals = Atomic(0)
    private let hasLostFile = Atomic(false)
    private let onFileLoss: @Sendable (FastCGIError?) -> Void

    /// The longest that a drain accepts and dispatches earlier connections.
    private static let drainSeconds = 3

    /// How often the socket's file is checked: its loss must be detected within a second.
    private static let fileCheckInterval = Duration.milliseconds(500)

    /// The most connections that are accepted before events of other connections are handled.
    ///
    /// A lower limit would keep a health check in the backlog for longer: with 64 and 1,500 clients,
    /// two of five rounds of overload.py exceeded 50 ms, with 256 none.
    private static let acceptLimit = 256

    init(
        listener: Listener, limits: ServerLimits, paths: UrgentPaths,
        onFileLoss: @escaping @Sendable (FastCGIError?) -> Void
    ) throws(FastCGIError) {
        self.listener = listener
        queue = BoundedQueue(limit: limits.queued)
        live = BoundedQueue(limit: limits.queued)
        self.limits = limits
        self.paths = paths
        self.onFileLoss = onFileLoss
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        wakeUp = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard epoll >= 0, wakeUp >= 0 else { throw FastCGIError("epoll_create1") }
        connections = Connections(epoll: epoll)
        try watch(listener.descriptor)
        try watch(wakeUp)
    }

    /// Opens a connection that does not pass through the socket's backlog; the client's end.
    func connect() throws(FastCGIError) -> Int32 {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw FastCGIError("socketpair") }
        connections.add(ends[1])
        return ends[0]
    }

    /// Takes a connection back for its next request.
    func park(_ connection: Int32) { connections.park(connection) }

    /// How busy the server is.
    var load: ServerLoad {
        let (queued, waiting) = queue.occupancy
        return ServerLoad(
            queued: queued, busyWorkers: limits.workers - waiting,
            parkedConnections: connections.count,
            queueRefusals: queueRefusals.load(ordering: .relaxed),
            connectionRefusals: connectionRefusals.load(ordering: .relaxed), limits: limits)
    }

    /// Whether new connections are impossible because the socket's file is lost.
    var isUnreachable: Bool { hasLostFile.load(ordering: .acquiring) }

    /// Ends the loop; safe from any thread.
    func stop() { eventfd_write(wakeUp, 1) }

    /// Accepts and dispatches until `stop`, then dispatches what was accepted.
    func run() {
        var lastCheck = ContinuousClock.now
        while !dispatch(timeoutMilliseconds: 500).isStopped {
            let now = ContinuousClock.now
            connections.closeSilent(since: now - .seconds(limits.idleSeconds))
            if now - lastCheck >= Self.fileCheckInterval {
                lastCheck = now
                checkFile()
            }
        }
        drain()
        queue.close()
        live.close()
        refusals.close()
    }

    private func checkFile() {
        guard !isUnreachable else { return }
        let deadline = ContinuousClock.now + .seconds(Self.drainSeconds)
        do throws(FastCGIError) {
            guard try listener.recreateFile({ acceptAll(until: deadline) }) else { return }
            // epoll removed the old socket when its last descriptor was closed.
            try watch(listener.descriptor)
            onFileLoss(nil)
        } catch {
            hasLostFile.store(true, ordering: .releasing)
            onFileLoss(error)
        }
    }

    /// Without the path no new client can connect, so the backlog can be emptied; that of an
    /// inherited socket is the next process's.
    private func drain() {
        let deadline = ContinuousClock.now + .seconds(Self.drainSeconds)
        epoll_ctl(epoll, EPOLL_CTL_DEL, wakeUp, nil)
        listener.removePath()
        // Keep-alive connections are closed once they have been idle for a while: the web server may
        // be sending on the others. Meanwhile, everything is accepted as before.
        let quiet = Duration.milliseconds(limits.quietMilliseconds)
        while connections.closeKept(since: .now - quiet) > 0, ContinuousClock.now < deadline {
            _ = dispatch(timeoutMilliseconds: 10)
        }
        if !listener.isInherited { acceptAll(until: deadline) }
        epoll_ctl(epoll, EPOLL_CTL_DEL, listener.descriptor, nil)
        close(listener.descriptor)
        // Requests that have arrived are served; a keep-alive connection without one is closed.
        while dispatch(timeoutMilliseconds: 0).count > 0, ContinuousClock.now < deadline {}
        connections.closeKept()
        // A client that has just connected is about to send its request; one may have sent just now.
        while connections.count > 0, ContinuousClock.now < deadline {
            _ = dispatch(timeoutMilliseconds: 50)
        }
        connections.breakOff()
    }

    private func watch(_ descriptor: Int32) throws(FastCGIError) {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue
        event.data.fd = descriptor
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 else {
            throw FastCGIError("epoll_ctl")
        }
    }

    /// Waits for events and acts on them; how many, and whether `stop` was called.
    private func dispatch(timeoutMilliseconds: Int32) -> (count: Int, isStopped: Bool) {
        var events = [epoll_event](repeating: epoll_event(), count: 256)
        let count = max(0, Int(epoll_wait(epoll, &events, 256, timeoutMilliseconds)))
        var isStopped = false
        var hasNew = false
        let now = ContinuousClock.now
        for event in events.prefix(count) {
            switch event.data.fd {
            case wakeUp: isStopped = true
            case listener.descriptor: hasNew = true
            default: hand(over: event.data.fd, event.events, now)
            }
        }
        // Last: a new connection may get the number of one that is closed to make room, and must
        // not be taken for it by an event further down the list.
        if hasNew { _ = accept(upTo: Self.acceptLimit) }
        return (count, isStopped)
    }

    private func acceptAll(until deadline: ContinuousClock.Instant) {
        while !accept(upTo: .max), ContinuousClock.now < deadline {
            _ = dispatch(timeoutMilliseconds: 10)
        }
    }

    /// Accepts up to `limit` connections; true when the backlog is empty.
    private func accept(upTo limit: Int) -> Bool {
        for _ in 0..<limit {
            guard refusals.occupancy.queued < limits.connections else {
                pause()
                return false
            }
            let connection = accept4(
                listener.descriptor, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
            guard connection >= 0 else {
                if errno == EINTR || errno == ECONNABORTED { continue }
                guard errno == EMFILE || errno == ENFILE else { return true }
                if !closeOldestKept() { pause() }
                return false
            }
            if Connections.hasUnreadBytes(connection) {
                // Under load, requests arrive before their connections are accepted.
                enqueue(ReadyConnection(descriptor: connection, since: .now))
            } else if connections.count >= limits.connections && !closeOldestKept() {
                connectionRefusals.add(1, ordering: .relaxed)
                refuse(connection)
            } else {
                connections.add(connection)
            }
        }
        return false
    }

    /// Closes the keep-alive connection that has been idle longest.
    private func closeOldestKept() -> Bool {
        connections.closeOldestKept(since: .now - .milliseconds(limits.quietMilliseconds))
    }

    /// Lets other threads run while no connection can be accepted: epoll would report the listening
    /// socket again immediately.
    private func pause() {
        var wake = pollfd(fd: wakeUp, events: Int16(POLLIN), revents: 0)
        poll(&wake, 1, 1)
    }

    private func hand(
        over connection: Int32, _ events: UInt32, _ now: ContinuousClock.Instant
    ) {
        guard connections.claim(connection) else { return }
        if events & EPOLLRDHUP.rawValue != 0 && Connections.isAtEnd(connection) {
            close(connection)
        } else {
            enqueue(ReadyConnection(descriptor: connection, since: now))
        }
    }

    /// Queues a request, an urgent one before all others; refuses it if the queue is full.
    private func enqueue(_ ready: ReadyConnection) {
        let isBusy = queue.occupancy.waiting == 0
        let request = isBusy ? WaitingRequest(on: ready.descriptor, with: paths.urgent) : nil
        if let request, paths.areLive(request), live.offer(ready) { return }
        if !queue.offer(ready, isUrgent: request.map(paths.areUrgent) ?? false) {
            queueRefusals.add(1, ordering: .relaxed)
            refuse(ready.descriptor)
        }
    }

    /// Leaves the request to the thread that responds to refused requests; a full backlog would make
    /// nginx respond with a 502.
    private func refuse(_ connection: Int32) {
        let ready = ReadyConnection(descriptor: connection, since: .now)
        // Fails only when it is closed: `accept` bounds its length.
        if !refusals.offer(ready) { close(connection) }
    }
}
