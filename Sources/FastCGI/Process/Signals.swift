import Glibc

/// The signals of the life cycle, received by one thread without handlers.
public enum Signals {
    /// The requests that signals make.
    public enum Request: Sendable {
        /// TERM, QUIT or INT: respond to accepted requests, then exit.
        case drain
        /// HUP: read the configuration again.
        case reload
        /// USR1: switch the log level between the configured one and `debug`.
        case switchLogLevel
    }

    private static let handled = [SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1]

    /// Blocks the signals in this thread and those it starts; call it before any thread exists.
    ///
    /// A signal in a writing thread would end its response: libfcgi does not retry after EINTR.
    public static func block() {
        var set = handledSet()
        sigaddset(&set, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Waits for the next signal.
    public static func next() -> Request {
        var set = handledSet()
        var number: Int32 = 0
        while sigwait(&set, &number) != 0 {}
        switch number {
        case SIGHUP: return .reload
        case SIGUSR1: return .switchLogLevel
        default: return .drain
        }
    }

    /// Makes `next` return a request to drain.
    public static func requestDrain() { kill(getpid(), SIGTERM) }

    private static func handledSet() -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in handled { sigaddset(&set, number) }
        return set
    }
}
