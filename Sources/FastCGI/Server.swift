import CFastCGI
import Glibc
import Synchronization
import Threads

/// The acceptor and its workers.
public final class Server: Sendable {
    private let acceptor: Acceptor
    private let refusal: [UInt8]
    private let limits: ServerLimits
    private let threads = ThreadGroup()
    private let drains = Atomic(false)

    /// Prepares to serve `listener`.
    ///
    /// `refusal` is the CGI response for a request that finds the queue full. Requests of `paths` do
    /// not wait behind the others. `onFileLoss` is called in the acceptor's thread when the socket's
    /// file was removed or replaced: with nil after it was created again, or with the error that makes
    /// new connections impossible.
    public init(
        listener: Listener, limits: ServerLimits, refusal: [UInt8], paths: UrgentPaths,
        onFileLoss: @escaping @Sendable (FastCGIError?) -> Void = { _ in }
    ) throws(FastCGIError) {
        guard FCGX_Init() == 0 else { throw FastCGIError("FCGX_Init") }
        // It has installed handlers without SA_RESTART for these, even where SIG_IGN was set.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGTERM, SIG_DFL)
        signal(SIGUSR1, SIG_DFL)
        allowManyDescriptors()
        self.limits = limits
        self.refusal = refusal
        acceptor = try Acceptor(
            listener: listener, limits: limits, paths: paths, onFileLoss: onFileLoss)
    }

    /// Whether `drain` was called.
    public var isDraining: Bool { drains.load(ordering: .relaxed) }

    /// Whether new connections are impossible because the socket's file is lost.
    public var isUnreachable: Bool { acceptor.isUnreachable }

    /// How busy it is.
    public var load: ServerLoad { acceptor.load }

    /// Starts the threads; `makeHandler` is called once in each that handles requests.
    public func start(
        _ makeHandler: @escaping @Sendable () -> (any Exchange) -> Void
    ) throws(FastCGIError) {
        for _ in 1...limits.workers {
            try threads.start { [self] in work(on: acceptor.queue, makeHandler()) }
        }
        try threads.start { [self] in work(on: acceptor.live, makeHandler()) }
        try threads.start { [self] in
            work(on: acceptor.refusals) { [refusal] in try? $0.write(refusal.span) }
        }
        try threads.start { [acceptor] in acceptor.run() }
    }

    /// Requests `path` from itself, again `interval` after each response, in a thread of its own:
    /// acceptor, queue and a worker must work for it, so it is urgent, but not `live`.
    ///
    /// `onResponse` gets each response as a CGI program would print it, in that thread.
    public func probeItself(
        _ path: String, every interval: Duration, onResponse: @escaping @Sendable (String) -> Void
    ) throws(FastCGIError) {
        let code = startThread { [self] in
            let request = [
                ("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", acceptor.paths.urgent),
                ("PATH_INFO", path),
            ]
            while true {
                if let connection = try? acceptor.connect(),
                    let response = try? Client.response(
                        over: connection, request, seconds: Self.probeSeconds)
                {
                    onResponse(String(decoding: response, as: UTF8.self))
                }
                pause(for: interval)
            }
        }
        guard code == 0 else { throw FastCGIError("pthread_create", code) }
    }

    /// The timeout of a probe, in seconds; a shorter one would only queue another probe.
    private static let probeSeconds = 60

    /// Stops accepting and handles what was accepted; false if that took longer than `seconds`.
    public func drain(seconds: Int) -> Bool {
        drains.store(true, ordering: .relaxed)
        acceptor.stop()
        return threads.wait(seconds: seconds)
    }

    private func work(on queue: BoundedQueue<ReadyConnection>, _ handle: (any Exchange) -> Void) {
        let exchange = FastCGIExchange()
        while let connection = queue.take() {
            limits.apply(to: connection.descriptor)
            guard exchange.accept(connection.descriptor, arrival: connection.since) else {
                continue
            }
            handle(exchange)
            if let kept = exchange.finish(isFinal: isDraining) { acceptor.park(kept) }
        }
    }
}

/// Raises the soft limit of open descriptors to the hard one: 1024 are too few for a server.
private func allowManyDescriptors() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

/// Threads that are started together and waited for together.
private final class ThreadGroup: Sendable {
    private struct State {
        var running = 0
        /// The thread that waits for the end of all.
        var waiter: Handoff<Void>?
    }

    private let state = Lock(State())

    /// Starts a detached thread; signals stay blocked in it as they are in the caller.
    ///
    /// Throws `EAGAIN` at the system's limit of threads.
    func start(_ body: @escaping @Sendable () -> Void) throws(FastCGIError) {
        state.withLock { $0.running += 1 }
        let code = startThread { [self] in
            body()
            ended()
        }
        guard code == 0 else {
            ended()
            throw FastCGIError("pthread_create", code)
        }
    }

    /// Waits until every thread has ended; false when `seconds` passed first.
    func wait(seconds: Int) -> Bool {
        let turn = Handoff<Void>()
        let isRunning = state.withLock { state in
            if state.running > 0 { state.waiter = turn }
            return state.running > 0
        }
        return !isRunning || turn.wait(until: .now + .seconds(seconds)) != nil
    }

    private func ended() {
        let waiter = state.withLock { state -> Handoff<Void>? in
            state.running -= 1
            guard state.running == 0 else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.give(())
    }
}
