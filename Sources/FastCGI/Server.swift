import CFastCGI
import Glibc
import Synchronization

/// The acceptor and its workers: connections in, exchanges out.
public final class Server: Sendable {
    private let acceptor: Acceptor
    private let queue: BoundedQueue<Int32>
    private let limits: ServerLimits
    private let threads = ThreadGroup()
    private let drains = Atomic(false)

    /// Makes ready to serve `listener`.
    ///
    /// `refusal` is the CGI response for a request that finds the queue full.
    public init(
        listener: Listener, limits: ServerLimits, refusal: [UInt8]
    ) throws(FastCGIError) {
        guard FCGX_Init() == 0 else { throw FastCGIError("FCGX_Init") }
        // It has put handlers without SA_RESTART on these, in place of SIG_IGN even.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGTERM, SIG_DFL)
        signal(SIGUSR1, SIG_DFL)
        self.limits = limits
        queue = BoundedQueue(limit: limits.queued)
        acceptor = try Acceptor(listener: listener, queue: queue, limits: limits, refusal: refusal)
    }

    /// Whether `drain` was called.
    public var isDraining: Bool { drains.load(ordering: .relaxed) }

    /// Starts the threads; `makeHandler` is called once in each worker.
    public func start(
        _ makeHandler: @escaping @Sendable () -> (any Exchange) -> Void
    ) throws(FastCGIError) {
        let acceptor = acceptor
        for _ in 1...limits.workers {
            try threads.start { [self] in work(makeHandler()) }
        }
        try threads.start { acceptor.run() }
    }

    /// Stops accepting and answers what was accepted; false when `seconds` were not enough.
    public func drain(seconds: Int) -> Bool {
        drains.store(true, ordering: .relaxed)
        acceptor.stop()
        return threads.wait(seconds: seconds)
    }

    private func work(_ answer: (any Exchange) -> Void) {
        let exchange = FastCGIExchange()
        while let connection = queue.take() {
            guard exchange.accept(connection) else { continue }
            answer(exchange)
            if let kept = exchange.finish() { acceptor.park(kept) }
        }
    }
}
