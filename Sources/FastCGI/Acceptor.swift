import CFastCGI
import Glibc

/// The thread that accepts connections and hands those with a request to the workers.
///
/// It never reads a request and never waits for a client: idle connections cost no thread.
final class Acceptor: Sendable {
    private let listener: Listener
    private let connections: Connections
    private let queue: BoundedQueue<Int32>
    private let limits: ServerLimits
    private let refusal: [UInt8]
    private let epoll: Int32
    private let wakeUp: Int32

    init(
        listener: Listener, queue: BoundedQueue<Int32>, limits: ServerLimits, refusal: [UInt8]
    ) throws(FastCGIError) {
        self.listener = listener
        self.queue = queue
        self.limits = limits
        self.refusal = refusal
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        wakeUp = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard epoll >= 0, wakeUp >= 0 else { throw FastCGIError("epoll_create1") }
        connections = Connections(epoll: epoll)
        try watch(listener.descriptor)
        try watch(wakeUp)
    }

    /// Gives a connection back for its next request.
    func park(_ connection: Int32) { connections.park(connection) }

    /// Asks the loop to end; safe from any thread.
    func stop() { eventfd_write(wakeUp, 1) }

    /// Accepts and dispatches until `stop`, then dispatches what had been accepted.
    func run() {
        while dispatch(timeoutMilliseconds: 1000) {
            connections.closeSilent(since: .now - .seconds(limits.idleSeconds))
        }
        drain()
        queue.close()
    }

    /// Without the path nobody new can connect, so the backlog can be emptied for good.
    private func drain() {
        listener.removePath()
        if !listener.isInherited { acceptAll() }
        epoll_ctl(epoll, EPOLL_CTL_DEL, listener.descriptor, nil)
        close(listener.descriptor)
        epoll_ctl(epoll, EPOLL_CTL_DEL, wakeUp, nil)
        // What is readable now is served; a kept connection without a request is closed.
        _ = dispatch(timeoutMilliseconds: 0)
        connections.closeKept()
        // A client that has just connected is about to send its request.
        let deadline = ContinuousClock.now + .seconds(1)
        while connections.freshCount > 0, ContinuousClock.now < deadline {
            _ = dispatch(timeoutMilliseconds: 50)
        }
        connections.closeAll()
    }

    private func watch(_ descriptor: Int32) throws(FastCGIError) {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue
        event.data.fd = descriptor
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 else {
            throw FastCGIError("epoll_ctl")
        }
    }

    /// Waits for events and acts on them; false once `stop` was called.
    private func dispatch(timeoutMilliseconds: Int32) -> Bool {
        var events = [epoll_event](repeating: epoll_event(), count: 256)
        let count = Int(epoll_wait(epoll, &events, 256, timeoutMilliseconds))
        var goesOn = true
        for event in events.prefix(max(0, count)) {
            switch event.data.fd {
            case wakeUp: goesOn = false
            case listener.descriptor: acceptAll()
            default: hand(over: event.data.fd, event.events)
            }
        }
        return goesOn
    }

    private func acceptAll() {
        while true {
            let connection = accept(listener.descriptor, nil, nil)
            guard connection >= 0 else {
                if errno == EINTR || errno == ECONNABORTED { continue }
                if errno == EMFILE || errno == ENFILE { waitForDescriptors() }
                return
            }
            prepare(connection)
            if connections.count >= limits.connections && !connections.closeOldestKept() {
                refuse(connection)
            } else {
                connections.add(connection)
            }
        }
    }

    /// Out of descriptors the listening socket stays readable: do not spin on it.
    private func waitForDescriptors() {
        if connections.closeOldestKept() { return }
        var wake = pollfd(fd: wakeUp, events: Int16(POLLIN), revents: 0)
        poll(&wake, 1, 100)
    }

    private func prepare(_ connection: Int32) {
        _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
        var limit = timeval(tv_sec: limits.clientSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    }

    private func hand(over connection: Int32, _ events: UInt32) {
        guard connections.claim(connection) else { return }
        if events & EPOLLRDHUP.rawValue != 0 && isAtEnd(connection) {
            close(connection)
        } else if !queue.offer(connection) {
            refuse(connection)
        }
    }

    private func isAtEnd(_ connection: Int32) -> Bool {
        var byte: UInt8 = 0
        return recv(connection, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) <= 0
    }

    /// Answers at once in the workers' stead; a full backlog would be nginx's 502.
    private func refuse(_ connection: Int32) {
        var request = [UInt8](repeating: 0, count: 65536)
        let count = recv(connection, &request, request.count, Int32(MSG_DONTWAIT))
        // Bytes 2 and 3 of the first record are the request's id; nginx only uses 1.
        let requestID = count >= 8 ? Int32(request[2]) << 8 | Int32(request[3]) : 1
        let answer = Record.answer(refusal, requestID: requestID)
        let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
        _ = send(connection, answer, answer.count, flags)
        shutdown(connection, Int32(SHUT_WR))
        close(connection)
    }
}
